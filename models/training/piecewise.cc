#include "models/training/piecewise.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/training/candidate_spec.h"
#include "models/training/clusters.h"
#include "models/training/flow.h"
#include "models/training/mapped_columns.h"
#include "models/training/whitened_rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Effective rows of a piece for each of its parameters, and one more: a covariance has to be found from them.
constexpr double kRowsPerParameter = 10;
// Rows of a piece that decide when its training stops.
constexpr int64_t kLeastHeldOut = 5;
constexpr int32_t kLeastUnits = 8;

std::vector<double> WeightsOf(const PreparedData& data, const std::vector<int64_t>& use) {
  std::vector<double> weight;
  weight.reserve(use.size());
  for (const int64_t row : use) weight.push_back(data.weight[row]);
  return weight;
}

// The most units for which `pieces` flows have no more weights than one flow of the family's default.
absl::StatusOr<PartOptions> ShareWeights(const v1::EstimatorSpec& spec, const PreparedData& data) {
  PartOptions options = PartOptionsOf(spec.piecewise());
  if (!options.hidden_units.empty()) return options;
  ABSL_ASSIGN_OR_RETURN(const v1::EstimatorSpec whole, PartSpec(spec, options, data));
  FlowShape shape = ShapeOf(whole, data.d());
  const int64_t budget = NumWeights(shape);
  const auto fits = [&] { return NumWeights(shape) * spec.piecewise().pieces() <= budget; };
  while (!shape.hidden_units.empty() && shape.hidden_units[0] > kLeastUnits && !fits()) {
    for (int64_t& units : shape.hidden_units) --units;
  }
  options.hidden_units.assign(shape.hidden_units.begin(), shape.hidden_units.end());
  return options;
}

// Rows of one piece.
struct Piece {
  std::vector<int64_t> train;
  std::vector<int64_t> held_out;
  double weight = 0;  // of its training rows, in a sum of 1 over pieces
};

