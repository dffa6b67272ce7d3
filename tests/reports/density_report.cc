// True KL(target || estimate) on 50 000 fresh rows for two-dimensional targets:
//   density_report [target] [family] [rows] [spec in text format] [seed of the rows]
// One line a training: KL of the best member, of every member, and of the equal mixture of all members.
#include <google/protobuf/text_format.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "models/families.h"
#include "models/training/candidate_spec.h"
#include "proto/support/family_name.h"
#include "proto/support/status_macros.h"
#include "tests/reports/density_targets.h"

namespace creamery {
namespace {

constexpr int64_t kFreshRows = 50000;
constexpr uint64_t kFreshSeed = 1000000;

absl::Status Report(const DensityTarget& target, const v1::EstimatorSpec& spec, int64_t n, uint64_t seed) {
  const TrainingInput input = TargetInput(target, n, spec, seed);
  const absl::Time began = absl::Now();
  ABSL_ASSIGN_OR_RETURN(const std::string artifact, Train(input, TrainingHooks()));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  ABSL_ASSIGN_OR_RETURN(const auto model, LoadEstimator(artifact));
  const v1::TrainingSummary& training = model->description().training();

  const std::vector<double> fresh = DrawRows(target, kFreshRows, kFreshSeed);
  std::printf("%s %s, %ld rows, %.0f s:", target.name.c_str(), FamilyName(spec).c_str(), static_cast<long>(n), seconds);
  for (size_t k = 0; k < model->members().size(); ++k) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> log_q, MixtureLogProb(model->members().subspan(k, 1), fresh));
    const bool answers = static_cast<int>(k) == training.answering_member();
    std::printf(" %s%.4f (%d epochs)", answers ? "*" : "", TrueDivergence(target, fresh, log_q).value,
                training.members(static_cast<int>(k)).epochs());
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> log_q, MixtureLogProb(model->members(), fresh));
  const Divergence mixture = TrueDivergence(target, fresh, log_q);
  std::printf("; mixture %.4f +- %.4f\n", mixture.value, mixture.error);
  for (const v1::Candidate& candidate : training.compared()) {
    std::printf("    %s %s%s held out %.4f +- %.4f %s\n", candidate.chosen() ? "*" : " ",
                FamilyName(candidate.spec()).c_str(),
                candidate.spec().has_piecewise() ? absl::StrCat(candidate.spec().piecewise().pieces()).c_str() : "",
                candidate.held_out_log_prob(), candidate.difference_error(), candidate.failure().c_str());
  }
  std::fflush(stdout);
  return absl::OkStatus();
}

absl::Status Main(int argc, char** argv) {
  const std::string wanted = argc > 1 ? argv[1] : "all";
  const std::string family = argc > 2 ? argv[2] : "all";
  const int64_t n = argc > 3 ? std::atol(argv[3]) : 10000;
  const uint64_t seed = argc > 5 ? static_cast<uint64_t>(std::atol(argv[5])) : 1;
  v1::EstimatorSpec options;
  if (argc > 4 && !google::protobuf::TextFormat::ParseFromString(argv[4], &options)) {
    return absl::InvalidArgumentError("the spec cannot be read");
  }
  for (const DensityTarget& target : DensityTargets()) {
    if (wanted != "all" && wanted != target.name) continue;
    for (const char* name : {"maf", "nsf", "kde", "piecewise", "auto"}) {
      if (family != "all" && family != name) continue;
      ABSL_ASSIGN_OR_RETURN(v1::EstimatorSpec spec, SpecOfFamily(name, options, PreparedData()));
      if (family != "all") spec.MergeFrom(options);
      ABSL_RETURN_IF_ERROR(Report(target, spec, n, seed));
    }
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace creamery

int main(int argc, char** argv) {
  const absl::Status status = creamery::Main(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
