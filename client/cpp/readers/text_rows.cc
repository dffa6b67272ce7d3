#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/readers/row_reader.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// 0, 1, 2, …: what pandas writes above columns that have no names.
bool CountsFromZero(const std::vector<std::string>& cells) {
  for (size_t i = 0; i < cells.size(); ++i) {
    if (cells[i] != absl::StrCat(i)) return false;
  }
  return cells.size() > 1;
}

class TextRows final : public RowReader {
 public:
  TextRows(const std::string& path, char separator, Input input)
      : path_(path), separator_(separator), input_(std::move(input)), lines_(path, separator) {}

  // The names, if there are any, and the first row.
  absl::Status ReadHead() {
    std::vector<Comment> comments;
    int64_t head = 0;
    while (lines_.num_rows() == 0 && NextLine()) {
      absl::string_view line = absl::StripAsciiWhitespace(line_);
      if (line_number_ == 1) {
        ABSL_RETURN_IF_ERROR(StripByteOrderMark(path_, &line));
        line_ = std::string(line);
        line = line_;
      }
      if (line.empty()) continue;
      if (line.front() == '#') {
        comments.push_back({line_number_, SplitCells(line.substr(1), separator_)});
        continue;
      }
      if (names_.empty()) {
        ABSL_RETURN_IF_ERROR(ReadNames(line));
        if (!names_.empty()) {
          head = line_number_;
          continue;
        }
      }
      lines_.ExpectColumns(static_cast<int64_t>(names_.size()));
      ABSL_RETURN_IF_ERROR(lines_.Parse(line_, line_number_, &ahead_));
    }
    ABSL_RETURN_IF_ERROR(CheckInput());
    if (lines_.num_rows() == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          path_, " has no rows of numbers", line_number_ > 1 ? absl::StrCat(" in ", line_number_ - 1, " lines") : ""));
    }
    num_columns_ = lines_.num_columns();
    if (!names_.empty() && static_cast<int64_t>(names_.size()) != num_columns_) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ", line ", head, ": ", names_.size(), " names for rows of ", num_columns_, " columns"));
    }
    if (names_.empty()) TakeComment(comments, &head);
    return CheckNames(head);
  }

  absl::StatusOr<int64_t> Read(int64_t max_rows, std::vector<double>* rows) override {
    rows->clear();
    rows->swap(ahead_);
    const size_t most = max_rows * num_columns_;
    while (rows->size() < most && NextLine()) {
      ABSL_RETURN_IF_ERROR(lines_.Parse(line_, line_number_, rows));
      if (counting_line_ != 0 && lines_.num_rows() > 1) return Ambiguous();
    }
    ABSL_RETURN_IF_ERROR(CheckInput());
    return static_cast<int64_t>(rows->size()) / num_columns_;
  }

 private:
  struct Comment {
    int64_t line;
    std::vector<std::string> words;
  };

  // A first line without any number names the columns; one that mixes both is a mistake in either.
  absl::Status ReadNames(absl::string_view line) {
    std::vector<std::string> cells = SplitCells(line, separator_);
    if (separator_ != ' ' && cells.size() > 1 && cells.back().empty()) cells.pop_back();
    if (CountsFromZero(cells)) counting_line_ = line_number_;
    size_t number = 0, other = 0;  // places, from 1
    double ignored;
    for (size_t i = cells.size(); i > 0; --i) (ParseNumber(cells[i - 1], &ignored) ? number : other) = i;
    if (other == 0) return absl::OkStatus();
    // pandas names the rows' index by an empty cell: of a header that is refused for it, not of a row.
    const bool stars = cells[other - 1].find_first_not_of('*') == std::string::npos && !cells[other - 1].empty();
    if (number == 0 && !stars && !AllBeginAsNumbers(line, cells)) {
      names_ = std::move(cells);
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat(
        path_, ", line ", line_number_, ", column ", other, ": ", NotANumber(cells[other - 1]),
        number > 0 ? absl::StrCat(", and column ", number, " holds the number ", Shown(cells[number - 1])) : "",
        "; expected a row of numbers or a header of names"));
  }

  // '0.3x' is a number gone wrong rather than a name; quotes make it a name.
  static bool AllBeginAsNumbers(absl::string_view line, const std::vector<std::string>& cells) {
    if (line.find_first_of("\"'") != absl::string_view::npos) return false;
    return std::all_of(cells.begin(), cells.end(), [](const std::string& cell) {
      const size_t first = cell.find_first_not_of("+-.");
      return first != std::string::npos && absl::ascii_isdigit(cell[first]);
    });
  }

  // NumPy's savetxt and Cobaya write names behind a '#': the last comment with one word for each column.
  void TakeComment(const std::vector<Comment>& comments, int64_t* head) {
    for (const auto& [line, words] : comments) {
      double ignored;
      const bool fits = words.size() > 1 && static_cast<int64_t>(words.size()) == num_columns_ &&
                        std::none_of(words.begin(), words.end(), [&](const std::string& word) {
                          return word.empty() || ParseNumber(word, &ignored);
                        });
      if (!fits) continue;
      names_ = words;
      *head = line;
      counting_line_ = 0;
    }
  }

  absl::Status CheckNames(int64_t head) const {
    for (size_t i = 0; i < names_.size(); ++i) {
      const std::string where = absl::StrCat(path_, ", line ", head, ", column ", i + 1);
      ABSL_RETURN_IF_ERROR(CheckName(where, names_[i]));
      const auto first = std::find(names_.begin(), names_.end(), names_[i]) - names_.begin();
      if (first != static_cast<int64_t>(i)) {
        return absl::InvalidArgumentError(absl::StrCat(where, ": ", Shown(names_[i]), " is the name of column ",
                                                       first + 1, " too, expected another"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Ambiguous() const {
    std::vector<std::string> counted, decimal;
    for (int64_t i = 0; i < num_columns_; ++i) {
      counted.push_back(absl::StrCat(i));
      decimal.push_back(absl::StrCat(i, ".0"));
    }
    const std::string between(1, separator_);
    return absl::InvalidArgumentError(absl::StrCat(
        path_, ", line ", counting_line_, ": ", Shown(absl::StrJoin(counted, between)),
        " is either a row or the header that pandas writes above columns without names; expected names in its place "
        "(pandas: header=False leaves it away), or, for a row, ",
        Shown(absl::StrJoin(decimal, between))));
  }

  bool NextLine() {
    ++line_number_;
    return static_cast<bool>(std::getline(*input_, line_));
  }
  absl::Status CheckInput() const {
    if (!input_->bad()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("file '", path_, "' cannot be read"));
  }

  const std::string path_;
  const char separator_;
  const Input input_;
  LineParser lines_;
  std::string line_;
  int64_t line_number_ = 0;
  int64_t counting_line_ = 0;  // of a first row 0, 1, 2, …; else 0
  std::vector<double> ahead_;  // the first row, until it is asked for
};

}  // namespace

absl::StatusOr<std::unique_ptr<RowReader>> OpenText(const std::string& path, char separator) {
  ABSL_ASSIGN_OR_RETURN(Input input, OpenInput(path));
  auto rows = std::make_unique<TextRows>(path, separator, std::move(input));
  ABSL_RETURN_IF_ERROR(rows->ReadHead());
  return rows;
}

}  // namespace creamery
