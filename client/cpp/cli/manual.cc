// `creamery man` prints the manual page, made from the same descriptions as --help.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/cli/mistakes.h"
#include "client/cpp/cli/spec_help.h"

namespace creamery::cli {
namespace {

// Plain text for roff: no line may begin with a dot or a quote, and a dash is a dash.
std::string Roff(absl::string_view text) {
  std::string lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::string escaped = absl::StrReplaceAll(line, {{"\\", "\\e"}, {"-", "\\-"}});
    absl::StrAppend(&lines, lines.empty() ? "" : "\n",
                    !line.empty() && (line[0] == '.' || line[0] == '\'') ? "\\&" : "", escaped);
  }
  return lines;
}

std::string OptionsOf(const CLI::App& command) {
  std::string text;
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name(option->get_positional(), true);
    const bool flag = option->get_items_expected_max() == 0 || option->get_positional();
    absl::StrAppend(&text, ".TP\n\\fB", Roff(name), "\\fR",
                    flag ? "" : Roff(absl::StrCat(" ", option->get_type_name())), "\n", Roff(option->get_description()),
                    "\n");
  }
  return text;
}

void AppendCommands(const CLI::App& parent, const std::string& path, std::string* page) {
  for (const CLI::App* command : parent.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string name = absl::StrCat(path, " ", command->get_name());
    if (!CommandNames(*command).empty()) {
      AppendCommands(*command, name, page);
      continue;
    }
    absl::StrAppend(page, ".SS ", Roff(name), "\n", Roff(command->get_description()), ".\n", OptionsOf(*command));
  }
}

}  // namespace

std::string Manual(const CLI::App& app) {
  std::string page = absl::StrCat(".TH CREAMERY 1 \"\" \"", kVersion,
                                  "\" \"User Commands\"\n.SH NAME\ncreamery \\- ask a Creamery server\n",
                                  ".SH SYNOPSIS\n.B creamery\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR ...\n.SH DESCRIPTION\n",
                                  Roff(app.get_description()), "\n.SH OPTIONS\n", OptionsOf(app), ".SH COMMANDS\n");
  AppendCommands(app, "creamery", &page);
  absl::StrAppend(&page, ".SH FAMILIES AND THEIR OPTIONS\n.nf\n", Roff(SpecHelp("")), "\n.fi\n");
  absl::StrAppend(&page, ".SH FILES\n.TP\n\\fI~/.config/creamery/config.toml\\fR\n",
                  "Lines key = \"value\" for server, token_file, tls_ca and project. Options and variables win.\n");
  absl::StrAppend(&page, ".SH EXIT STATUS\n0 done, 1 an error, which is on standard error, 2 a mistake in the command ",
                  "line.\n");
  return page;
}

void AddManual(CLI::App& app, Context& context) {
  AddCommand(app, context, "man", "Print the manual page: creamery man | man -l -", [&app] {
    std::fputs(Manual(app).c_str(), stdout);
    return absl::OkStatus();
  });
}

}  // namespace creamery::cli
