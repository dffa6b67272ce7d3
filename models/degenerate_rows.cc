#include "models/degenerate_rows.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/statistics/weights.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int64_t kFewestDistinct = 10;
constexpr size_t kFewestValues = 10;
constexpr int64_t kTimesEach = 5;
constexpr size_t kMostListed = 5;
// Least part of a column's variance that the columns before it leave unexplained.
constexpr double kLeastPivot = 1e-10;
// A coefficient, in standard deviations, below which a column is no part of a combination.
constexpr double kLeastCoefficient = 1e-3;
// Rows looked at for linear combinations: all, unless they are many for the dimension; then a part of them, and all if
// that part has one.
constexpr int64_t kEnoughRows = 2000;
constexpr int64_t kEnoughRowsPerParameter = 4;

std::string_view BytesOf(const PreparedData& data, int64_t row) {
  return {reinterpret_cast<const char*>(&data.theta[row * data.d()]), static_cast<size_t>(data.d()) * sizeof(double)};
}

// (n): the first row that is the same.
std::vector<int64_t> FirstOfEach(const PreparedData& data) {
  std::vector<std::pair<size_t, int64_t>> by_hash;  // sixteen bytes a row, where a table would take four times that
  by_hash.reserve(data.n());
  for (int64_t row = 0; row < data.n(); ++row)
    by_hash.emplace_back(std::hash<std::string_view>()(BytesOf(data, row)), row);
  std::sort(by_hash.begin(), by_hash.end());
  std::vector<int64_t> first(data.n());
  std::vector<int64_t> different;  // rows of one hash
  for (size_t i = 0; i < by_hash.size(); ++i) {
    if (i == 0 || by_hash[i].first != by_hash[i - 1].first) different.clear();
    const int64_t row = by_hash[i].second;
    const auto same = std::find_if(different.begin(), different.end(),
                                   [&](int64_t other) { return BytesOf(data, other) == BytesOf(data, row); });
    first[row] = same == different.end() ? row : *same;
    if (same == different.end()) different.push_back(row);
  }
  return first;
}

// Different values of a column, up to kFewestValues of them, sorted.
std::vector<double> ValuesOf(const PreparedData& data, int64_t j) {
  std::vector<double> values;
  for (int64_t row = 0; row < data.n() && values.size() < kFewestValues; ++row) {
    const double value = data.theta[row * data.d() + j];
    if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  return values;
}

absl::Status CheckValues(const PreparedData& data) {
  for (int64_t j = 0; j < data.d(); ++j) {
    const std::vector<double> values = ValuesOf(data, j);
    const std::string& name = data.parameters[j].name();
    if (values.size() == 1) {
      return absl::FailedPreconditionError(
          absl::StrCat("parameter '", name, "' is constant: it has no density; all rows used have ", values[0]));
    }
    // Of one parameter the distinct rows are its values: how often they come says the same.
    const int64_t rows = data.d() == 1 ? data.num_rows : data.num_distinct;
    if (values.size() >= kFewestValues || static_cast<int64_t>(values.size()) * kTimesEach > rows) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("parameter '", name, "' takes only ", values.size(), " values in ", data.num_rows,
                     " rows: it has no density; leave it out, or train one model for each value",
                     values.size() > kMostListed ? "" : absl::StrCat(" (", absl::StrJoin(values, ", "), ")")));
  }
  return absl::OkStatus();
}

absl::Status CheckDistinct(const PreparedData& data, int64_t members) {
  if (data.num_distinct == data.num_rows) return absl::OkStatus();
  const int64_t needed = std::max({kFewestDistinct, 2 * (data.d() + 1), 2 * members});
  if (data.num_distinct >= needed) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("only ", data.num_distinct, " of ", data.num_rows,
                                                    " rows differ, the others repeat them; a density of ", data.d(),
                                                    " parameters by ", members, " members needs at least ", needed));
}

// "'a' and 'b'", "'a', 'b', 'c' and 4 more".
std::string NamesOf(const PreparedData& data, const std::vector<int64_t>& columns) {
  std::vector<std::string> names;
  for (size_t k = 0; k < columns.size() && k < kMostListed; ++k) {
    names.push_back(absl::StrCat("'", data.parameters[columns[k]].name(), "'"));
  }
  if (columns.size() > names.size()) return absl::StrCat(absl::StrJoin(names, ", "), " and others");
  if (names.size() < 2) return absl::StrJoin(names, "");
  const std::string last = names.back();
  names.pop_back();
  return absl::StrCat(absl::StrJoin(names, ", "), " and ", last);
}

// A column that is a linear combination of those before it, and which of them have a part in it.
struct Combination {
  int64_t column = -1;  // none
  std::vector<int64_t> of;
};

// The columns z of some rows, each of mean 0, times the root of the weights, of length 1; and L of z z^T = L L^T.
class Columns {
 public:
  Columns(const PreparedData& data, int64_t stride) : data_(data), stride_(stride), factor_(data.d() * data.d(), 0.0) {
    for (int64_t row = 0; row < data.n(); row += stride) weight_.push_back(data.weight[row]);
  }

