// What a person may have meant who mistyped a word of the command line.
#ifndef CREAMERY_CLIENT_CPP_CLI_MISTAKES_H_
#define CREAMERY_CLIENT_CPP_CLI_MISTAKES_H_

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace creamery::cli {

// Those of `words` that `word` may stand for, nearest first: a few edits away, or begun.
std::vector<std::string> Near(absl::string_view word, const std::vector<std::string>& words);

// "; did you mean a or b?", or "; the `what` are a, b, c" if none is near.
std::string OrNear(absl::string_view word, const std::vector<std::string>& words, absl::string_view what);

// Why the command line could not be parsed: which command or option does not exist, and which are near.
std::string Explain(const CLI::App& app, const CLI::ParseError& error);

// Every command of `app`, by name; every long option that is understood there, with its dashes.
std::vector<std::string> CommandNames(const CLI::App& app);
std::vector<std::string> OptionNames(const CLI::App& app);

}  // namespace creamery::cli

#endif  // CREAMERY_CLIENT_CPP_CLI_MISTAKES_H_
