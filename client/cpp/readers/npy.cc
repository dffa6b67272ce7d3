#include <cstring>
#include <regex>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cpp/readers/readers.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

struct NpyHeader {
  std::string type;  // as NumPy spells it, "<f8"
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// The header is the text of a Python dictionary with three known keys.
absl::StatusOr<NpyHeader> ParseHeader(const std::string& path, const std::string& text) {
  static const std::regex type_pattern("'descr'\\s*:\\s*'([^']*)'");
  static const std::regex order_pattern("'fortran_order'\\s*:\\s*(True|False)");
  static const std::regex shape_pattern("'shape'\\s*:\\s*\\(([0-9, ]*)\\)");
  std::smatch type, order, shape;
  if (!std::regex_search(text, type, type_pattern)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not an array of one number type; save a plain 2-d array, e.g. of float64"));
  }
  if (!std::regex_search(text, order, order_pattern) || !std::regex_search(text, shape, shape_pattern)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has a .npy header that cannot be read: ", text));
  }
  NpyHeader header;
  header.type = type[1];
  header.fortran_order = order[1] == "True";
  for (absl::string_view axis : absl::StrSplit(shape[1].str(), absl::ByAnyChar(", "), absl::SkipEmpty())) {
    int64_t length;
    if (!absl::SimpleAtoi(axis, &length)) {
      return absl::InvalidArgumentError(absl::StrCat(path, " has a .npy header with a bad shape: ", shape[1].str()));
    }
    header.shape.push_back(length);
  }
  return header;
}

template <typename T>
double NumberAt(const char* bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes + index * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

}  // namespace

absl::StatusOr<Table> ReadNpy(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  if (bytes.size() < 12 || !absl::StartsWith(bytes, "\x93NUMPY")) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a .npy file: it does not begin with \\x93NUMPY"));
  }
  const bool short_header = bytes[6] == 1;
  size_t header_size = 0;
  for (int i = short_header ? 1 : 3; i >= 0; --i) {
    header_size = header_size << 8 | static_cast<unsigned char>(bytes[8 + i]);
  }
  const size_t start = (short_header ? 10 : 12) + header_size;
  if (start > bytes.size()) return absl::InvalidArgumentError(absl::StrCat(path, " ends within its .npy header"));
  ABSL_ASSIGN_OR_RETURN(const NpyHeader header, ParseHeader(path, bytes.substr(start - header_size, header_size)));

  double (*number_at)(const char*, int64_t) = nullptr;
  int64_t size = 8;
  if (header.type == "<f8") number_at = NumberAt<double>;
  if (header.type == "<i8") number_at = NumberAt<int64_t>;
  if (header.type == "<f4") number_at = NumberAt<float>, size = 4;
  if (header.type == "<i4") number_at = NumberAt<int32_t>, size = 4;
  if (header.type == "|u1") number_at = NumberAt<uint8_t>, size = 1;
  if (number_at == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " holds numbers of type '", header.type, "', expected <f8, <f4, <i8, <i4 or |u1"));
  }
  if (header.shape.empty() || header.shape.size() > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has ", header.shape.size(), " axes, expected shape (n, d) or (n,)"));
  }
  const int64_t n = header.shape[0];
  const int64_t d = header.shape.size() == 2 ? header.shape[1] : 1;
  const int64_t numbers = static_cast<int64_t>(bytes.size() - start) / size;
  const bool fits = d == 0 || n <= numbers / d;
  if (!fits || n * d * size != static_cast<int64_t>(bytes.size() - start)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " announces shape (", n, ", ", d, ") of '", header.type,
                                                   "' but holds ", bytes.size() - start, " bytes of numbers"));
  }
  if (n == 0 || d == 0) return absl::InvalidArgumentError(absl::StrCat(path, " is empty: shape (", n, ", ", d, ")"));

  Table table;
  table.named = false;
  table.num_rows = n;
  table.columns.resize(d);
  for (int64_t column = 0; column < d; ++column) {
    TableColumn& added = table.columns[column];
    added.name = absl::StrCat("theta", column);
    added.values.resize(n);
    for (int64_t row = 0; row < n; ++row) {
      added.values[row] = number_at(bytes.data() + start, header.fortran_order ? column * n + row : row * d + column);
    }
  }
  return table;
}

}  // namespace creamery
