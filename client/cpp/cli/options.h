// Options that name something on the server, or one of a few words: completed at the prompt, and, where a project is
// set, understood without it.
#ifndef CREAMERY_CLIENT_CPP_CLI_OPTIONS_H_
#define CREAMERY_CLIENT_CPP_CLI_OPTIONS_H_

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <map>
#include <string>
#include <vector>

namespace creamery::cli {

struct Context;

enum class Named { kNothing, kProject, kModel, kDataset, kJob };

// What completion may offer for an option's value.
struct Candidates {
  Named named = Named::kNothing;
  std::vector<std::string> words;
};
using CandidatesOf = std::map<const CLI::Option*, Candidates>;

// Marks an option as the name of a model, dataset or job: `desi` is `PROJECT/desi` if a project is set.
CLI::Option* NameOf(Named named, CLI::Option* option, Context& context);
// Marks an option as a project: `-` is all of them, and nothing is the one that is set, else all.
CLI::Option* ProjectToList(CLI::Option* option, Context& context);
// The option takes one of these words.
CLI::Option* OneOf(std::vector<std::string> words, CLI::Option* option, Context& context);

}  // namespace creamery::cli

#endif  // CREAMERY_CLIENT_CPP_CLI_OPTIONS_H_
