#include "server/services/log_prob_answer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"
#include "server/row_blocks.h"
#include "server/services/questions.h"

namespace creamery {
namespace {

// A gradient costs about three evaluations.
constexpr int kGradientCost = 3;

int64_t ReplyBytesPerRow(const v1::LogProbRequest& request, int64_t d) {
  return static_cast<int64_t>(sizeof(double)) * (1 + (request.gradient() ? d : 0) + (request.spread() ? 1 : 0));
}

absl::Duration CostOfRows(const v1::LogProbRequest& request, const Estimator& estimator, int64_t rows) {
  const int64_t evaluations = (request.gradient() ? kGradientCost : 1) +
                              (request.spread() ? static_cast<int64_t>(estimator.members().size()) : 0);
  return EstimatedCost(estimator, rows, request.precision()) * evaluations;
}

// The members that a spread is taken over, each with the arithmetic and the share of the prior of the answer.
absl::StatusOr<std::vector<Answering>> AnsweringMembers(const v1::LogProbRequest& request, const ServedModel& model) {
  const absl::Span<const Density* const> members = model.estimator->members();
  if (members.size() < 2) {
    return absl::FailedPreconditionError(absl::StrCat(model.version, " holds ", members.size(),
                                                      " member, and a spread needs at least two: train again"));
  }
  std::vector<Answering> all;
  for (const Density* member : members) {
    ABSL_ASSIGN_OR_RETURN(Answering answering,
                          AnswerWith(*member, model, request.precision(), request.prior_fraction()));
    all.push_back(std::move(answering));
  }
  return all;
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

// From the model's order of columns, (n, names), to the asked one, in place.
absl::Status PutInAskedOrder(const v1::LogProbRequest& request, const std::vector<std::string>& names,
                             absl::Span<double> gradient) {
  const std::vector<std::string> asked(request.columns().begin(), request.columns().end());
  ABSL_ASSIGN_OR_RETURN(const std::vector<int> place, MatchColumns(asked, names));
  std::vector<double> row(names.size());
  for (size_t begin = 0; begin < gradient.size(); begin += names.size()) {
    for (size_t i = 0; i < names.size(); ++i) row[place[i]] = gradient[begin + i];
    std::copy(row.begin(), row.end(), gradient.begin() + begin);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Duration EstimatedLogProbCost(const v1::LogProbRequest& request, const Estimator& estimator) {
  return CostOfRows(request, estimator, std::max<int64_t>(ClaimedRows(request.theta()), 0));
}

absl::Status AnswerLogProb(const v1::LogProbRequest& request, const ServedModel& model, const Limits& limits,
                           ComputePool& pool, const StopToken& stop, v1::LogProbResponse* response) {
  ABSL_RETURN_IF_ERROR(CheckContext(model, request.has_x()));
  ABSL_ASSIGN_OR_RETURN(const Density* trained, DensityOf(model));
  ABSL_ASSIGN_OR_RETURN(const Answering answering,
                        AnswerWith(*trained, model, request.precision(), request.prior_fraction()));
  std::vector<Answering> members;
  if (request.spread()) {
    ABSL_ASSIGN_OR_RETURN(members, AnsweringMembers(request, model));
  }
  const int64_t d = trained->num_parameters();
  const auto names = [&model] { return ParameterNames(model); };
  ABSL_ASSIGN_OR_RETURN(const Points theta,
                        ReadTheta(d, names, request.theta(), request.columns(), limits, ReplyBytesPerRow(request, d)));
  const int64_t n = static_cast<int64_t>(theta.values.size()) / d;
  // The answers are computed where the response keeps them.
  const absl::Span<double> log_prob = MutableDoubles({n}, response->mutable_log_prob());
  absl::Span<double> gradient;
  if (request.gradient()) gradient = MutableDoubles({n, d}, response->mutable_gradient());
  std::vector<double> of_members(n * members.size());
  const auto evaluate = [&](int64_t begin, int64_t end) -> absl::Status {
    const absl::Span<const double> points = theta.values.subspan(begin * d, (end - begin) * d);
    const absl::Span<double> values = log_prob.subspan(begin, end - begin);
    if (request.gradient()) {
      const absl::Span<double> slopes = gradient.subspan(begin * d, (end - begin) * d);
      ABSL_RETURN_IF_ERROR(answering.density->LogProbGradient(points, values, slopes, stop));
    } else {
      ABSL_RETURN_IF_ERROR(answering.density->LogProb(points, values, stop));
    }
    for (size_t k = 0; k < members.size(); ++k) {
      ABSL_RETURN_IF_ERROR(members[k].density->LogProb(
          points, absl::MakeSpan(of_members).subspan(static_cast<int64_t>(k) * n + begin, end - begin), stop));
    }
    return absl::OkStatus();
  };
  ABSL_RETURN_IF_ERROR(
      n == 1 ? evaluate(0, 1)
             : ForRowBlocks(pool, n, CostOfRows(request, *model.estimator, n) / std::max<int64_t>(n, 1), evaluate));

  if (request.gradient() && !request.columns().empty()) {
    ABSL_RETURN_IF_ERROR(PutInAskedOrder(request, names(), gradient));
  }
  if (request.spread()) {
    const absl::Span<double> spread = MutableDoubles({n}, response->mutable_spread());
    for (int64_t row = 0; row < n; ++row) spread[row] = SpreadOfRow(of_members, n, row);
  }
  response->set_model_version(model.version);
  for (const v1::Warning warning : WarningsOf(model, log_prob)) response->add_warnings(warning);
  return absl::OkStatus();
}

}  // namespace creamery
