// A trained density of any family: all members in memory, one of them or their mixture answering.
#ifndef CREAMERY_MODELS_DENSITIES_DENSITY_ESTIMATOR_H_
#define CREAMERY_MODELS_DENSITIES_DENSITY_ESTIMATOR_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/model.pb.h"
#include "models/densities/density_tree.h"
#include "models/estimator.h"
#include "proto/support/safetensors.h"

namespace creamery {

// Immutable; safe to use from any number of threads. density() and members() check rows as CheckedDensity does.
class DensityEstimator final : public Estimator {
 public:
  // All members of an artifact. DATA_LOSS if one cannot be read or does not fit the description.
  static absl::StatusOr<std::unique_ptr<Estimator>> Load(v1::ModelVersion description, const Safetensors& artifact);
  // From members in hand, `training.answering_member` of which answers, or the equal mixture of all if
  // `spec.training.answer` is MEMBER_MIXTURE. INTERNAL if CheckDensityTree refuses one, if one has not the signature's
  // number of parameters, or if the answering member is not among them.
  static absl::StatusOr<std::unique_ptr<DensityEstimator>> Create(v1::ModelVersion description,
                                                                  std::vector<DensityTree> members);

  const v1::ModelVersion& description() const override { return description_; }
  int64_t memory_bytes() const override { return memory_bytes_; }
  const Density* density() const override { return density_; }
  absl::Span<const Density* const> members() const override { return members_; }

 private:
  DensityEstimator() = default;

  v1::ModelVersion description_;
  int64_t memory_bytes_ = 0;
  std::vector<std::unique_ptr<const Density>> owned_;  // the members, and their mixture if it answers
  std::vector<const Density*> members_;
  const Density* density_ = nullptr;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_DENSITIES_DENSITY_ESTIMATOR_H_
