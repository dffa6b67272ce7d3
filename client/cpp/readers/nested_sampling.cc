#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/readers/readers.h"
#include "client/cpp/readers/row_reader.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int64_t kBlockRows = 4096;

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// Samplers write a number of their own, -1e30 or the lowest double, for the logarithm of zero; others write NaN for the
// birth of the first live points, which are born from the whole prior.
double LogOrMinusInfinity(double value) {
  return std::isnan(value) || value <= -.99e30 ? -std::numeric_limits<double>::infinity() : value;
}

// What tells points apart; NaN equals itself here, and 0 equals -0.
std::string BytesOf(std::vector<double> point) {
  for (double& each : point) each += 0.0;
  return std::string(reinterpret_cast<const char*>(point.data()), point.size() * sizeof(double));
}

// Rows of parameters, log L and log L at birth; `extra` further columns of the sampler's are dropped.
absl::StatusOr<std::vector<std::vector<double>>> ReadPoints(const std::string& path, int64_t extra, int64_t d) {
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> reader, OpenText(path, ' '));
  const int64_t kept = reader->num_columns() - extra;
  if (kept < 3 || (d > 0 && kept != d + 2)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has ", reader->num_columns(), " columns, expected ",
                     d > 0 ? absl::StrCat(d, " parameters") : "parameters", ", log L and log L at birth",
                     extra > 0 ? absl::StrCat(", and ", extra, " columns of MultiNest's own") : ""));
  }
  std::vector<std::vector<double>> points;
  std::vector<double> rows;
  for (;;) {
    ABSL_ASSIGN_OR_RETURN(const int64_t count, reader->Read(kBlockRows, &rows));
    if (count == 0) return points;
    for (int64_t row = 0; row < count; ++row) {
      const auto begin = rows.begin() + row * reader->num_columns();
      points.emplace_back(begin, begin + kept);
      if (std::isnan(points.back()[kept - 2])) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ", row ", points.size(), ", column ", kept - 1, ": log L is NaN, expected a number"));
      }
      points.back()[kept - 2] = LogOrMinusInfinity(points.back()[kept - 2]);
      points.back()[kept - 1] = LogOrMinusInfinity(points.back()[kept - 1]);
    }
  }
}

// The number of parameters that .paramnames names; 0 without such a file.
absl::StatusOr<int64_t> NumNames(const std::string& path) {
  if (!Exists(path)) return 0;
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> lines, ReadLines(path));
  return std::count_if(lines.begin(), lines.end(), [](const std::string& line) { return !line.empty(); });
}

}  // namespace

absl::StatusOr<Table> ReadNestedSampling(const ChainRoot& run) {
  const bool multinest = run.sampler == Sampler::kMultiNest;
  const std::string names = run.root + ".paramnames";
  ABSL_ASSIGN_OR_RETURN(const int64_t num_names, NumNames(names));
  ABSL_ASSIGN_OR_RETURN(std::vector<std::vector<double>> points,
                        ReadPoints(run.dead_birth, multinest ? 2 : 0, num_names));
  const int64_t d = static_cast<int64_t>(points.front().size()) - 2;
  const size_t dead = points.size();
  Table table;
  table.row_kind = v1::NESTED_SAMPLING;
  table.named = false;
  const std::string live_path = run.root + (multinest ? "phys_live-birth.txt" : "_phys_live-birth.txt");
  if (Exists(live_path)) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<std::vector<double>> live, ReadPoints(live_path, multinest ? 1 : 0, d));
    // A finished run has its last live points among the dead ones already.
    std::map<std::string, int64_t> among;
    for (const std::vector<double>& point : points) ++among[BytesOf(point)];
    for (const std::vector<double>& point : live) {
      const auto same = among.find(BytesOf(point));
      if (same == among.end() || same->second-- <= 0) points.push_back(point);
    }
    const size_t added = points.size() - dead;
    table.notes.push_back(absl::StrCat(dead, " dead points, and ", added, " live points of ", live_path));
    if (added < live.size()) {
      table.notes.back() += absl::StrCat(" (", live.size() - added, " further ones are among the dead points already)");
    }
  } else {
    table.notes.push_back(absl::StrCat(dead, " dead points; there is no ", live_path,
                                       " with the live points at the end: log Z comes out low without them"));
  }
  table.num_rows = static_cast<int64_t>(points.size());
  table.columns.resize(d);
  for (const std::vector<double>& point : points) {
    for (int64_t column = 0; column < d; ++column) table.columns[column].values.push_back(point[column]);
    table.log_likelihood.push_back(point[d]);
    table.log_likelihood_birth.push_back(point[d + 1]);
  }
  for (size_t i = 0; i < table.columns.size(); ++i) table.columns[i].name = absl::StrCat("theta", i);
  if (num_names > 0) {
    ABSL_RETURN_IF_ERROR(ReadParamNames(names, table));
    table.notes.push_back(absl::StrCat("parameter names of ", names));
  }
  ABSL_RETURN_IF_ERROR(ReadRanges(run.root + ".ranges", table));
  ABSL_RETURN_IF_ERROR(ReadStatedEvidence(run, table));
  if (!table.log_evidence.has_value()) {
    const v1::LogEvidence evidence = NestedEvidence(table.log_likelihood, table.log_likelihood_birth);
    if (!std::isfinite(evidence.value())) return table;
    table.log_evidence = evidence;
    table.notes.push_back(absl::StrCat("log Z ", table.log_evidence->value(), " +- ", table.log_evidence->error(),
                                       " of the points' volumes"));
  }
  return table;
}

}  // namespace creamery