absl::Status CheckPiece(const PreparedData& data, const Piece& piece, int64_t number, int64_t pieces) {
  const double least = kRowsPerParameter * static_cast<double>(data.d() + 1);
  const double effective = EffectiveRowsOf(data, piece.train);
  if (effective < least) {
    return absl::FailedPreconditionError(
        absl::StrFormat("piece %d of %d has n_eff = %.1f, at least %.0f are needed: use fewer pieces", number, pieces,
                        effective, least));
  }
  if (static_cast<int64_t>(piece.held_out.size()) < kLeastHeldOut) {
    return absl::FailedPreconditionError(
        absl::StrFormat("piece %d of %d has %d held-out rows, at least %d are needed: use fewer pieces, or fewer "
                        "members if not every chain visits every mode",
                        number, pieces, piece.held_out.size(), kLeastHeldOut));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Piece>> FindPieces(const MemberRows& rows, const v1::EstimatorSpec& spec,
                                              const StopToken& stop) {
  const PreparedData& data = *rows.data;
  const int32_t k = spec.piecewise().pieces();
  ABSL_ASSIGN_OR_RETURN(const std::vector<ColumnMap> columns, MappedColumns(data, rows.train, spec, stop));
  ABSL_ASSIGN_OR_RETURN(const WhitenedSpace space, FindWhitenedSpace(columns, data, rows.train));
  const std::vector<double> y = Whiten(space, data, rows.train);
  ABSL_ASSIGN_OR_RETURN(const Clusters clusters,
                        FindClusters(y, data.d(), WeightsOf(data, rows.train), k, spec.training().seed(), stop));
  std::vector<Piece> pieces(k);
  double total = 0;
  const std::vector<int64_t> of_train = clusters.Assign(y);
  for (size_t i = 0; i < of_train.size(); ++i) {
    pieces[of_train[i]].train.push_back(rows.train[i]);
    pieces[of_train[i]].weight += data.weight[rows.train[i]];
    total += data.weight[rows.train[i]];
  }
  const std::vector<int64_t> of_held_out = clusters.Assign(Whiten(space, data, rows.held_out));
  for (size_t i = 0; i < of_held_out.size(); ++i) pieces[of_held_out[i]].held_out.push_back(rows.held_out[i]);
  for (int32_t p = 0; p < k; ++p) {
    pieces[p].weight /= total;
    ABSL_RETURN_IF_ERROR(CheckPiece(data, pieces[p], p, k));
  }
  return pieces;
}

}  // namespace

absl::StatusOr<DensityTree> FitPiecewise(const MemberRows& rows, const v1::EstimatorSpec& spec, FlowTraining& flows) {
  ABSL_RETURN_IF_ERROR(flows.stop().Check());
  ABSL_ASSIGN_OR_RETURN(const PartOptions options, ShareWeights(spec, *rows.data));
  ABSL_ASSIGN_OR_RETURN(const v1::EstimatorSpec flow, PartSpec(spec, options, *rows.data));
  if (spec.piecewise().pieces() == 1) return FitFlow(rows, flow, flows);
  ABSL_ASSIGN_OR_RETURN(const std::vector<Piece> pieces, FindPieces(rows, spec, flows.stop()));
  std::vector<FlowTask> tasks;
  DensityTree tree;
  tree.kind = DensityTree::Kind::kMixture;
  for (const Piece& piece : pieces) {
    tasks.push_back({absl::StrCat("piece", tasks.size()), flow, rows.data, piece.train, piece.held_out});
    tree.weight.push_back(piece.weight);
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<Plan> plans, flows.Train(tasks));
  for (Plan& plan : plans) tree.children.push_back(FlowTree(std::move(plan)));
  return tree;
}

void VaryPiecewise(const Trial& trial, v1::EstimatorSpec& spec) {
  VaryTraining(trial, *spec.mutable_training());
  VaryLayers(trial, *spec.mutable_piecewise());
  VaryBins(trial, *spec.mutable_piecewise());
}

absl::StatusOr<std::vector<v1::EstimatorSpec>> PiecewiseCandidates(const MemberRows& rows,
                                                                   const v1::EstimatorSpec& spec,
                                                                   const StopToken& /*stop*/) {
  std::vector<v1::EstimatorSpec> candidates;
  if (spec.piecewise().has_pieces()) return candidates;
  for (int32_t k = 1; k <= spec.piecewise().max_pieces(); ++k) {
    v1::EstimatorSpec candidate = spec;
    candidate.mutable_piecewise()->set_pieces(k);
    ABSL_ASSIGN_OR_RETURN(candidate, CompleteFor(candidate, *rows.data));
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

absl::StatusOr<std::vector<int32_t>> PiecesBySilhouette(const MemberRows& rows, const v1::EstimatorSpec& spec,
                                                        int32_t most, const StopToken& stop) {
  const PreparedData& data = *rows.data;
  ABSL_ASSIGN_OR_RETURN(const std::vector<ColumnMap> columns, MappedColumns(data, rows.train, spec, stop));
  ABSL_ASSIGN_OR_RETURN(const WhitenedSpace space, FindWhitenedSpace(columns, data, rows.train));
  const std::vector<double> y = Whiten(space, data, rows.train);
  const std::vector<double> weight = WeightsOf(data, rows.train);
  std::vector<std::pair<double, int32_t>> found;  // minus the silhouette
  for (int32_t k = 2; k <= most; ++k) {
    const auto clusters = FindClusters(y, data.d(), weight, k, spec.training().seed(), stop);
    if (absl::IsFailedPrecondition(clusters.status())) break;  // fewer distinct rows than pieces
    ABSL_RETURN_IF_ERROR(clusters.status());
    found.emplace_back(-Silhouette(*clusters, y, weight, spec.training().seed()), k);
  }
  std::sort(found.begin(), found.end());
  std::vector<int32_t> pieces;
  pieces.reserve(found.size());
  for (const auto& [silhouette, k] : found) pieces.push_back(k);
  return pieces;
}

}  // namespace creamery
