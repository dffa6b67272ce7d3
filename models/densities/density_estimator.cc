#include "models/densities/density_estimator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/densities/checked_density.h"
#include "models/densities/mixture_density.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::StatusOr<std::unique_ptr<Estimator>> DensityEstimator::Load(v1::ModelVersion description,
                                                                  const Safetensors& artifact) {
  const int64_t answering = description.training().answering_member();
  if (answering < 0) return absl::DataLossError(absl::StrCat("the answering member is ", answering));
  // Every member has a summary; a description without summaries has at least the one that answers.
  const int64_t count = std::max<int64_t>(description.training().members_size(), answering + 1);
  std::vector<DensityTree> members;
  for (int64_t k = 0; k < count; ++k) {
    ABSL_ASSIGN_OR_RETURN(DensityTree member, ReadDensityTree(artifact, MemberPrefix(k)));
    members.push_back(std::move(member));
  }
  auto estimator = Create(std::move(description), std::move(members));
  if (!estimator.ok()) return absl::DataLossError(estimator.status().message());
  return std::unique_ptr<Estimator>(*std::move(estimator));
}

absl::StatusOr<std::unique_ptr<DensityEstimator>> DensityEstimator::Create(v1::ModelVersion description,
                                                                           std::vector<DensityTree> members) {
  const int64_t answering = description.training().answering_member();
  if (answering < 0 || answering >= static_cast<int64_t>(members.size())) {
    return absl::InternalError(
        absl::StrCat("the answering member is ", answering, ", expected one of ", members.size()));
  }
  std::unique_ptr<DensityEstimator> estimator(new DensityEstimator());
  estimator->description_ = std::move(description);
  const v1::Signature& signature = estimator->description_.signature();
  const std::string& name = estimator->description_.name();
  int64_t bytes = static_cast<int64_t>(sizeof(*estimator) + estimator->description_.SpaceUsedLong());
  std::vector<std::shared_ptr<const Density>> densities;
  for (DensityTree& member : members) {
    ABSL_RETURN_IF_ERROR(CheckDensityTree(member));
    if (member.d() != signature.parameters_size()) {
      return absl::InternalError(absl::StrCat("the density has ", member.d(), " columns, the signature ",
                                              signature.parameters_size(), " parameters"));
    }
    bytes += member.memory_bytes();
    densities.push_back(MakeDensity(std::move(member)));
    bytes += densities.back()->prepared_bytes();
    estimator->owned_.push_back(std::make_unique<CheckedDensity>(densities.back(), signature, name));
    estimator->members_.push_back(estimator->owned_.back().get());
  }
  estimator->memory_bytes_ = bytes;
  estimator->density_ = estimator->members_[answering];
  if (estimator->description_.spec().training().answer() == v1::MEMBER_MIXTURE) {
    const std::vector<double> equal(densities.size(), 1);
    auto mixture = std::make_shared<MixtureDensity>(std::move(densities), equal);
    estimator->owned_.push_back(std::make_unique<CheckedDensity>(std::move(mixture), signature, name));
    estimator->density_ = estimator->owned_.back().get();
  }
  return estimator;
}

}  // namespace creamery
