// creamery: the command line. Exit codes: 0 done, 1 an error (on standard error), 2 a mistake in the command line.
#include <cstdio>

#include "client/cpp/cli/cli.h"

namespace creamery::cli {
namespace {

int Main(int argc, char** argv) {
  Context context;
  CLI::App app{
      "Ask a Creamery server: upload samples, train densities, query them.\n"
      "Names: PROJECT/NAME, PROJECT/MODEL (the latest version), PROJECT/MODEL@3, PROJECT/MODEL@production."};
  app.name("creamery");
  app.set_version_flag("--version", "creamery 0.1.0");
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  context.server = "localhost:50051";
  app.add_option("--server", context.server, "Address of the server, host:port or unix:PATH")
      ->envname("CREAMERY_SERVER")
      ->capture_default_str();
  app.add_option("--token-file", context.options.token_file, "File with the bearer token")
      ->envname("CREAMERY_TOKEN_FILE");
  app.add_option("--tls-ca", context.options.tls_ca, "PEM file of the authority of the server's certificate; needs TLS")
      ->envname("CREAMERY_TLS_CA");
  app.add_flag("--tls", context.options.tls, "TLS with the system's authorities");
  app.add_flag("--insecure", context.options.insecure, "Send the token in the clear to another machine");
  AddDatasets(app, context);
  AddTrain(app, context);
  AddJobs(app, context);
  AddModels(app, context);
  AddAsk(app, context);
  AddStatistics(app, context);
  AddJoint(app, context);
  AddRounds(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::fprintf(stderr, "creamery: %s\nTry 'creamery --help', or '--help' after a command.\n", error.what());
    return 2;
  }
  const absl::Status status = context.command();
  if (std::fflush(stdout) != 0) {
    std::fprintf(stderr, "creamery: RESOURCE_EXHAUSTED: standard output cannot be written\n");
    return 1;
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "creamery: %s: %s\n", absl::StatusCodeToString(status.code()).c_str(),
               std::string(status.message()).c_str());
  return IsUsage(status) ? 2 : 1;
}

}  // namespace
}  // namespace creamery::cli

int main(int argc, char** argv) { return creamery::cli::Main(argc, argv); }
