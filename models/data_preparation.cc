#include "models/data_preparation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/degenerate_rows.h"
#include "models/random.h"
#include "models/statistics/held_out.h"
#include "models/statistics/scale.h"
#include "models/statistics/weights.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

absl::StatusOr<std::vector<int>> SelectColumns(const v1::Dataset& dataset, absl::Span<const std::string> names) {
  std::vector<int> columns;
  std::vector<std::string> known;
  for (int j = 0; j < dataset.parameters_size(); ++j) {
    known.push_back(dataset.parameters(j).name());
    if (names.empty()) columns.push_back(j);
  }
  for (const std::string& name : names) {
    const auto it = std::find(known.begin(), known.end(), name);
    if (it == known.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameters: the dataset has no '", name, "'; it has ", absl::StrJoin(known, ", ")));
    }
    columns.push_back(static_cast<int>(it - known.begin()));
  }
  return columns;
}

absl::StatusOr<std::vector<double>> FindWeights(const v1::Dataset& dataset, const RowBlock& rows) {
  if (!rows.weight.empty()) return rows.weight;
  if (dataset.row_kind() != v1::NESTED_SAMPLING) return std::vector<double>(rows.num_rows, 1.0);
  ABSL_ASSIGN_OR_RETURN(const NestedRun run, NestedRun::Create(rows.log_likelihood, rows.log_likelihood_birth));
  return MeanOneWeights(run.LogWeights());
}

std::vector<int64_t> FoldsByChains(int64_t n, absl::Span<const int64_t> chain, int64_t members) {
  std::map<int64_t, std::vector<int64_t>> rows_of;  // by chain id
  for (int64_t i = 0; i < n; ++i) rows_of[chain.empty() ? 0 : chain[i]].push_back(i);
  std::vector<int64_t> fold(n);
  if (static_cast<int64_t>(rows_of.size()) < members) {
    int64_t turn = 0;
    for (const auto& [id, rows] : rows_of) {
      const auto length = static_cast<int64_t>(rows.size());
      for (int64_t i = 0; i < length; ++i) fold[rows[i]] = (i * members / length + turn) % members;
      ++turn;
    }
    return fold;
  }
  // The longest chain first, each into the fold with the fewest rows.
  std::vector<const std::vector<int64_t>*> chains;
  chains.reserve(rows_of.size());
  for (const auto& entry : rows_of) chains.push_back(&entry.second);
  std::stable_sort(chains.begin(), chains.end(), [](const auto* a, const auto* b) { return a->size() > b->size(); });
  std::vector<size_t> filled(members, 0);
  for (const auto* rows : chains) {
    const auto least = std::min_element(filled.begin(), filled.end());
    for (const int64_t row : *rows) fold[row] = least - filled.begin();
    *least += rows->size();
  }
  return fold;
}

}  // namespace

std::vector<int64_t> AssignFolds(v1::RowKind kind, int64_t n, absl::Span<const int64_t> chain, int64_t members,
                                 uint64_t seed) {
  if (kind == v1::MCMC) return FoldsByChains(n, chain, members);
  const std::vector<int64_t> dealt = RandomStream(seed, RandomPurpose::kFold).Permutation(n, 0);
  std::vector<int64_t> fold(n);
  for (int64_t i = 0; i < n; ++i) fold[dealt[i]] = i % members;
  return fold;
}

absl::StatusOr<PreparedData> PrepareData(const v1::Dataset& dataset, const RowBlock& rows,
                                         absl::Span<const std::string> names, int64_t members, uint64_t seed,
                                         RepeatedRows repeated) {
  ABSL_ASSIGN_OR_RETURN(const std::vector<int> columns, SelectColumns(dataset, names));
  if (rows.num_rows == 0) return absl::FailedPreconditionError("the dataset has no rows");
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> weight, FindWeights(dataset, rows));
  if (std::all_of(weight.begin(), weight.end(), [](double w) { return w == 0; })) {
    return absl::FailedPreconditionError("all weights are zero");
  }
  PreparedData data;
  std::vector<Bounds> bounds;
  for (const int column : columns) {
    data.parameters.push_back(dataset.parameters(column));
    bounds.push_back(BoundsOf(dataset.parameters(column)));
  }
  const int exponent = ScaleExponent(weight);
  std::vector<int64_t> outside(columns.size(), 0);  // rows that each parameter's bounds leave out
  const int64_t width = dataset.parameters_size();
  for (int64_t row = 0; row < rows.num_rows; ++row) {
    const double scaled = std::ldexp(weight[row], -exponent);
    bool is_inside = true;
    for (size_t j = 0; j < columns.size() && scaled > 0; ++j) {
      const double value = rows.theta[row * width + columns[j]];
      if (value > bounds[j].lower && value < bounds[j].upper) continue;
      is_inside = false;
      ++outside[j];
    }
    if (!(scaled > 0 && is_inside)) {
      ++data.num_dropped;
      if (!is_inside) ++data.num_outside;
      continue;
    }
    // + 0.0: -0 and 0 are the same number.
    for (const int column : columns) data.theta.push_back(rows.theta[row * width + column] + 0.0);
    data.weight.push_back(scaled);
    data.dataset_row.push_back(row);
    if (!rows.chain.empty()) data.chain.push_back(rows.chain[row]);
  }
  data.num_rows = data.n();
  const std::string left_out = LeftOut(data, outside, rows.num_rows);
  if (data.n() < 2 * members) {
    return absl::FailedPreconditionError(absl::StrCat("only ", data.n(), " of ", rows.num_rows,
                                                      " rows have weight and lie inside the bounds; ", members,
                                                      " members need at least ", 2 * members, left_out));
  }
  FindDistinctRows(dataset.row_kind() == v1::INDEPENDENT && repeated == RepeatedRows::kMerged, data);
  if (const absl::Status status = CheckDegenerateRows(data, members);
      !status.ok() && repeated == RepeatedRows::kMerged) {
    return absl::Status(status.code(), absl::StrCat(status.message(), left_out));
  }
  ABSL_ASSIGN_OR_RETURN(data.effective_rows,
                        EffectiveRows(dataset.row_kind(), data.theta, data.d(), data.weight, data.chain));
  // Mean 1 whatever the scale, so that Adam's epsilon means the same for every dataset.
  const double mean = std::accumulate(data.weight.begin(), data.weight.end(), 0.0) / static_cast<double>(data.n());
  for (double& w : data.weight) w /= mean;
  data.fold = AssignFolds(dataset.row_kind(), data.n(), data.chain, members, seed);
  return data;
}

}  // namespace creamery
