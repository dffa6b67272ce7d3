// A plan as it is served: column maps, layers and base in vector kernels, ten to a hundred times faster than the
// interpreter, which stays the reference and answers for the few rows that leave the range of float32.
#ifndef CREAMERY_MODELS_PLAN_FUSED_FUSED_PLAN_H_
#define CREAMERY_MODELS_PLAN_FUSED_FUSED_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <variant>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/plan/fused/column_maps.h"
#include "models/plan/fused/packed_plan.h"
#include "models/plan/plan.h"
#include "proto/support/stop_token.h"

namespace creamery {

// Immutable; safe to use from any number of threads. Functions are those of interpreter.h, and agree with it to
// 1e-5 max(1, |log p|) on rows drawn from the plan: a plan whose networks lose more in float32 gets float64, which is
// found out when this is made, on rows drawn from it. Bit-identical whatever n, the thread and the instruction set, of
// those with a fused multiply-add. No memory is allocated once a thread has answered a question of the same sort.
class FusedPlan {
 public:
  // `plan` has passed CheckPlan and must outlive this.
  explicit FusedPlan(const Plan& plan);

  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob, const StopToken& stop) const;
  // log_prob: the bits of LogProb. The gradient agrees with PlanLogProbGradient to some 1e-6, at worst 1e-4, of the
  // row's largest derivative, or of 1 if that is more, where networks are float32; else to rounding.
  absl::Status LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob, absl::Span<double> gradient,
                               const StopToken& stop) const;
  absl::Status Inverse(absl::Span<const double> u, absl::Span<double> theta, const StopToken& stop) const;
  absl::Status Forward(absl::Span<const double> theta, absl::Span<double> u, const StopToken& stop) const;

  // Beside the plan's own.
  int64_t memory_bytes() const { return memory_bytes_; }
  // Whether the networks are computed in float32.
  bool is_float32() const { return std::holds_alternative<PackedPlan<float>>(packed_); }

 private:
  using Packed = std::variant<PackedPlan<float>, PackedPlan<double>>;
  FusedPlan(const Plan& plan, Packed packed);
  static Packed ChoosePrecision(const Plan& plan);

  struct Tile {
    int64_t row;    // the first
    int64_t rows;   // that there are
    int64_t lanes;  // rows of the kernel's shape: 1 or those of packed_plan.h
  };
  // Calls run(packed plan, memory, tile) for all of n rows. Memory: KernelMemory or GradientMemory, of which the
  // largest tile needs `bytes`. `smallest`: lanes where there are few rows.
  template <template <typename> class Memory, typename Run>
  absl::Status ForEachTile(size_t bytes, int64_t n, int64_t smallest, const StopToken& stop, const Run& run) const;

  const Plan& plan_;
  const ColumnMaps maps_;
  const Packed packed_;
  const int64_t memory_bytes_;           // added up once: each question's cost is estimated from it
  const size_t scratch_bytes_;           // what the largest tile needs
  const size_t gradient_scratch_bytes_;  // and that of a gradient
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_FUSED_FUSED_PLAN_H_
