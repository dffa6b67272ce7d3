#include <algorithm>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cpp/readers/readers.h"
#include "client/cpp/readers/text_numbers.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

namespace fs = std::filesystem;

struct ChainFile {
  int64_t chain = 0;
  std::string path;
};

// `root_7.txt` -> root and 7; false for any other name.
bool SplitChainFile(absl::string_view path, std::string& root, int64_t& chain) {
  if (!absl::ConsumeSuffix(&path, ".txt")) return false;
  const size_t underscore = path.rfind('_');
  if (underscore == absl::string_view::npos) return false;
  const absl::string_view digits = path.substr(underscore + 1);
  if (digits.empty() || digits.find_first_not_of("0123456789") != absl::string_view::npos) return false;
  root = std::string(path.substr(0, underscore));
  return absl::SimpleAtoi(digits, &chain);
}

std::vector<ChainFile> ChainsOf(const std::string& root) {
  std::vector<ChainFile> chains;
  const fs::path folder = fs::path(root).has_parent_path() ? fs::path(root).parent_path() : fs::path(".");
  const std::string stem = fs::path(root).filename().string();
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    ChainFile file;
    std::string found;
    if (SplitChainFile(entry.path().filename().string(), found, file.chain) && found == stem) {
      file.path = root + "_" + std::to_string(file.chain) + ".txt";
      if (fs::exists(file.path, error)) chains.push_back(file);
    }
  }
  std::sort(chains.begin(), chains.end(), [](const ChainFile& a, const ChainFile& b) { return a.chain < b.chain; });
  return chains;
}

absl::Status AddChain(const ChainFile& file, bool keep_chain, Table& table) {
  ABSL_ASSIGN_OR_RETURN(const std::string text, ReadFile(file.path));
  ABSL_ASSIGN_OR_RETURN(const TextNumbers numbers, ParseNumbers(file.path, text, ' '));
  const int64_t d = numbers.num_columns - 2;
  if (d < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path, " has ", numbers.num_columns, " columns, expected weight, -log L and parameters"));
  }
  if (table.columns.empty()) table.columns.resize(d);
  if (d != static_cast<int64_t>(table.columns.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path, " has ", d, " parameters, the chains before have ", table.columns.size()));
  }
  for (int64_t row = 0; row < numbers.num_rows; ++row) {
    const double* cells = numbers.values.data() + row * numbers.num_columns;
    table.weight.push_back(cells[0]);
    table.log_likelihood.push_back(-cells[1]);
    for (int64_t column = 0; column < d; ++column) table.columns[column].values.push_back(cells[2 + column]);
    if (keep_chain) table.chain.push_back(file.chain);
  }
  table.num_rows += numbers.num_rows;
  if (keep_chain)
    table.notes.push_back(absl::StrCat("chain ", file.chain, ": ", numbers.num_rows, " rows of ", file.path));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Table> ReadGetDist(const std::string& path) {
  std::error_code error;
  std::string root = path;
  std::vector<ChainFile> chains;
  int64_t chain = 0;
  if (SplitChainFile(path, root, chain) && fs::exists(path, error)) {
    chains = ChainsOf(root);
    if (chains.empty() || chains.front().chain != chain) chains = {{chain, path}};
  } else if (absl::EndsWith(path, ".txt")) {
    root = path.substr(0, path.size() - 4);
    if (fs::is_regular_file(path, error)) chains = {{0, path}};
  } else {
    root = std::string(absl::StripSuffix(path, ".paramnames"));
    chains = ChainsOf(root);
    if (chains.empty() && absl::EndsWith(root, "_")) {
      root.pop_back();
      chains = ChainsOf(root);
    } else if (chains.empty()) {
      chains = ChainsOf(root + "_");
      if (!chains.empty()) root += "_";
    }
    if (chains.empty() && fs::is_regular_file(root + ".txt", error)) chains = {{0, root + ".txt"}};
  }
  if (chains.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "there is no chain '", path, "': expected a file, or the root of root.txt or root_1.txt, root_2.txt, …"));
  }
  Table table;
  table.row_kind = v1::MCMC;
  table.named = false;
  for (const ChainFile& file : chains) ABSL_RETURN_IF_ERROR(AddChain(file, file.chain != 0, table));
  for (size_t i = 0; i < table.columns.size(); ++i) table.columns[i].name = absl::StrCat("theta", i);
  const std::string names = root + ".paramnames";
  if (fs::exists(names, error)) {
    ABSL_RETURN_IF_ERROR(ReadParamNames(names, table));
  } else {
    table.notes.push_back(absl::StrCat("there is no ", names, ": name the columns with --columns"));
  }
  return table;
}

}  // namespace creamery
