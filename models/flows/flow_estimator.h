// A trained normalising flow, of any family that is a plan: `maf` and `nsf`.
#ifndef CREAMERY_MODELS_FLOWS_FLOW_ESTIMATOR_H_
#define CREAMERY_MODELS_FLOWS_FLOW_ESTIMATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/model.pb.h"
#include "models/estimator.h"
#include "models/plan/plan.h"
#include "proto/support/rows.h"
#include "proto/support/safetensors.h"

namespace creamery {

// Prefix of a member's tensors in an artifact: "member0/".
std::string MemberPrefix(int64_t member);

// Immutable; safe to use from any number of threads.
class FlowEstimator final : public Estimator, public Density {
 public:
  // The answering member of an artifact, which is the one that is read. DATA_LOSS if description and plan do not fit.
  static absl::StatusOr<std::unique_ptr<Estimator>> Load(v1::ModelVersion description, const Safetensors& artifact);
  // From a plan in hand. INTERNAL if CheckPlan refuses it or it has not the signature's number of parameters.
  static absl::StatusOr<std::unique_ptr<FlowEstimator>> Create(v1::ModelVersion description, Plan plan);

  const v1::ModelVersion& description() const override { return description_; }
  int64_t memory_bytes() const override;
  const Density* density() const override { return this; }

  int64_t num_parameters() const override { return plan_.d(); }
  // INVALID_ARGUMENT naming the row for NaN or infinity in theta. -inf on or outside the signature's bounds.
  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                       const StopToken& stop) const override;
  // INVALID_ARGUMENT naming the row for u not in (0, 1). theta lies strictly inside the signature's bounds.
  absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                              const StopToken& stop) const override;
  absl::Status LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob, absl::Span<double> gradient,
                               const StopToken& stop) const override;
  absl::Status InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                     const StopToken& stop) const override;

 private:
  FlowEstimator(v1::ModelVersion description, Plan plan);

  const v1::ModelVersion description_;
  const Plan plan_;
  std::vector<Bounds> bounds_;
  std::vector<std::string> names_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_FLOWS_FLOW_ESTIMATOR_H_
