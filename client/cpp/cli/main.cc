// creamery: the command line. Exit codes: 0 done, 1 an error (on standard error), 2 a mistake in the command line.
#include <cstdio>

#include "client/cpp/cli/cli.h"
#include "client/cpp/cli/mistakes.h"

namespace creamery::cli {
namespace {

int Main(int argc, char** argv) {
  CLI::App app{
      "Ask a Creamery server: upload samples, train densities, query them.\n"
      "Names: PROJECT/NAME, PROJECT/MODEL (the latest version), PROJECT/MODEL@3, PROJECT/MODEL@production."};
  app.name("creamery");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  Context context(app);
  AddProjects(app, context);
  AddDatasets(app, context);
  AddTrain(app, context);
  AddJobs(app, context);
  AddModels(app, context);
  AddAsk(app, context);
  AddStatistics(app, context);
  AddJoint(app, context);
  AddRounds(app, context);
  AddPlot(app, context);
  AddConfig(app, context);
  AddCompletion(app, context);
  AddManual(app, context);
  if (argc == 3 && std::string(argv[1]) == "__complete") {
    for (const std::string& word : Complete(app, context, argv[2])) Out("%s\n", word);
    return 0;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    Err("creamery: %s\nTry 'creamery --help', or '--help' after a command.\n", Explain(app, error));
    return 2;
  }
  const absl::Status status = context.command();
  if (std::fflush(stdout) != 0) {
    Err("creamery: RESOURCE_EXHAUSTED: standard output cannot be written\n");
    return 1;
  }
  if (status.ok()) return 0;
  Err("creamery: %s: %s\n", absl::StatusCodeToString(status.code()), status.message());
  return IsUsage(status) ? 2 : 1;
}

}  // namespace
}  // namespace creamery::cli

int main(int argc, char** argv) { return creamery::cli::Main(argc, argv); }
