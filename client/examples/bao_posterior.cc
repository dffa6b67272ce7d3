// Draws weighted posterior samples of flat wCDM from published BAO measurements, as CSV, ready for
// `creamery datasets upload`. No network: this stands for the analysis that a user brings along.
#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string>

#include "client/examples/bao_likelihood.h"
#include "client/examples/posterior_sampler.h"

namespace {

bool WriteRows(const creamery::examples::PosteriorSamples& samples, const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  std::fputs("omegam,w0,h0rs,weight,log_likelihood\n", file);
  for (size_t i = 0; i < samples.theta.size(); ++i) {
    const auto& theta = samples.theta[i];
    std::fprintf(file, "%.17g,%.17g,%.17g,%.17g,%.17g\n", theta[0], theta[1], theta[2], samples.weight[i],
                 samples.log_likelihood[i]);
  }
  const bool written = std::ferror(file) == 0;
  return std::fclose(file) == 0 && written;
}

bool WriteEvidence(const creamery::examples::PosteriorSamples& samples, const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  std::fprintf(file, "%.10g,%.10g\n", samples.log_evidence, samples.log_evidence_error);
  const bool written = std::ferror(file) == 0;
  return std::fclose(file) == 0 && written;
}

}  // namespace

int main(int argc, char** argv) {
  std::string survey, output, evidence_file;
  int64_t rows = 10000;
  uint64_t seed = 1;
  CLI::App app("Weighted posterior samples of (omegam, w0, h0rs) from BAO measurements.", "bao-posterior");
  app.add_option("--survey", survey, "desi (2024, z .510 and .706) or sdss (DR12 and DR16)")
      ->required()
      ->check(CLI::IsMember({"desi", "sdss"}));
  app.add_option("--output", output, "CSV file: omegam,w0,h0rs,weight,log_likelihood")->required();
  app.add_option("--evidence_file,--evidence-file", evidence_file, "file for \"log-evidence,standard error\"");
  app.add_option("--rows", rows, "number of rows")->check(CLI::Range(2, 10000000))->capture_default_str();
  app.add_option("--seed", seed, "same seed, same rows")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const creamery::examples::BaoLikelihood likelihood(survey == "desi" ? creamery::examples::Desi2024()
                                                                      : creamery::examples::Sdss());
  const auto samples = creamery::examples::DrawPosterior(likelihood, {}, rows, seed);
  if (!WriteRows(samples, output)) {
    std::fprintf(stderr, "bao-posterior: cannot write %s\n", output.c_str());
    return 1;
  }
  if (!evidence_file.empty() && !WriteEvidence(samples, evidence_file)) {
    std::fprintf(stderr, "bao-posterior: cannot write %s\n", evidence_file.c_str());
    return 1;
  }
  std::printf("%s: %" PRId64 " rows, effective size %.0f, log-evidence %.4f +- %.4f\n", survey.c_str(), rows,
              samples.effective_size, samples.log_evidence, samples.log_evidence_error);
  return 0;
}
