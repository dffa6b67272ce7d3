// How well evidences come out of trained flows: the learnt harmonic mean and importance sampling against the truth, for
// bent and correlated posteriors of 2, 5 and 10 dimensions, with what goes wrong when the base is not contracted or the
// members have seen the rows. Usage: evidence_report [rows [family ...]]
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "models/families.h"
#include "models/statistics/harmonic_mean.h"
#include "models/training/trainer.h"
#include "proto/support/status_macros.h"
#include "tests/models/statistics/sheared_problem.h"

namespace creamery {
namespace {

void Print(const std::string& what, const absl::StatusOr<v1::EvidenceResponse>& response, double truth) {
  if (!response.ok()) {
    std::cout << "    " << what << ": " << response.status() << "\n";
    return;
  }
  const v1::Estimate& log_z = response->log_z();
  std::cout << absl::StrFormat("    %-34s %9.4f +- %.4f  (off by %+7.4f, %+5.1f errors)  n_eff/n %.3f  k-hat %5.2f\n",
                               what, log_z.value(), log_z.error(), log_z.value() - truth,
                               (log_z.value() - truth) / log_z.error(), response->efficiency(), response->k_hat());
}

absl::Status Report(const std::string& name, const ShearedProblem& problem, int64_t rows, const std::string& family) {
  const TrainingInput input = problem.Input(rows, family, 1);
  const absl::Time began = absl::Now();
  ABSL_ASSIGN_OR_RETURN(std::string artifact, Train(input, TrainingHooks()));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<Estimator> model, LoadEstimator(artifact));
  std::cout << absl::StrFormat("%s, d = %d, %s, %d rows, trained in %.0f s: log Z = %.4f\n", name, problem.d, family,
                               rows, seconds, problem.log_z());
  const auto harmonic = [&](const Estimator& from, double temperature) {
    v1::HarmonicMean request;
    request.set_temperature(temperature);
    return HarmonicMeanEvidence(from, problem.prior(), input.dataset, input.rows, request, 1, StopToken());
  };
  for (const double temperature : {0.5, 0.8, 1.0}) {
    Print(absl::StrFormat("harmonic mean, T = %.1f", temperature), harmonic(*model, temperature), problem.log_z());
  }
  Print("harmonic mean, T = 0.8, seen rows", harmonic(MembersThatHaveSeen(*model), 0.8), problem.log_z());
  v1::ImportanceSampling request;
  request.set_target_effective_size(2000);
  request.set_max_points(20000);
  const auto likelihood = [&](absl::Span<const double> theta) { return problem.log_likelihood(theta); };
  Print("importance sampling", SampleEvidence(*model, problem.prior(), request, 1, likelihood), problem.log_z());
  return absl::OkStatus();
}

// How often the stated bars hold the truth, over trainings of their own.
absl::Status ReportCoverage(const std::string& family, int64_t rows, double rho) {
  constexpr int kTrainings = 100;
  std::vector<double> harmonic_pulls;
  std::vector<double> sampling_pulls;
  for (int i = 0; i < kTrainings; ++i) {
    ShearedProblem problem;
    problem.d = 1 + i % 6;
    problem.slope = i % 2 == 0 ? 0.7 : 0;
    problem.bend = i % 2 == 0 ? 0 : 0.3;
    const TrainingInput input = problem.Input(rows, family, 100 + i, rho);
    ABSL_ASSIGN_OR_RETURN(std::string artifact, Train(input, TrainingHooks()));
    ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<Estimator> model, LoadEstimator(artifact));
    ABSL_ASSIGN_OR_RETURN(
        const v1::EvidenceResponse harmonic,
        HarmonicMeanEvidence(*model, problem.prior(), input.dataset, input.rows, v1::HarmonicMean(), i, StopToken()));
    v1::ImportanceSampling request;
    request.set_target_effective_size(1000);
    request.set_max_points(5000);
    const auto likelihood = [&](absl::Span<const double> theta) { return problem.log_likelihood(theta); };
    ABSL_ASSIGN_OR_RETURN(const v1::EvidenceResponse sampling,
                          SampleEvidence(*model, problem.prior(), request, i, likelihood));
    harmonic_pulls.push_back((harmonic.log_z().value() - problem.log_z()) / harmonic.log_z().error());
    sampling_pulls.push_back((sampling.log_z().value() - problem.log_z()) / sampling.log_z().error());
  }
  for (const auto& [name, pulls] :
       {std::make_pair("harmonic mean", harmonic_pulls), std::make_pair("importance sampling", sampling_pulls)}) {
    int within = 0;
    double squares = 0;
    double mean = 0;
    for (const double pull : pulls) {
      within += std::abs(pull) < 1;
      squares += pull * pull / kTrainings;
      mean += pull / kTrainings;
    }
    std::cout << absl::StrFormat(
        "coverage, %s, %d %s rows, %s: %d of %d within one error, mean pull %+.2f, root mean square %.2f\n", family,
        rows, rho == 0 ? "independent" : "chain", name, within, kTrainings, mean, std::sqrt(squares));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace creamery

int main(int argc, char** argv) {
  const int64_t rows = argc > 1 ? std::atol(argv[1]) : 4000;
  std::vector<std::string> families(argv + std::min(argc, 2), argv + argc);
  if (families.empty()) families = {"maf"};
  for (const std::string& family : families) {
    // Neighbours correlated by 0.8: nine rows are worth one.
    for (const auto& [of, rho] : {std::make_pair(1000, 0.0), std::make_pair(4500, 0.8)}) {
      if (const absl::Status status = creamery::ReportCoverage(family, of, rho); !status.ok())
        std::cerr << status << "\n";
    }
    for (const int64_t d : {2, 5, 10}) {
      creamery::ShearedProblem correlated;
      correlated.d = d;
      correlated.slope = 0.7;
      creamery::ShearedProblem bent;
      bent.d = d;
      bent.bend = 0.3;
      for (const auto& [name, problem] : {std::make_pair("correlated", correlated), std::make_pair("bent", bent)}) {
        const absl::Status status = creamery::Report(name, problem, rows, family);
        if (status.ok()) continue;
        std::cerr << status << "\n";
        return 1;
      }
    }
  }
  return 0;
}
