#include <algorithm>
#include <cstring>
#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cpp/readers/row_reader.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

struct NpyHeader {
  std::string type;  // as NumPy spells it, "<f8"
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// What follows `'key':` in the text of a Python dictionary, up to the end of the text; empty without that key.
absl::string_view After(absl::string_view text, absl::string_view key) {
  const size_t begin = text.find(key);
  if (begin == absl::string_view::npos) return "";
  text = absl::StripLeadingAsciiWhitespace(text.substr(begin + key.size()));
  return absl::ConsumePrefix(&text, ":") ? absl::StripLeadingAsciiWhitespace(text) : "";
}

// What stands between `open`, the first character of `text`, and the next `close`. False if nothing does.
bool Between(absl::string_view text, char open, char close, absl::string_view* inner) {
  const size_t end = text.find(close, 1);
  if (text.empty() || text[0] != open || end == absl::string_view::npos) return false;
  *inner = text.substr(1, end - 1);
  return true;
}

// The header is the text of a Python dictionary with three known keys.
absl::StatusOr<NpyHeader> ParseHeader(const std::string& path, const std::string& text) {
  absl::string_view type, shape;
  if (!Between(After(text, "'descr'"), '\'', '\'', &type)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not an array of one number type; save a plain 2-d array, e.g. of float64"));
  }
  const absl::string_view order = After(text, "'fortran_order'");
  NpyHeader header;
  header.type = std::string(type);
  header.fortran_order = absl::StartsWith(order, "True");
  if ((!header.fortran_order && !absl::StartsWith(order, "False")) ||
      !Between(After(text, "'shape'"), '(', ')', &shape) ||
      shape.find_first_not_of("0123456789, ") != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has a .npy header that cannot be read: ", text));
  }
  for (absl::string_view axis : absl::StrSplit(shape, absl::ByAnyChar(", "), absl::SkipEmpty())) {
    int64_t length;
    if (!absl::SimpleAtoi(axis, &length)) {
      return absl::InvalidArgumentError(absl::StrCat(path, " has a .npy header with a bad shape: ", shape));
    }
    header.shape.push_back(length);
  }
  return header;
}

template <typename T>
double ReadNumber(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return static_cast<double>(value);
}

class NpyRows final : public RowReader {
 public:
  NpyRows(const std::string& path, Input input) : path_(path), input_(std::move(input)) {}

  absl::Status ReadHead() {
    std::string start(12, '\0');
    if (!ReadBytes(&start) || !absl::StartsWith(start, "\x93NUMPY")) {
      return absl::InvalidArgumentError(absl::StrCat(path_, " is not a .npy file: it does not begin with \\x93NUMPY"));
    }
    const bool short_header = start[6] == 1;
    size_t header_size = 0;
    for (int i = short_header ? 1 : 3; i >= 0; --i) {
      header_size = header_size << 8 | static_cast<unsigned char>(start[8 + i]);
    }
    // Two bytes of a short header are read already.
    std::string text(short_header ? header_size - std::min<size_t>(header_size, 2) : header_size, '\0');
    if (header_size > kLongestHeader || !ReadBytes(&text)) {
      return absl::InvalidArgumentError(absl::StrCat(path_, " ends within its .npy header"));
    }
    if (short_header) text = start.substr(10) + text;
    ABSL_ASSIGN_OR_RETURN(const NpyHeader header, ParseHeader(path_, text));
    ABSL_RETURN_IF_ERROR(SetType(header.type));
    if (header.shape.empty() || header.shape.size() > 2) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, " has ", header.shape.size(), " axes, expected shape (n, d) or (n,)"));
    }
    rows_ = header.shape[0];
    num_columns_ = header.shape.size() == 2 ? header.shape[1] : 1;
    if (num_columns_ > kMostColumns) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, " has ", num_columns_, " columns, expected at most ", kMostColumns));
    }
    by_columns_ = header.fortran_order && num_columns_ > 1;
    begin_ = (short_header ? 10 : 12) + static_cast<int64_t>(header_size);
    ABSL_RETURN_IF_ERROR(CheckSize(header.type));
    if (rows_ == 0 || num_columns_ == 0) {
      return absl::InvalidArgumentError(absl::StrCat(path_, " is empty: shape (", rows_, ", ", num_columns_, ")"));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> Read(int64_t max_rows, std::vector<double>* rows) override {
    const int64_t count = std::min(max_rows, rows_ - next_);
    rows->resize(count * num_columns_);
    bytes_.resize((by_columns_ ? count : count * num_columns_) * size_);
    bool whole = true;
    for (int64_t column = 0; column < (by_columns_ ? num_columns_ : 1); ++column) {
      if (by_columns_) input_->seekg(begin_ + (column * rows_ + next_) * size_);
      whole = whole && ReadBytes(&bytes_);
      const int64_t step = by_columns_ ? num_columns_ : 1;
      const char* number = bytes_.data();
      for (size_t i = column; i < rows->size(); i += step, number += size_) (*rows)[i] = read_number_(number);
    }
    next_ += count;
    if (whole) return count;
    return absl::InvalidArgumentError(absl::StrCat(path_, " ends before row ", next_, " of ", rows_));
  }

 private:
  // Ours have 128 bytes, NumPy's grow with structured types, which are not read.
  static constexpr size_t kLongestHeader = 1 << 20;
  static constexpr int64_t kMostColumns = 1 << 16;

  bool ReadBytes(std::string* bytes) {
    return static_cast<bool>(input_->read(bytes->data(), static_cast<std::streamsize>(bytes->size())));
  }
  absl::Status SetType(const std::string& type) {
    if (type == "<f8") read_number_ = ReadNumber<double>;
    if (type == "<i8") read_number_ = ReadNumber<int64_t>;
    if (type == "<f4") read_number_ = ReadNumber<float>, size_ = 4;
    if (type == "<i4") read_number_ = ReadNumber<int32_t>, size_ = 4;
    if (type == "|u1") read_number_ = ReadNumber<uint8_t>, size_ = 1;
    if (read_number_ != nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(path_, " holds numbers of type '", type, "', expected <f8, <f4, <i8, <i4 or |u1"));
  }
  // Of a file, before anything is read; a pipe shows its size at its end.
  absl::Status CheckSize(const std::string& type) {
    if (path_ == "-") {
      if (!by_columns_) return absl::OkStatus();
      return absl::InvalidArgumentError(
          "standard input is a .npy array in Fortran order: its rows come last; save it "
          "in C order, or give the file");
    }
    input_->seekg(0, std::ios::end);
    const int64_t bytes = static_cast<int64_t>(input_->tellg()) - begin_;
    input_->seekg(begin_);
    const bool fits = num_columns_ == 0 || rows_ <= bytes / size_ / num_columns_;
    if (fits && rows_ * num_columns_ * size_ == bytes) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(path_, " announces shape (", rows_, ", ", num_columns_, ") of '",
                                                   type, "' but holds ", bytes, " bytes of numbers"));
  }

  const std::string path_;
  const Input input_;
  double (*read_number_)(const char*) = nullptr;
  int64_t size_ = 8;         // of one number, bytes
  bool by_columns_ = false;  // Fortran order
  int64_t begin_ = 0;        // of the numbers in the file
  int64_t rows_ = 0;
  int64_t next_ = 0;  // row to read
  std::string bytes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RowReader>> OpenNpy(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(Input input, OpenInput(path));
  auto rows = std::make_unique<NpyRows>(path, std::move(input));
  ABSL_RETURN_IF_ERROR(rows->ReadHead());
  return rows;
}

}  // namespace creamery
