// Do the stated errors of D_KL and d_G hold the truth as often as they should? Trains on synthetic problems of known
// truth and counts. The family `exact` trains nothing and asks the exact density: are the chains' errors right?
// Run: build/release/bin/error_bar_coverage --problems=100
// A cell of prior, rows and family, of 2 to 5 parameters:
//   build/release/bin/error_bar_coverage --problems=60 --fewest=1000 --most=3000 --brief --prior=normal --rows=mcmc
//   --family=nsf
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "tests/reports/error_bars.h"
#include "tests/reports/synthetic_problem.h"

namespace creamery {
namespace {

struct Options {
  int64_t problems = 20;
  int64_t first = 0;
  uint64_t seed = 1;
  int threads = 1;
  std::string family = "auto";
  ProblemChoice choice;
  bool brief = false;
};

void PrintLine(int64_t index, const SyntheticProblem& problem, const ErrorBars& o) {
  std::cout
      << absl::StrFormat(
             "%3d %-11s %-11s d %.0f n %5.0f n_eff %6.0f | D_KL %7.3f est %7.3f +- %.3f (chain %.3f appr %.3f "
             "memb %.3f) pull %5.2f exact %5.2f +- %.3f ratio %.2f | d_G %6.3f est %6.3f +- %.3f pull %5.2f ratio "
             "%.2f, of log q by rows %.3f by draws %.3f | %.1f s",
             index, problem.target, problem.kind, o.d, o.rows, o.n_eff, o.truth, o.value, o.error, o.chain,
             o.approximation, o.member, (o.value - o.truth) / o.error, (o.exact_value - o.truth) / o.exact_error,
             o.exact_error, o.error / o.exact_error, o.g_truth, o.g_value, o.g_error,
             (o.g_value - o.g_truth) / o.g_error, o.g_error / o.g_exact_error, o.g_rows, o.g_draws, o.seconds)
      << std::endl;
}

double Quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

void Summarize(const std::string& what, const std::vector<double>& pulls, const std::vector<double>& errors,
               const std::vector<double>& ratios) {
  const auto within = [&](double limit) {
    return 100.0 *
           static_cast<double>(
               std::count_if(pulls.begin(), pulls.end(), [=](double p) { return std::fabs(p) <= limit; })) /
           static_cast<double>(pulls.size());
  };
  double mean = 0;
  for (const double p : pulls) mean += p / static_cast<double>(pulls.size());
  std::cout
      << absl::StrFormat(
             "%s: %d trainings, within 1 sigma %.0f %%, 2 sigma %.0f %%, 3 sigma %.0f %%, mean pull %.2f; bar: "
             "median %.3f, 84 %% over 16 %% %.1f; over the exact density's: median %.2f, 90 %% %.2f, largest %.2f",
             what, pulls.size(), within(1), within(2), within(3), mean, Quantile(errors, 0.5),
             Quantile(errors, 0.84) / Quantile(errors, 0.16), Quantile(ratios, 0.5), Quantile(ratios, 0.9),
             Quantile(ratios, 1))
      << std::endl;
}

int Main(const Options& options) {
  std::vector<double> pulls, errors, ratios, g_pulls, g_errors, g_ratios, exact_pulls, exact_errors, ones;
  int failures = 0;
  for (int64_t index = options.first; index < options.first + options.problems; ++index) {
    const SyntheticProblem problem = MakeProblem(options.seed, index, options.choice);
    const auto outcome = MeasureErrorBars(problem, options.family, options.threads);
    if (!outcome.ok()) {
      std::cout << index << " " << problem.target << " " << problem.kind << ": " << outcome.status() << std::endl;
      ++failures;
      continue;
    }
    if (!options.brief) PrintLine(index, problem, *outcome);
    pulls.push_back((outcome->value - outcome->truth) / outcome->error);
    g_pulls.push_back((outcome->g_value - outcome->g_truth) / outcome->g_error);
    errors.push_back(outcome->error);
    g_errors.push_back(outcome->g_error);
    if (!(outcome->exact_error > 1e-6)) continue;  // the posterior is the prior
    ratios.push_back(outcome->error / outcome->exact_error);
    g_ratios.push_back(outcome->g_error / outcome->g_exact_error);
    exact_pulls.push_back((outcome->exact_value - outcome->truth) / outcome->exact_error);
    exact_errors.push_back(outcome->exact_error);
    ones.push_back(1);
  }
  if (pulls.empty()) return 1;
  const std::string cell = options.family + (options.choice.prior.empty() ? "" : " " + options.choice.prior) +
                           (options.choice.kind.empty() ? "" : " " + options.choice.kind);
  Summarize(cell + " D_KL", pulls, errors, ratios);
  Summarize(cell + " d_G", g_pulls, g_errors, g_ratios);
  if (!exact_pulls.empty()) Summarize("D_KL by the exact density", exact_pulls, exact_errors, ones);
  return failures > 0 ? 1 : 0;
}

}  // namespace
}  // namespace creamery

int main(int argc, char** argv) {
  creamery::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::vector<std::string> words = absl::StrSplit(argv[i], absl::MaxSplits('=', 1));
    const std::string value = words.size() == 2 ? words[1] : "";
    bool good = true;
    if (words[0] == "--problems") {
      good = absl::SimpleAtoi(value, &options.problems);
    } else if (words[0] == "--first") {
      good = absl::SimpleAtoi(value, &options.first);
    } else if (words[0] == "--seed") {
      good = absl::SimpleAtoi(value, &options.seed);
    } else if (words[0] == "--fewest") {
      good = absl::SimpleAtoi(value, &options.choice.fewest);
    } else if (words[0] == "--most") {
      good = absl::SimpleAtoi(value, &options.choice.most);
    } else if (words[0] == "--threads") {
      good = absl::SimpleAtoi(value, &options.threads);
    } else if (words[0] == "--family") {
      options.family = value;
    } else if (words[0] == "--prior") {
      options.choice.prior = value;
    } else if (words[0] == "--rows") {
      options.choice.kind = value;
    } else if (words[0] == "--brief") {
      options.brief = true;
    } else {
      good = false;
    }
    if (!good) {
      std::cerr << "error_bar_coverage [--problems=20] [--first=0] [--seed=1] [--fewest=500] [--most=20000] "
                   "[--threads=1] [--family=auto|nsf|maf|...|exact] [--prior=uniform|log-uniform|normal|model] "
                   "[--rows=independent|weighted|mcmc|nested] [--brief]\n";
      return 2;
    }
  }
  return creamery::Main(options);
}
