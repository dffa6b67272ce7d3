#include "models/training/auto.h"

#include <algorithm>
#include <string>
#include <utility>

#include "models/training/blocks.h"
#include "models/training/candidate_spec.h"
#include "models/training/piecewise.h"
#include "models/training/trainers.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int64_t kMostParametersOfKernels = 3;
constexpr int64_t kLeastParametersOfBlocks = 4;
constexpr size_t kNumbersOfPieces = 2;

absl::StatusOr<v1::EstimatorSpec> Complete(const std::string& family, const v1::EstimatorSpec& spec,
                                           const PreparedData& data) {
  ABSL_ASSIGN_OR_RETURN(const v1::EstimatorSpec candidate, SpecOfFamily(family, spec, data));
  return CompleteFor(candidate, data);
}

absl::StatusOr<std::vector<v1::EstimatorSpec>> NamedCandidates(const MemberRows& rows, const v1::EstimatorSpec& spec,
                                                               const StopToken& stop) {
  std::vector<v1::EstimatorSpec> candidates;
  for (const std::string& name : spec.auto_().candidates()) {
    ABSL_ASSIGN_OR_RETURN(v1::EstimatorSpec candidate, Complete(name, spec, *rows.data));
    if (candidate.has_auto_()) return absl::InvalidArgumentError("auto.candidates: 'auto' cannot be its own candidate");
    ABSL_ASSIGN_OR_RETURN(const Trainer* trainer, FindTrainer(candidate));
    std::vector<v1::EstimatorSpec> own;
    if (trainer->candidates != nullptr) {
      ABSL_ASSIGN_OR_RETURN(own, trainer->candidates(rows, candidate, stop));
    }
    if (own.empty()) own.push_back(std::move(candidate));
    candidates.insert(candidates.end(), own.begin(), own.end());
  }
  return candidates;
}

}  // namespace

absl::StatusOr<std::vector<v1::EstimatorSpec>> AutoCandidates(const MemberRows& rows, const v1::EstimatorSpec& spec,
                                                              const StopToken& stop) {
  if (!spec.auto_().candidates().empty()) return NamedCandidates(rows, spec, stop);
  const PreparedData& data = *rows.data;
  std::vector<v1::EstimatorSpec> candidates;
  const auto add = [&](const std::string& family) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(v1::EstimatorSpec candidate, Complete(family, spec, data));
    candidates.push_back(std::move(candidate));
    return absl::OkStatus();
  };
  ABSL_RETURN_IF_ERROR(add("nsf"));
  if (data.d() > 1) {
    ABSL_RETURN_IF_ERROR(add("maf"));
    ABSL_ASSIGN_OR_RETURN(const v1::EstimatorSpec piecewise, Complete("piecewise", spec, data));
    ABSL_ASSIGN_OR_RETURN(std::vector<int32_t> pieces,
                          PiecesBySilhouette(rows, piecewise, piecewise.piecewise().max_pieces(), stop));
    // Two pieces at least, which silhouettes of curved modes do not favour.
    if (pieces.size() > kNumbersOfPieces) pieces.resize(kNumbersOfPieces);
    if (!pieces.empty() && std::find(pieces.begin(), pieces.end(), 2) == pieces.end()) pieces.back() = 2;
    for (const int32_t k : pieces) {
      v1::EstimatorSpec candidate = piecewise;
      candidate.mutable_piecewise()->set_pieces(k);
      ABSL_ASSIGN_OR_RETURN(candidate, CompleteFor(candidate, data));
      candidates.push_back(std::move(candidate));
    }
  }
  if (data.d() <= kMostParametersOfKernels) ABSL_RETURN_IF_ERROR(add("kde"));
  if (data.d() >= kLeastParametersOfBlocks) {
    ABSL_ASSIGN_OR_RETURN(const v1::EstimatorSpec blocks, Complete("blocks", spec, data));
    ABSL_ASSIGN_OR_RETURN(const auto found, BlocksOf(rows, blocks, stop));
    if (found.size() > 1) candidates.push_back(blocks);
  }
  return candidates;
}

}  // namespace creamery
