#include "client/cpp/cli/mistakes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace creamery::cli {
namespace {

// Letters to insert, remove, replace or swap with their neighbour: the restricted Damerau-Levenshtein distance.
size_t Edits(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> edits(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      size_t& best = edits[i][j];
      if (i == 0 || j == 0) {
        best = i + j;
        continue;
      }
      best = std::min({edits[i - 1][j] + 1, edits[i][j - 1] + 1, edits[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        best = std::min(best, edits[i - 2][j - 2] + 1);
      }
    }
  }
  return edits[a.size()][b.size()];
}

// The command that was reached: "models list".
std::pair<const CLI::App*, std::string> Reached(const CLI::App& app) {
  const CLI::App* command = &app;
  std::string words;
  while (true) {
    const auto parsed = command->get_subcommands();
    if (parsed.empty()) return {command, words};
    command = parsed.back();
    absl::StrAppend(&words, words.empty() ? "" : " ", command->get_name());
  }
}

}  // namespace

std::vector<std::string> Near(absl::string_view word, const std::vector<std::string>& words) {
  constexpr size_t kMostNear = 4;
  constexpr size_t kLongestWord = 64;  // of those that are worth a comparison
  std::vector<std::pair<size_t, std::string>> near;
  if (word.empty() || word.size() > kLongestWord) return {};
  for (const std::string& candidate : words) {
    const size_t edits = Edits(word, candidate);
    const size_t dashes = absl::StartsWith(word, "--") ? 2 : 0;  // of an option: no letters that could be wrong
    const size_t length = std::max(word.size(), candidate.size()) - dashes;
    const bool begun = word.size() > 1 && absl::StartsWith(candidate, word);
    if (begun || edits <= std::max<size_t>(1, length / 3)) near.emplace_back(begun ? 0 : edits, candidate);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (near.size() > kMostNear) near.resize(kMostNear);
  std::vector<std::string> names;
  for (auto& [edits, name] : near) names.push_back(std::move(name));
  return names;
}

std::string OrNear(absl::string_view word, const std::vector<std::string>& words, absl::string_view what) {
  std::vector<std::string> near = Near(word, words);
  if (near.empty()) return absl::StrCat("; the ", what, " are ", absl::StrJoin(words, ", "));
  return absl::StrCat("; did you mean ", absl::StrJoin(near, " or "), "?");
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_name().empty()) names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* level = &app; level != nullptr; level = level->get_parent()) {
    for (const CLI::Option* option : level->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        const std::string dashed = absl::StrCat("--", name);
        if (std::find(names.begin(), names.end(), dashed) == names.end()) names.push_back(dashed);
      }
    }
  }
  return names;
}

std::string Explain(const CLI::App& app, const CLI::ParseError& error) {
  const bool left_over = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  const bool required = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
  if (!left_over && !required) return error.what();
  const auto [command, words] = Reached(app);
  const std::vector<std::string> unknown = app.remaining(true);
  const std::string path = words.empty() ? "" : absl::StrCat(words, " ");
  const std::vector<std::string> commands = CommandNames(*command);
  if (!commands.empty() && !unknown.empty() && !absl::StartsWith(unknown.front(), "-")) {
    return absl::StrCat("there is no command '", path, unknown.front(), "'",
                        OrNear(unknown.front(), commands, "commands"));
  }
  // A mistyped option explains a missing one, and comes first.
  for (const std::string& word : unknown) {
    if (!absl::StartsWith(word, "-") || word == "-") continue;
    const std::string name = word.substr(0, word.find('='));
    return absl::StrCat(words.empty() ? "there is no option '" : absl::StrCat("'", words, "' has no option '"), name,
                        "'", OrNear(name, OptionNames(*command), "options"));
  }
  if (commands.empty()) {
    if (unknown.empty() || required) return error.what();
    return absl::StrCat("'", words, "' takes no further argument '", unknown.front(), "'");
  }
  return absl::StrCat(words.empty() ? "which command? " : absl::StrCat("which command of '", words, "'? "),
                      absl::StrJoin(commands, ", "));
}

}  // namespace creamery::cli
