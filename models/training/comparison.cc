#include "models/training/comparison.h"

#include <algorithm>
#include <cmath>

#include "absl/types/span.h"
#include "models/statistics/weights.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Standard error of the weighted mean of `value` over the held-out rows.
double MeanError(const std::vector<double>& value, const MemberRows& rows, v1::RowKind kind) {
  std::vector<double> weight;
  std::vector<int64_t> chain;
  for (const int64_t row : rows.held_out) {
    weight.push_back(rows.data->weight[row]);
    if (!rows.data->chain.empty()) chain.push_back(rows.data->chain[row]);
  }
  if (kind == v1::MCMC) return ChainError(value, weight, chain);
  return std::sqrt(Moments(value, weight).variance / KishSize(weight));
}

}  // namespace

absl::Status Evaluate(const MemberRows& rows, const StopToken& stop, Contender& contender) {
  const PreparedData& data = *rows.data;
  std::vector<double> theta;
  std::vector<double> weight;
  for (const int64_t row : rows.held_out) {
    theta.insert(theta.end(), data.theta.begin() + row * data.d(), data.theta.begin() + (row + 1) * data.d());
    weight.push_back(data.weight[row]);
  }
  contender.log_q.resize(rows.held_out.size());
  ABSL_RETURN_IF_ERROR(MakeDensity(contender.first)->LogProb(theta, absl::MakeSpan(contender.log_q), stop));
  contender.mean = Moments(contender.log_q, weight).mean;
  if (!std::isfinite(contender.mean)) contender.failure = "its density is zero at a held-out row";
  return absl::OkStatus();
}

void SortByHeldOut(std::vector<Contender>& contenders) {
  std::stable_sort(contenders.begin(), contenders.end(), [](const Contender& a, const Contender& b) {
    if (a.failure.empty() != b.failure.empty()) return a.failure.empty();
    return a.failure.empty() && a.mean > b.mean;
  });
}

std::vector<v1::Candidate> Describe(const std::vector<Contender>& contenders, const MemberRows& rows,
                                    v1::RowKind kind) {
  std::vector<v1::Candidate> candidates;
  const Contender& best = contenders.front();
  for (const Contender& contender : contenders) {
    v1::Candidate& candidate = candidates.emplace_back();
    *candidate.mutable_spec() = contender.spec;
    candidate.set_failure(contender.failure);
    if (contender.log_q.empty() || !std::isfinite(contender.mean)) continue;
    candidate.set_held_out_log_prob(contender.mean);
    if (&contender == &best) continue;
    std::vector<double> difference;
    for (size_t i = 0; i < best.log_q.size(); ++i) difference.push_back(contender.log_q[i] - best.log_q[i]);
    candidate.set_difference_error(MeanError(difference, rows, kind));
  }
  candidates.front().set_chosen(best.failure.empty());
  return candidates;
}

}  // namespace creamery
