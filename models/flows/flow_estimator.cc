#include "models/flows/flow_estimator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/plan/interpreter.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

int64_t BytesOf(const Plan& plan) {
  size_t bytes = plan.columns.size() * sizeof(ColumnMap) + plan.whitening.size() * sizeof(double);
  for (const ColumnMap& column : plan.columns) bytes += 3 * column.spline.x.size() * sizeof(double);
  for (const AutoregressiveLayer& layer : plan.layers) {
    bytes += sizeof(layer) + layer.order.size() * sizeof(int64_t);
    for (const Linear& linear : layer.network) {
      bytes += sizeof(linear) + (linear.weight.size() + linear.bias.size()) * sizeof(float);
    }
    for (const auto& degrees : layer.degrees) bytes += degrees.size() * sizeof(int64_t);
  }
  return static_cast<int64_t>(bytes);
}

// The nearest number strictly between the bounds.
double Inside(const Bounds& bounds, double theta) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (theta <= bounds.lower) return std::nextafter(bounds.lower, kInfinity);
  if (theta >= bounds.upper) return std::nextafter(bounds.upper, -kInfinity);
  return theta;
}

}  // namespace

std::string MemberPrefix(int64_t member) { return absl::StrCat("member", member, "/"); }

FlowEstimator::FlowEstimator(v1::ModelVersion description, Plan plan)
    : description_(std::move(description)), plan_(std::move(plan)) {
  for (const v1::Parameter& parameter : description_.signature().parameters()) {
    bounds_.push_back(BoundsOf(parameter));
    names_.push_back(parameter.name());
  }
}

absl::StatusOr<std::unique_ptr<Estimator>> FlowEstimator::Load(v1::ModelVersion description,
                                                               const Safetensors& artifact) {
  const int64_t member = description.training().answering_member();
  if (member < 0) return absl::DataLossError(absl::StrCat("the answering member is ", member));
  ABSL_ASSIGN_OR_RETURN(Plan plan, ReadPlan(artifact, MemberPrefix(member)));
  auto estimator = Create(std::move(description), std::move(plan));
  if (!estimator.ok()) return absl::DataLossError(estimator.status().message());
  return std::unique_ptr<Estimator>(*std::move(estimator));
}

absl::StatusOr<std::unique_ptr<FlowEstimator>> FlowEstimator::Create(v1::ModelVersion description, Plan plan) {
  ABSL_RETURN_IF_ERROR(CheckPlan(plan));
  if (plan.d() != description.signature().parameters_size()) {
    return absl::InternalError(absl::StrCat("the plan has ", plan.d(), " columns, the signature ",
                                            description.signature().parameters_size(), " parameters"));
  }
  return std::unique_ptr<FlowEstimator>(new FlowEstimator(std::move(description), std::move(plan)));
}

int64_t FlowEstimator::memory_bytes() const {
  return static_cast<int64_t>(sizeof(*this)) + BytesOf(plan_) + static_cast<int64_t>(description_.SpaceUsedLong());
}

absl::Status FlowEstimator::LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                                    const StopToken& stop) const {
  const int64_t d = num_parameters();
  ABSL_RETURN_IF_ERROR(CheckFinite("theta", theta, d, names_));
  ABSL_RETURN_IF_ERROR(PlanLogProb(plan_, theta, log_prob, stop));
  for (size_t i = 0; i < theta.size(); ++i) {
    const Bounds& bounds = bounds_[i % d];
    if (theta[i] > bounds.lower && theta[i] < bounds.upper) continue;
    log_prob[i / d] = -std::numeric_limits<double>::infinity();
  }
  return absl::OkStatus();
}

absl::Status FlowEstimator::PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                                           const StopToken& stop) const {
  const int64_t d = num_parameters();
  for (size_t i = 0; i < u.size(); ++i) {
    if (u[i] > 0 && u[i] < 1) continue;
    return absl::InvalidArgumentError(absl::StrCat("u has ", u[i], " in row ", i / d, ", column ", i % d, " (",
                                                   names_[i % d], "), expected numbers strictly between 0 and 1"));
  }
  ABSL_RETURN_IF_ERROR(PlanInverse(plan_, u, theta, stop));
  for (size_t i = 0; i < theta.size(); ++i) theta[i] = Inside(bounds_[i % d], theta[i]);
  return absl::OkStatus();
}

absl::Status FlowEstimator::LogProbGradient(absl::Span<const double>, absl::Span<double>, absl::Span<double>,
                                            const StopToken&) const {
  return absl::UnimplementedError("the gradient of log_prob is not offered by any family yet");
}

absl::Status FlowEstimator::InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                                  const StopToken& stop) const {
  return PlanForward(plan_, theta, u, stop);
}

}  // namespace creamery