  // The first column whose part that the earlier ones leave unexplained is too small.
  Combination Find() {
    for (int64_t a = 0; a < data_.d(); ++a) {
      if (!Add(a)) return {a, PartsOf(a)};
    }
    return {};
  }

 private:
  double& L(int64_t a, int64_t b) { return factor_[a * data_.d() + b]; }

  // Row `a` of L; false if its diagonal vanishes.
  bool Add(int64_t a) {
    std::vector<double> z;
    for (int64_t row = 0; row < data_.n(); row += stride_) z.push_back(data_.theta[row * data_.d() + a]);
    const WeightedMoments moments = Moments(z, weight_);
    double length = 0;
    for (size_t i = 0; i < z.size() && moments.deviation > 0; ++i) {
      z[i] = (z[i] - moments.mean) / moments.deviation * std::sqrt(weight_[i]);
      length += z[i] * z[i];
    }
    // Constant among these rows, or but for rounding: no part of a combination.
    if (!(length > 0)) z.assign(z.size(), 0);
    for (double& value : z) value /= length > 0 ? std::sqrt(length) : 1;
    z_.push_back(std::move(z));
    for (int64_t b = 0; b <= a; ++b) {
      double sum = std::inner_product(z_[a].begin(), z_[a].end(), z_[b].begin(), 0.0);
      for (int64_t k = 0; k < b; ++k) sum -= L(a, k) * L(b, k);
      if (b < a) {
        L(a, b) = L(b, b) > 0 ? sum / L(b, b) : 0;
      } else if (sum > kLeastPivot) {
        L(a, a) = std::sqrt(sum);
      } else {
        return !(length > 0);
      }
    }
    return true;
  }

  // Columns before `a` with a part in it: coefficients c that solve L^T c = row a of L.
  std::vector<int64_t> PartsOf(int64_t a) {
    std::vector<double> c(a);
    std::vector<int64_t> parts;
    for (int64_t j = a; j-- > 0;) {
      double value = L(a, j);
      for (int64_t k = j + 1; k < a; ++k) value -= L(k, j) * c[k];
      c[j] = L(j, j) > 0 ? value / L(j, j) : 0;
      if (std::fabs(c[j]) > kLeastCoefficient) parts.insert(parts.begin(), j);
    }
    return parts;
  }

  const PreparedData& data_;
  const int64_t stride_;
  std::vector<double> weight_;
  std::vector<std::vector<double>> z_;
  std::vector<double> factor_;
};

absl::Status CheckCombinations(const PreparedData& data) {
  const int64_t enough = std::max(kEnoughRows, kEnoughRowsPerParameter * data.d());
  const int64_t stride = std::max<int64_t>(1, data.n() / enough);
  Combination found = Columns(data, stride).Find();
  if (found.column >= 0 && stride > 1) found = Columns(data, 1).Find();
  if (found.column < 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("parameter '", data.parameters[found.column].name(),
                                                    "' is a linear combination of ", NamesOf(data, found.of),
                                                    ": they have no density together; leave it out"));
}

}  // namespace

void FindDistinctRows(bool merge, PreparedData& data) {
  const int64_t d = data.d();
  const std::vector<int64_t> first = FirstOfEach(data);
  for (int64_t row = 0; row < data.n(); ++row) data.num_distinct += first[row] == row ? 1 : 0;
  if (!merge || data.num_distinct == data.n()) return;
  for (int64_t row = 0; row < data.n(); ++row) {
    if (first[row] != row) data.weight[first[row]] += data.weight[row];
  }
  int64_t kept = 0;
  for (int64_t row = 0; row < data.n(); ++row) {
    if (first[row] != row) continue;
    std::copy_n(data.theta.begin() + row * d, d, data.theta.begin() + kept * d);
    data.dataset_row[kept] = data.dataset_row[row];
    if (!data.chain.empty()) data.chain[kept] = data.chain[row];
    data.weight[kept++] = data.weight[row];
  }
  data.theta.resize(kept * d);
  data.weight.resize(kept);
  data.dataset_row.resize(kept);
  if (!data.chain.empty()) data.chain.resize(kept);
}

absl::Status CheckDegenerateRows(const PreparedData& data, int64_t members) {
  ABSL_RETURN_IF_ERROR(CheckValues(data));
  ABSL_RETURN_IF_ERROR(CheckDistinct(data, members));
  return CheckCombinations(data);
}

std::string LeftOut(const PreparedData& data, absl::Span<const int64_t> outside, int64_t num_rows) {
  if (data.num_outside == 0) return "";
  std::vector<std::string> by_parameter;
  for (int64_t j = 0; j < data.d(); ++j) {
    if (outside[j] == 0) continue;
    if (by_parameter.size() == kMostListed) {
      by_parameter.push_back("...");
      break;
    }
    const Bounds bounds = BoundsOf(data.parameters[j]);
    by_parameter.push_back(
        absl::StrCat("'", data.parameters[j].name(), "' on (", bounds.lower, ", ", bounds.upper, "): ", outside[j]));
  }
  return absl::StrCat("; ", data.num_outside, " of ", num_rows,
                      " rows lie on or outside the bounds and were left out (", absl::StrJoin(by_parameter, "; "), ")");
}

}  // namespace creamery
