// What stands beside the rows of a chain: names, bounds, the evidence.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cpp/readers/readers.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// The number behind `key`, and that behind +/- if there is one: "log(Z)  =  -0.12E+02 +/-  0.3E+00".
bool ParseValue(absl::string_view line, absl::string_view key, absl::string_view equals, double* value, double* error) {
  if (!absl::ConsumePrefix(&line, key)) return false;
  line = absl::StripLeadingAsciiWhitespace(line);
  if (!absl::ConsumePrefix(&line, equals)) return false;
  const std::vector<absl::string_view> words = absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (words.empty() || !ParseNumber(words[0], value)) return false;
  return error == nullptr || (words.size() > 2 && words[1] == "+/-" && ParseNumber(words[2], error));
}

}  // namespace

absl::Status ReadParamNames(const std::string& path, Table& table) {
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> lines, ReadLines(path));
  size_t count = 0;
  std::vector<int64_t> named_in;
  for (size_t i = 0; i < lines.size(); ++i) {
    const absl::string_view line = lines[i];
    if (line.empty()) continue;
    const size_t space = std::min(line.find_first_of(" \t"), line.size());
    absl::string_view name = line.substr(0, space);
    const bool derived = name.size() > 1 && name.back() == '*';
    if (derived) name.remove_suffix(1);
    const std::string where = absl::StrCat(path, ", line ", i + 1);
    ABSL_RETURN_IF_ERROR(CheckName(absl::StrCat(where, ", column 1"), name));
    const absl::string_view label = absl::StripAsciiWhitespace(line.substr(space));
    if (!label.empty()) ABSL_RETURN_IF_ERROR(CheckName(absl::StrCat(where, ", column 2"), label));
    if (count < table.columns.size()) {
      const auto end = table.columns.begin() + static_cast<int64_t>(count);
      const auto same = std::find_if(table.columns.begin(), end, [&](const TableColumn& c) { return c.name == name; });
      if (same != end) {
        return absl::InvalidArgumentError(absl::StrCat(where, ": ", Shown(name), " is named in line ",
                                                       named_in[same - table.columns.begin()],
                                                       " already, expected another name"));
      }
      named_in.push_back(static_cast<int64_t>(i) + 1);
      TableColumn& column = table.columns[count];
      column.name = std::string(name);
      column.derived = derived;
      column.label = std::string(label);
    }
    ++count;
  }
  if (count != table.columns.size()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " names ", count, " parameters, expected ",
                                                   table.columns.size(), ": the parameter columns beside it"));
  }
  table.named = true;
  table.lists_parameters = true;
  return absl::OkStatus();
}

absl::Status ReadRanges(const std::string& path, Table& table) {
  if (!Exists(path)) return absl::OkStatus();
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> lines, ReadLines(path));
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::vector<std::string> words = absl::StrSplit(absl::string_view(lines[i]).substr(0, lines[i].find('#')),
                                                          absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.empty()) continue;
    std::optional<double> bounds[2];
    for (size_t side = 0; side < 2; ++side) {
      const absl::string_view word = side + 1 < words.size() ? absl::string_view(words[side + 1]) : "";
      if (word == "N" || word == "None" || word == "nan") continue;
      double value;
      if (!ParseNumber(word, &value)) {
        return absl::InvalidArgumentError(absl::StrCat(path, ", line ", i + 1, ", column ", side + 2, ": ",
                                                       NotANumber(word),
                                                       "; expected a name, a lower and an upper bound, N for none"));
      }
      if (std::isfinite(value)) bounds[side] = value;
    }
    if (bounds[0].has_value() && bounds[0] == bounds[1]) continue;
    for (TableColumn& column : table.columns) {
      if (column.name != words[0]) continue;
      column.lower = bounds[0];
      column.upper = bounds[1];
    }
  }
  return absl::OkStatus();
}

absl::Status ReadStatedEvidence(const ChainRoot& run, Table& table) {
  const bool multinest = run.sampler == Sampler::kMultiNest, cobaya = run.sampler == Sampler::kCobaya;
  const std::string path = absl::StrCat(run.root, multinest ? "stats.dat" : cobaya ? ".logZ" : ".stats");
  const bool nested = multinest || cobaya || run.sampler == Sampler::kPolyChord;
  if (!nested || !Exists(path)) return absl::OkStatus();
  ABSL_ASSIGN_OR_RETURN(const std::vector<std::string> lines, ReadLines(path));
  double value = NAN, error = NAN;
  for (const std::string& line : lines) {
    bool found = false;
    if (multinest) {
      found = ParseValue(line, "Nested Sampling Global Log-Evidence", ":", &value, &error);
    } else if (cobaya) {
      ParseValue(line, "logZ", ":", &value, nullptr) || ParseValue(line, "logZstd", ":", &error, nullptr);
    } else {
      found = ParseValue(line, "log(Z)", "=", &value, &error);
    }
    if (found) break;
  }
  if (!std::isfinite(value) || !(error >= 0) || !std::isfinite(error)) {
    table.notes.push_back(absl::StrCat(path, " states no log Z with an error, expected 'log(Z) = value +/- error'"));
    return absl::OkStatus();
  }
  table.log_evidence.emplace();
  table.log_evidence->set_value(value);
  table.log_evidence->set_error(error);
  table.notes.push_back(absl::StrCat("log Z ", value, " +- ", error, " of ", path));
  return absl::OkStatus();
}

}  // namespace creamery
