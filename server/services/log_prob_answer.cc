#include "server/services/log_prob_answer.h"

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "models/densities/prior_density.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"
#include "server/row_blocks.h"
#include "server/services/questions.h"

namespace creamery {
namespace {

// A gradient costs about three evaluations.
constexpr int kGradientCost = 3;

// The members that a spread is taken over, with the same share of the prior as the answer.
absl::StatusOr<std::vector<std::unique_ptr<Density>>> MixMembers(const ServedModel& model, double prior_fraction) {
  const absl::Span<const Density* const> members = model.estimator->members();
  if (members.size() < 2) {
    return absl::FailedPreconditionError(absl::StrCat(model.version, " holds ", members.size(),
                                                      " member, and a spread needs at least two: train again"));
  }
  std::vector<std::unique_ptr<Density>> mixed;
  for (const Density* member : members) {
    ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Density> density,
                          MixWithPrior(*member, model.estimator->description().signature(), prior_fraction));
    mixed.push_back(std::move(density));
  }
  return mixed;
}

// Standard deviation over members, of one row of log_prob (members, n).
double SpreadOfRow(const std::vector<double>& log_prob, size_t n, size_t row) {
  const size_t members = log_prob.size() / n;
  double mean = 0;
  for (size_t k = 0; k < members; ++k) mean += log_prob[k * n + row];
  mean /= static_cast<double>(members);
  if (!std::isfinite(mean)) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (size_t k = 0; k < members; ++k) {
    const double deviation = log_prob[k * n + row] - mean;
    sum += deviation * deviation;
  }
  return std::sqrt(sum / static_cast<double>(members - 1));
}

// From the model's order of columns to the asked one.
absl::StatusOr<std::vector<double>> InAskedOrder(const v1::LogProbRequest& request,
                                                 const std::vector<std::string>& names, std::vector<double> gradient) {
  if (request.columns().empty()) return gradient;
  const std::vector<std::string> asked(request.columns().begin(), request.columns().end());
  ABSL_ASSIGN_OR_RETURN(const std::vector<int> place, MatchColumns(asked, names));
  std::vector<double> ordered(gradient.size());
  for (size_t row = 0; row < gradient.size(); row += names.size()) {
    for (size_t i = 0; i < names.size(); ++i) ordered[row + place[i]] = gradient[row + i];
  }
  return ordered;
}

}  // namespace

int64_t ReplyBytesPerRow(const v1::LogProbRequest& request, int64_t d) {
  return static_cast<int64_t>(sizeof(double)) * (1 + (request.gradient() ? d : 0) + (request.spread() ? 1 : 0));
}

absl::Duration EstimatedLogProbCost(const v1::LogProbRequest& request, const Estimator& estimator, int64_t rows) {
  const int64_t evaluations = (request.gradient() ? kGradientCost : 1) +
                              (request.spread() ? static_cast<int64_t>(estimator.members().size()) : 0);
  return EstimatedCost(estimator, rows) * evaluations;
}

absl::Status AnswerLogProb(const v1::LogProbRequest& request, const ServedModel& model,
                           const std::vector<double>& theta, ComputePool& pool, const StopToken& stop,
                           v1::LogProbResponse* response) {
  ABSL_ASSIGN_OR_RETURN(const Density* trained, DensityOf(model));
  const v1::Signature& signature = model.estimator->description().signature();
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<Density> density,
                        MixWithPrior(*trained, signature, request.prior_fraction()));
  std::vector<std::unique_ptr<Density>> members;
  if (request.spread()) {
    ABSL_ASSIGN_OR_RETURN(members, MixMembers(model, request.prior_fraction()));
  }
  const int64_t d = density->num_parameters();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  std::vector<double> log_prob(n);
  std::vector<double> gradient(request.gradient() ? n * d : 0);
  std::vector<double> of_members(n * members.size());
  const auto evaluate = [&](int64_t begin, int64_t end) -> absl::Status {
    const absl::Span<const double> points = absl::MakeConstSpan(theta).subspan(begin * d, (end - begin) * d);
    const absl::Span<double> values = absl::MakeSpan(log_prob).subspan(begin, end - begin);
    if (request.gradient()) {
      const absl::Span<double> slopes = absl::MakeSpan(gradient).subspan(begin * d, (end - begin) * d);
      ABSL_RETURN_IF_ERROR(density->LogProbGradient(points, values, slopes, stop));
    } else {
      ABSL_RETURN_IF_ERROR(density->LogProb(points, values, stop));
    }
    for (size_t k = 0; k < members.size(); ++k) {
      ABSL_RETURN_IF_ERROR(members[k]->LogProb(
          points, absl::MakeSpan(of_members).subspan(static_cast<int64_t>(k) * n + begin, end - begin), stop));
    }
    return absl::OkStatus();
  };
  ABSL_RETURN_IF_ERROR(ForRowBlocks(pool, n, EstimatedLogProbCost(request, *model.estimator, 1), evaluate));

  *response->mutable_log_prob() = FromDoubles(log_prob, {n});
  if (request.gradient()) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> ordered,
                          InAskedOrder(request, ParameterNames(model), std::move(gradient)));
    *response->mutable_gradient() = FromDoubles(ordered, {n, d});
  }
  if (request.spread()) {
    std::vector<double> spread(n);
    for (int64_t row = 0; row < n; ++row) spread[row] = SpreadOfRow(of_members, n, row);
    *response->mutable_spread() = FromDoubles(spread, {n});
  }
  response->set_model_version(model.version);
  for (const v1::Warning warning : WarningsOf(model, log_prob)) response->add_warnings(warning);
  return absl::OkStatus();
}

}  // namespace creamery
