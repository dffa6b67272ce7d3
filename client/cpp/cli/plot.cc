// `creamery plot`: corner plots are drawn by the Python client, which has the libraries for them.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "client/cpp/cli/cli.h"
#include "proto/support/status_macros.h"

extern char** environ;

namespace creamery::cli {
namespace {

struct PlotArguments {
  std::string model, chain, dataset;
  std::string out = "corner.png";
};

// The exit code of a program with these arguments, found on PATH.
absl::StatusOr<int> Run(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t child = 0;
  if (const int error = posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ); error != 0) {
    return absl::NotFoundError(absl::StrCat("'", words[0], "' cannot be run: ", std::strerror(error)));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR)
      return absl::InternalError(absl::StrCat("waiting for '", words[0], "': ", std::strerror(errno)));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// python -m would look for every module in the working directory first, where a chain's folder may hold anything.
constexpr char kProgram[] =
    "import sys; sys.path[:] = [each for each in sys.path if each]; from runpy import run_module; "
    "run_module('creamery.plot', run_name='__main__', alter_sys=True)";

absl::Status Plot(const Context& context, const PlotArguments& arguments) {
  ABSL_RETURN_IF_ERROR(context.settings.status());
  const char* python = std::getenv("CREAMERY_PYTHON");
  std::vector<std::string> words = {python == nullptr || *python == '\0' ? "python3" : python, "-c", kProgram,
                                    absl::StrCat("--model=", arguments.model), absl::StrCat("--out=", arguments.out)};
  if (!arguments.chain.empty()) words.push_back(absl::StrCat("--chain=", arguments.chain));
  if (!arguments.dataset.empty()) words.push_back(absl::StrCat("--dataset=", arguments.dataset));
  for (const Setting& setting : context.settings.all()) {
    const std::string key = setting.key;
    const std::string value = context.settings.ForServer(setting);
    if (key == "project" || value.empty()) continue;  // the names are whole
    words.push_back(absl::StrCat("--", key, "=", value));
  }
  ABSL_ASSIGN_OR_RETURN(const int code, Run(words));
  if (code == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("no plot was made: '", words[0], " -m creamery.plot' ended with ", code,
                   "; it needs the Python client and a library that plots: pip install './client/python[anesthetic]', "
                   "or CREAMERY_PYTHON=python of the environment that has them"));
}

}  // namespace

void AddPlot(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<PlotArguments>();
  CLI::App* command = AddCommand(app, context, "plot", "Corner plot of a model, and of the chain it should follow",
                                 [&context, arguments] { return Plot(context, *arguments); });
  NameOf(Named::kModel, command->add_option("MODEL", arguments->model, "PROJECT/MODEL[@VERSION]")->required(), context);
  CLI::Option* chain = command->add_option("--chain", arguments->chain, "Chain file or root to draw with it");
  NameOf(Named::kDataset, command->add_option("--dataset", arguments->dataset, "PROJECT/NAME of rows to draw with it"),
         context)
      ->excludes(chain);
  command->add_option("--out", arguments->out, "Picture to write, by its ending: .png, .pdf, .svg")
      ->capture_default_str();
  command->footer("Drawn by the Python client (python3, or $CREAMERY_PYTHON).");
}

}  // namespace creamery::cli
