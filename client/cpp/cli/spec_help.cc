#include "client/cpp/cli/spec_help.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cpp/spec_docs.h"
#include "client/cpp/spec_options.h"

namespace creamery::cli {
namespace {

constexpr size_t kWidth = 100;

// Words in lines of at most kWidth characters, each after `indent` spaces.
std::string Wrap(absl::string_view text, size_t indent) {
  std::string wrapped;
  size_t column = kWidth;
  for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (column + 1 + word.size() > kWidth) {
      absl::StrAppend(&wrapped, wrapped.empty() ? "" : "\n", std::string(indent, ' '), word);
      column = indent + word.size();
    } else {
      absl::StrAppend(&wrapped, " ", word);
      column += 1 + word.size();
    }
  }
  return absl::StrCat(wrapped, "\n");
}

std::string Describe(const std::vector<SpecOption>& options) {
  std::string text;
  for (const SpecOption& option : options) {
    absl::StrAppend(&text, "  ", option.name, "=", option.type, "\n", Wrap(option.meaning, 6));
    for (const auto& [value, meaning] : option.values)
      absl::StrAppend(&text, Wrap(absl::StrCat(value, ": ", meaning), 8));
  }
  return text;
}

}  // namespace

std::string SpecHelp(absl::string_view family) {
  std::string text;
  for (const std::string& name : FamilyNames()) {
    if (!family.empty() && name != family) continue;
    absl::StrAppend(&text, "--set for --family=", name, ":\n", Wrap(FamilyMeaning(name), 4),
                    Describe(FamilyOptions(name)), "\n");
  }
  return absl::StrCat(text, "--set for every family:\n", Describe(CommonOptions()));
}

}  // namespace creamery::cli
