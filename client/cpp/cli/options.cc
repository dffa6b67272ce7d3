#include "client/cpp/cli/options.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/cli/mistakes.h"

namespace creamery::cli {

CLI::Option* NameOf(Named named, CLI::Option* option, Context& context) {
  context.candidates[option].named = named;
  // The options of the program are read before those of its commands: --project is known here.
  return option->transform([&context](const std::string& name) {
    const bool prior = name.find('~') != std::string::npos;  // 'a~uniform(0,1)' is no name
    const bool whole = name.empty() || prior || name.find('/') != std::string::npos;
    return whole || context.settings.project().empty() ? name : absl::StrCat(context.settings.project(), "/", name);
  });
}

CLI::Option* ProjectToList(CLI::Option* option, Context& context) {
  context.candidates[option].named = Named::kProject;
  return option;
}

CLI::Option* OneOf(std::vector<std::string> words, CLI::Option* option, Context& context) {
  context.candidates[option].words = words;
  return option->check([words = std::move(words)](const std::string& given) -> std::string {
    for (const std::string& word : words) {
      if (word == given) return "";
    }
    return absl::StrCat("'", given, "'", OrNear(given, words, "choices"));
  });
}

}  // namespace creamery::cli
