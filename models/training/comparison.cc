#include "models/training/comparison.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/types/span.h"
#include "models/statistics/weights.h"
#include "models/training/member_rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Errors behind the best at which a contender drops out.
constexpr double kBehind = 2;

}  // namespace

Comparison::Comparison(const PreparedData& data, v1::RowKind kind, int64_t members) : data_(data), kind_(kind) {
  for (int64_t member = 0; member < members; ++member) {
    fold_begin_.push_back(static_cast<int64_t>(row_.size()));
    for (const int64_t row : RowsOfMember(data, member).held_out) row_.push_back(row);
  }
  fold_begin_.push_back(static_cast<int64_t>(row_.size()));
  for (const int64_t row : row_) {
    weight_.push_back(data.weight[row]);
    if (!data.chain.empty()) chain_.push_back(data.chain[row]);
  }
}

absl::Status Comparison::Add(DensityTree member, const StopToken& stop, Contender& contender) const {
  const size_t fold = contender.members.size();
  const int64_t d = data_.d();
  std::vector<double> theta;
  for (int64_t i = fold_begin_[fold]; i < fold_begin_[fold + 1]; ++i) {
    theta.insert(theta.end(), data_.theta.begin() + row_[i] * d, data_.theta.begin() + (row_[i] + 1) * d);
  }
  std::vector<double> log_q(theta.size() / d);
  ABSL_RETURN_IF_ERROR(MakeDensity(member)->LogProb(theta, absl::MakeSpan(log_q), stop));
  contender.log_q.insert(contender.log_q.end(), log_q.begin(), log_q.end());
  contender.members.push_back(std::move(member));
  if (!std::isfinite(Mean(contender))) contender.failure = "its density is zero at a held-out row";
  return absl::OkStatus();
}

double Comparison::Mean(const Contender& contender) const {
  return Moments(contender.log_q, absl::MakeConstSpan(weight_).subspan(0, contender.log_q.size())).mean;
}

Comparison::Difference Comparison::Compare(const Contender& a, const Contender& b) const {
  const size_t n = std::min(a.log_q.size(), b.log_q.size());
  std::vector<double> difference(n);
  for (size_t i = 0; i < n; ++i) difference[i] = a.log_q[i] - b.log_q[i];
  const absl::Span<const double> weight = absl::MakeConstSpan(weight_).subspan(0, n);
  const WeightedMoments moments = Moments(difference, weight);
  if (kind_ == v1::MCMC) {
    return {moments.mean,
            ChainError(difference, weight, absl::MakeConstSpan(chain_).subspan(0, chain_.empty() ? 0 : n))};
  }
  return {moments.mean, std::sqrt(moments.variance / KishSize(weight))};
}

int64_t Comparison::Best(const std::vector<Contender>& contenders) const {
  int64_t best = -1;
  for (size_t i = 0; i < contenders.size(); ++i) {
    if (!contenders[i].failure.empty()) continue;
    const auto rank = [&](size_t at) { return std::make_pair(contenders[at].members.size(), Mean(contenders[at])); };
    if (best < 0 || rank(i) > rank(best)) best = static_cast<int64_t>(i);
  }
  return best;
}

std::vector<int64_t> Comparison::StillRunning(const std::vector<Contender>& contenders) const {
  std::vector<int64_t> running;
  const int64_t best = Best(contenders);
  for (size_t i = 0; best >= 0 && i < contenders.size(); ++i) {
    if (!contenders[i].failure.empty() || contenders[i].members.size() < contenders[best].members.size()) continue;
    const Difference behind = Compare(contenders[i], contenders[best]);
    if (behind.mean >= -kBehind * behind.error) running.push_back(static_cast<int64_t>(i));
  }
  return running;
}

std::vector<v1::Candidate> Comparison::Describe(const std::vector<Contender>& contenders) const {
  const int64_t best = Best(contenders);
  std::vector<v1::Candidate> candidates;
  for (size_t i = 0; i < contenders.size(); ++i) {
    const Contender& contender = contenders[i];
    v1::Candidate& candidate = candidates.emplace_back();
    *candidate.mutable_spec() = contender.spec;
    candidate.set_failure(contender.failure);
    candidate.set_chosen(static_cast<int64_t>(i) == best);
    if (best < 0 || contender.log_q.empty() || !std::isfinite(Mean(contender))) continue;
    const Difference difference = Compare(contender, contenders[best]);
    candidate.set_held_out_log_prob(Mean(contenders[best]) + difference.mean);
    candidate.set_difference_error(difference.error);
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const v1::Candidate& a, const v1::Candidate& b) {
    if (a.chosen() != b.chosen()) return a.chosen();
    if (a.failure().empty() != b.failure().empty()) return a.failure().empty();
    return a.held_out_log_prob() > b.held_out_log_prob();
  });
  return candidates;
}

}  // namespace creamery
