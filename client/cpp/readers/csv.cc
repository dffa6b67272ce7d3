#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cpp/readers/row_reader.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

class CsvRows final : public RowReader {
 public:
  CsvRows(const std::string& path, Input input) : path_(path), input_(std::move(input)), lines_(path, ',') {}

  // The names, if there are any, and the first row.
  absl::Status ReadHead() {
    absl::string_view line;
    while (line.empty() && NextLine()) line = absl::StripAsciiWhitespace(line_);
    const int64_t head = line_number_;
    // NumPy's savetxt writes names behind a '#'.
    const bool commented = !line.empty() && line.front() == '#';
    if (commented) line = absl::StripAsciiWhitespace(line.substr(1));
    bool numeric = true;
    for (const absl::string_view cell : absl::StrSplit(line, ',')) {
      double ignored;
      numeric = numeric && absl::SimpleAtod(CleanCell(cell), &ignored);
      names_.emplace_back(CleanCell(cell));
    }
    if (numeric || (commented && names_.size() == 1)) names_.clear();
    if (names_.empty() && !commented) ABSL_RETURN_IF_ERROR(lines_.Parse(line_, line_number_, &ahead_));
    while (lines_.num_rows() == 0 && NextLine()) ABSL_RETURN_IF_ERROR(lines_.Parse(line_, line_number_, &ahead_));
    ABSL_RETURN_IF_ERROR(CheckInput());
    if (lines_.num_rows() == 0) return absl::InvalidArgumentError(absl::StrCat(path_, " has no rows of numbers"));
    num_columns_ = lines_.num_columns();
    if (!names_.empty() && static_cast<int64_t>(names_.size()) != num_columns_) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ", line ", head, ": ", names_.size(), " names for rows of ", num_columns_, " columns"));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> Read(int64_t max_rows, std::vector<double>* rows) override {
    rows->clear();
    rows->swap(ahead_);
    const size_t most = max_rows * num_columns_;
    while (rows->size() < most && NextLine()) ABSL_RETURN_IF_ERROR(lines_.Parse(line_, line_number_, rows));
    ABSL_RETURN_IF_ERROR(CheckInput());
    return static_cast<int64_t>(rows->size()) / num_columns_;
  }

 private:
  bool NextLine() {
    ++line_number_;
    return static_cast<bool>(std::getline(*input_, line_));
  }
  absl::Status CheckInput() const {
    if (!input_->bad()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("file '", path_, "' cannot be read"));
  }

  const std::string path_;
  const Input input_;
  LineParser lines_;
  std::string line_;
  int64_t line_number_ = 0;
  std::vector<double> ahead_;  // the first row, until it is asked for
};

}  // namespace

absl::StatusOr<std::unique_ptr<RowReader>> OpenCsv(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(Input input, OpenInput(path));
  auto rows = std::make_unique<CsvRows>(path, std::move(input));
  ABSL_RETURN_IF_ERROR(rows->ReadHead());
  return rows;
}

}  // namespace creamery
