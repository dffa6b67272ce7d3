#include "models/training_cost.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "models/families.h"

namespace creamery {
namespace {

// Bytes for each weight of a network.
//   while it is trained: its masks, steps and first weights, in vectors and tensors (28: vectors that grow hold more
//   than they need), weights, average, best, and both moments (20), as much again as the last state to go back to, a
//   gradient (4), and a checkpoint of all of them being written (40)
constexpr int64_t kTrainedBytes = 28 + 20 + 20 + 4 + 40;
//   when it is done: what answers, in the state and as a plan (12)
constexpr int64_t kDoneBytes = 12;
//   at the end, of all members: packed for evaluation (8), and in the artifact, tensor by tensor and as a file (12)
constexpr int64_t kFinishBytes = 20;
// A trial of a search has at most twice the layers and twice the units of what it varies.
constexpr int64_t kTrialFactor = 8;

// All networks of a training: how many weights the largest has, and all that are kept until the end together.
struct Networks {
  int64_t largest = 0;
  int64_t kept = 0;
  int64_t answering = 0;  // of those kept, what the artifact can hold
};

template <typename Flow>
int64_t NumWeights(int64_t d, const Flow& flow, int64_t outputs) {
  int64_t below = d;
  int64_t layer = 0;
  // A flow of one parameter has no hidden units.
  for (int i = 0; d > 1 && i < flow.hidden_units_size(); ++i) {
    layer += (below + 1) * flow.hidden_units(i);
    below = flow.hidden_units(i);
  }
  return flow.transforms() * (layer + (below + 1) * d * outputs);
}
int64_t SplineOutputs(int64_t bins) { return 3 * bins + 1; }

// Options that are not given are those of a whole flow.
template <typename Parts>
int64_t NumWeightsOfPart(int64_t d, const Parts& parts) {
  v1::EstimatorSpec whole;
  const auto set = [&](auto& flow) {
    if (parts.transforms() > 0) flow.set_transforms(parts.transforms());
    *flow.mutable_hidden_units() = parts.hidden_units();
  };
  v1::Dataset schema;
  std::vector<std::string> names;
  for (int64_t i = 0; i < d; ++i) schema.add_parameters()->set_name(absl::StrFormat("p%d", i));
  if (parts.family() == "nsf" || d == 1) {
    set(*whole.mutable_nsf());
    if (parts.bins() > 0) whole.mutable_nsf()->set_bins(parts.bins());
  } else {
    set(*whole.mutable_maf());
  }
  const auto complete = CompleteSpec(whole, schema, {});
  if (!complete.ok()) return 0;  // refused with its reason when it is trained
  return complete->has_nsf() ? NumWeights(d, complete->nsf(), SplineOutputs(complete->nsf().bins()))
                             : NumWeights(d, complete->maf(), 2);
}

Networks OfMembers(int64_t weights, int64_t networks, int64_t members) {
  return {weights, weights * networks * members, weights * networks * members};
}

Networks NetworksOf(const v1::EstimatorSpec& spec, int64_t d, int64_t rows);

Networks PiecewiseNetworks(const v1::PiecewiseSpec& piecewise, int64_t d, int64_t members) {
  const int64_t whole = NumWeightsOfPart(d, piecewise);
  const bool shared = piecewise.hidden_units().empty();  // pieces share the weights of one flow
  Networks sum;
  const int64_t first = piecewise.has_pieces() ? piecewise.pieces() : 1;
  const int64_t last = piecewise.has_pieces() ? piecewise.pieces() : piecewise.max_pieces();
  for (int64_t pieces = first; pieces <= last; ++pieces) {
    const Networks one = OfMembers(shared ? whole / pieces + 1 : whole, pieces, members);
    sum.largest = std::max(sum.largest, one.largest);
    sum.kept += one.kept;
    sum.answering = std::max(sum.answering, one.answering);
  }
  return sum;
}

Networks BlocksNetworks(const v1::BlocksSpec& blocks, int64_t d, int64_t members) {
  // Blocks that are not given may turn out to be one.
  if (blocks.blocks().empty()) return OfMembers(NumWeightsOfPart(d, blocks), 1, members);
  Networks sum;
  for (const std::string& names : blocks.blocks()) {
    const std::vector<std::string> block = absl::StrSplit(names, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
    const Networks one = OfMembers(NumWeightsOfPart(static_cast<int64_t>(block.size()), blocks), 1, members);
    sum.largest = std::max(sum.largest, one.largest);
    sum.kept += one.kept;
    sum.answering += one.answering;
  }
  return sum;
}

Networks AutoNetworks(const v1::EstimatorSpec& spec, int64_t d, int64_t rows) {
  std::vector<std::string> candidates(spec.auto_().candidates().begin(), spec.auto_().candidates().end());
  if (candidates.empty()) candidates = {"nsf", "maf", "piecewise", "blocks"};
  v1::Dataset schema;
  for (int64_t i = 0; i < d; ++i) schema.add_parameters()->set_name(absl::StrFormat("p%d", i));
  schema.set_num_rows(rows);
  Networks sum;
  int64_t best = 0;
  for (const std::string& family : candidates) {
    v1::EstimatorSpec candidate;
    *candidate.mutable_training() = spec.training();
    const auto* field = v1::EstimatorSpec::descriptor()->FindFieldByName(family);
    if (field == nullptr || field->message_type() == nullptr) continue;
    candidate.GetReflection()->MutableMessage(&candidate, field);
    const auto complete = CompleteSpec(candidate, schema, {});
    if (!complete.ok()) continue;
    const Networks one = NetworksOf(*complete, d, rows);
    sum.largest = std::max(sum.largest, one.largest);
    sum.kept += one.kept;
    sum.answering = std::max(sum.answering, one.answering);
    best = std::max(best, one.answering / spec.training().members());
  }
  if (spec.auto_().trials() == 0) return sum;
  sum.largest *= kTrialFactor;
  sum.answering *= kTrialFactor;
  sum.kept += spec.auto_().trials() * 2 * best;  // on average
  return sum;
}

Networks NetworksOf(const v1::EstimatorSpec& spec, int64_t d, int64_t rows) {
  const int64_t members = spec.training().members();
  switch (spec.family_case()) {
    case v1::EstimatorSpec::kMaf:
      return OfMembers(NumWeights(d, spec.maf(), 2), 1, members);
    case v1::EstimatorSpec::kNsf:
      return OfMembers(NumWeights(d, spec.nsf(), SplineOutputs(spec.nsf().bins())), 1, members);
    case v1::EstimatorSpec::kPiecewise:
      return PiecewiseNetworks(spec.piecewise(), d, members);
    case v1::EstimatorSpec::kBlocks:
      return BlocksNetworks(spec.blocks(), d, members);
    case v1::EstimatorSpec::kAuto:
      return AutoNetworks(spec, d, rows);
    case v1::EstimatorSpec::kKde:
      // Centres are rows: they count as such.
    case v1::EstimatorSpec::FAMILY_NOT_SET:
      break;
  }
  return {};
}

std::string Gibibytes(int64_t bytes) { return absl::StrFormat("%.1f GiB", static_cast<double>(bytes) / (1 << 30)); }

}  // namespace

TrainingCost EstimateTrainingCost(const v1::EstimatorSpec& spec, int64_t d, int64_t columns, int64_t rows,
                                  int64_t threads) {
  const int64_t members = spec.training().members();
  const Networks networks = NetworksOf(spec, d, rows);
  // Pieces, blocks and candidates are trained side by side too where there are threads left.
  const bool one_each = spec.has_maf() || spec.has_nsf();
  const int64_t at_once = std::max<int64_t>(1, one_each ? std::min(threads, members) : threads);
  TrainingCost cost;
  cost.weights = networks.largest;
  const int64_t training = at_once * networks.largest * kTrainedBytes + networks.kept * kDoneBytes;
  const int64_t finish = networks.kept * kDoneBytes + networks.answering * kFinishBytes;
  cost.network_bytes = std::max(training, finish);
  // float64 as they come, in a message and as columns, and those kept; for each network at work float32 of its layers,
  // a column while it is mapped and the order of the rows; weights and folds; a log-density from every member.
  cost.row_bytes = rows * (8 * 2 * (columns + 4) + 8 * d + 64 + at_once * (4 * d + 32) + 16 * members);
  if (spec.has_kde()) cost.row_bytes += members * std::min<int64_t>(rows, spec.kde().kernels()) * (d + 1) * 24;
  return cost;
}

absl::Status CheckTrainingCost(const v1::EstimatorSpec& spec, const v1::Dataset& dataset, int64_t num_parameters,
                               int64_t threads, int64_t max_bytes, absl::string_view limit_name) {
  if (max_bytes == 0) return absl::OkStatus();
  const TrainingCost cost =
      EstimateTrainingCost(spec, num_parameters, dataset.parameters_size(), dataset.num_rows(), threads);
  if (cost.bytes() <= max_bytes) return absl::OkStatus();
  const bool rows = cost.row_bytes > cost.network_bytes;
  return absl::ResourceExhaustedError(absl::StrFormat(
      "this training would take about %s of memory, more than the %s that %s allows: %s for networks of up to %d "
      "weights "
      "(%d members) and %s for %d rows of %d columns; %s",
      Gibibytes(cost.bytes()), Gibibytes(max_bytes), limit_name, Gibibytes(cost.network_bytes), cost.weights,
      spec.training().members(), Gibibytes(cost.row_bytes), dataset.num_rows(), dataset.parameters_size(),
      rows ? "give fewer rows or columns, for example thinned"
           : "use fewer transforms, hidden_units, bins or members"));
}

}  // namespace creamery
