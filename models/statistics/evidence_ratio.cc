#include "models/statistics/evidence_ratio.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/statistics/evidence.h"
#include "models/statistics/harmonic_mean.h"
#include "models/statistics/marginal.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kLargestDisagreement = 3;

struct NamedEstimate {
  std::string method;
  v1::Estimate log_z;
};

struct Side {
  std::vector<NamedEstimate> estimates;
  bool declared = false;
};

v1::Estimate FromLogEvidence(const v1::LogEvidence& log_evidence) {
  v1::Estimate estimate;
  estimate.set_value(log_evidence.value());
  estimate.set_chain_error(log_evidence.error());
  SetTotalError(estimate);
  return estimate;
}

absl::StatusOr<v1::EvidenceResponse> TryHarmonicMean(const EvidenceSide& side, uint64_t seed, const StopToken& stop) {
  if (side.rows == nullptr || side.dataset == nullptr) {
    return absl::FailedPreconditionError(side.no_rows.empty() ? "the rows it was trained on are not at hand"
                                                              : side.no_rows);
  }
  v1::PriorChoice choice;
  if (side.prior_model != nullptr) choice.set_model(side.model->description().signature().prior_model());
  ABSL_ASSIGN_OR_RETURN(const MarginalPrior prior,
                        ChoosePrior(side.model->description().signature(), choice, side.prior_model));
  return HarmonicMeanEvidence(*side.model, prior, *side.dataset, *side.rows, v1::HarmonicMean(), seed, stop);
}

// `name` of the side for remarks: "numerator".
absl::StatusOr<Side> Collect(const EvidenceSide& side, const std::string& name, uint64_t seed, const StopToken& stop,
                             v1::EvidenceRatioResponse& response) {
  Side collected;
  const v1::ModelVersion& description = side.model->description();
  if (description.has_log_evidence()) {
    collected.declared = true;
    collected.estimates.push_back({"declared", FromLogEvidence(description.log_evidence())});
  } else {
    response.add_remarks(absl::StrCat("The ", name, " declares no log-evidence: none was given with its dataset."));
  }
  const absl::StatusOr<v1::EvidenceResponse> harmonic = TryHarmonicMean(side, seed, stop);
  if (harmonic.ok()) {
    collected.estimates.push_back({"harmonic mean", harmonic->log_z()});
    for (const int warning : harmonic->warnings()) {
      const auto& so_far = response.warnings();
      if (std::find(so_far.begin(), so_far.end(), warning) != so_far.end()) continue;
      response.add_warnings(static_cast<v1::Warning>(warning));
    }
    if (harmonic->k_hat() > 0.7) {
      response.add_remarks(absl::StrCat("The terms of the ", name, "'s harmonic mean have a heavy tail, Pareto k-hat ",
                                        harmonic->k_hat(), ": it is not to be trusted."));
    }
  } else if (absl::IsCancelled(harmonic.status()) || absl::IsDeadlineExceeded(harmonic.status())) {
    return harmonic.status();
  } else {
    response.add_remarks(absl::StrCat("No harmonic mean of the ", name, ": ", harmonic.status().message(), "."));
  }
  for (size_t i = 0; i < side.given.size(); ++i) {
    const v1::NamedEvidence& given = side.given[i];
    if (given.method().empty() || !std::isfinite(given.log_evidence().value()) ||
        !std::isfinite(given.log_evidence().error()) || given.log_evidence().error() < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, "_evidences[", i, "] is {", given.ShortDebugString(),
                       "}, expected a method, a finite log-evidence and an error of at least 0"));
    }
    collected.estimates.push_back({given.method(), FromLogEvidence(given.log_evidence())});
  }
  if (collected.estimates.empty()) {
    response.add_remarks(absl::StrCat("The ", name, " has no estimate of its evidence, so there is no ratio."));
  }
  return collected;
}

// Difference of the two most discrepant estimates in their combined errors.
double Disagreement(const Side& side) {
  double largest = 0;
  for (size_t a = 0; a < side.estimates.size(); ++a) {
    for (size_t b = a + 1; b < side.estimates.size(); ++b) {
      const v1::Estimate& first = side.estimates[a].log_z;
      const v1::Estimate& second = side.estimates[b].log_z;
      const double difference = std::fabs(first.value() - second.value());
      if (difference == 0) continue;
      largest = std::max(largest, difference / std::hypot(first.error(), second.error()));
    }
  }
  return largest;
}

v1::EvidenceRatioEstimate Pair(const NamedEstimate& numerator, const NamedEstimate& denominator) {
  v1::EvidenceRatioEstimate pair;
  pair.set_numerator_method(numerator.method);
  pair.set_denominator_method(denominator.method);
  const v1::Estimate& a = numerator.log_z;
  const v1::Estimate& b = denominator.log_z;
  v1::Estimate& ratio = *pair.mutable_log_ratio();
  ratio.set_value(a.value() - b.value());
  ratio.set_monte_carlo_error(std::hypot(a.monte_carlo_error(), b.monte_carlo_error()));
  ratio.set_chain_error(std::hypot(a.chain_error(), b.chain_error()));
  ratio.set_approximation_error(std::hypot(a.approximation_error(), b.approximation_error()));
  ratio.set_member_error(std::hypot(a.member_error(), b.member_error()));
  // Where both are known, of the smaller; an estimate from elsewhere says nothing of its size.
  const double smaller = std::min(a.effective_size(), b.effective_size());
  ratio.set_effective_size(smaller > 0 ? smaller : std::max(a.effective_size(), b.effective_size()));
  SetTotalError(ratio);
  return pair;
}

}  // namespace

absl::StatusOr<v1::EvidenceRatioResponse> ComputeEvidenceRatio(const EvidenceSide& numerator,
                                                               const EvidenceSide& denominator, uint64_t seed,
                                                               const StopToken& stop) {
  v1::EvidenceRatioResponse response;
  response.set_seed(seed);
  ABSL_ASSIGN_OR_RETURN(const Side above, Collect(numerator, "numerator", seed, stop, response));
  ABSL_ASSIGN_OR_RETURN(const Side below, Collect(denominator, "denominator", seed, stop, response));
  for (const bool same : {true, false}) {
    for (const NamedEstimate& a : above.estimates) {
      for (const NamedEstimate& b : below.estimates) {
        if ((a.method == b.method) == same) *response.add_estimates() = Pair(a, b);
      }
    }
  }
  const double of_numerator = Disagreement(above);
  const double of_denominator = Disagreement(below);
  response.set_largest_disagreement(std::max(of_numerator, of_denominator));
  if (response.largest_disagreement() > kLargestDisagreement) response.add_warnings(v1::ESTIMATES_DISAGREE);
  if (!above.declared || !below.declared) response.add_warnings(v1::NO_LOG_EVIDENCE);
  return response;
}

}  // namespace creamery
