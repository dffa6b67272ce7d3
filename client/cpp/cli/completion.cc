// `creamery completion SHELL` prints what makes a shell ask `creamery __complete LINE` at its prompt; that prints the
// words that may stand at the end of the line, one a line, nothing where files are wanted.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/cli/mistakes.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

// Longest wait for the server at a prompt.
constexpr absl::Duration kPatience = absl::Milliseconds(800);

// bash cuts words at = : @ and wants what follows the cut.
constexpr char kBash[] = R"sh(_creamery() {
  local line=${COMP_LINE:0:COMP_POINT} cur=${COMP_WORDS[COMP_CWORD]} reply
  local word=${line##*[[:space:]]}
  [[ $cur == [=:@] ]] && cur=
  local cut=${word%"$cur"}
  mapfile -t reply < <(creamery __complete "$line" 2>/dev/null)
  COMPREPLY=("${reply[@]#"$cut"}")
  [[ ${#reply[@]} -eq 1 && ${reply[0]} == *[=/] ]] && compopt -o nospace
}
complete -o bashdefault -o default -F _creamery creamery
)sh";
constexpr char kZsh[] = R"sh(#compdef creamery
_creamery() {
  local -a reply
  reply=(${(f)"$(creamery __complete "${(j: :)words[1,CURRENT]}" 2>/dev/null)"})
  if (( ${#reply} )); then
    compadd -Q -- ${reply:#*[=/]}
    compadd -Q -S '' -- ${(M)reply:#*[=/]}
  else
    _files
  fi
}
if [[ $funcstack[1] == _creamery ]]; then  # loaded from fpath at the first completion
  _creamery "$@"
else
  compdef _creamery creamery
fi
)sh";
constexpr char kFish[] = R"sh(function __creamery_complete
  set -l reply (creamery __complete (commandline -cp) 2>/dev/null)
  if test (count $reply) -gt 0
    printf '%s\n' $reply
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c creamery -f -a '(__creamery_complete)'
)sh";

// Ids of the server are printed into a shell: nothing else than ids is.
template <typename Entries>
void AddIds(const Entries& entries, const std::string& before, const std::string& after,
            std::vector<std::string>* words) {
  for (const auto& entry : entries) {
    const std::string id = entry.name().substr(entry.name().rfind('/') + 1);
    if (CheckId("id", id).ok()) words->push_back(absl::StrCat(before, id, after));
  }
}

absl::Status AddNamed(const Client& client, Named named, const std::string& project, const std::string& before,
                      std::vector<std::string>* words) {
  if (named == Named::kModel) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Model> models, client.ListModels(project));
    AddIds(models, before, "", words);
  } else if (named == Named::kDataset) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Dataset> datasets, client.ListDatasets(project));
    AddIds(datasets, before, "", words);
  } else if (named == Named::kJob) {
    ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, client.ListJobs(project));
    AddIds(jobs, before, "", words);
  }
  return absl::OkStatus();
}

// Names that begin with `begun`: projects first, then what is in one.
absl::Status AddNames(const Context& context, Named named, const std::string& begun, std::vector<std::string>* words) {
  ABSL_ASSIGN_OR_RETURN(const Client client, context.settings.ConnectFor(kPatience));
  if (const size_t slash = begun.find('/'); slash != std::string::npos && named != Named::kProject) {
    return AddNamed(client, named, begun.substr(0, slash), begun.substr(0, slash + 1), words);
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Project> projects, client.ListProjects());
  AddIds(projects, "", named == Named::kProject ? "" : "/", words);
  const std::string& project = context.settings.project();
  return project.empty() ? absl::OkStatus() : AddNamed(client, named, project, "", words);
}

std::vector<std::string> ValuesOf(const Context& context, const CLI::Option* option, const std::string& begun) {
  const auto found = context.candidates.find(option);
  if (found == context.candidates.end()) return {};
  std::vector<std::string> words = found->second.words;
  // Without an answer in time there is nothing to offer.
  if (found->second.named != Named::kNothing) AddNames(context, found->second.named, begun, &words).IgnoreError();
  return words;
}

const CLI::Option* OptionCalled(const CLI::App* command, const std::string& word) {
  for (; command != nullptr; command = command->get_parent()) {
    for (const CLI::Option* option : command->get_options()) {
      if (option->check_name(word)) return option;
    }
  }
  return nullptr;
}

// The positional argument that comes after `before` others; the last may be repeated.
const CLI::Option* Positional(const CLI::App& command, size_t before) {
  const CLI::Option* found = nullptr;
  size_t index = 0;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    if (index++ == before) return option;
    found = option->get_items_expected_max() > 1 ? option : nullptr;
  }
  return found;
}

const CLI::App* CommandCalled(const CLI::App& parent, const std::string& word) {
  const auto found = parent.get_subcommands([&](const CLI::App* command) { return command->get_name() == word; });
  return found.empty() ? nullptr : found.front();
}

void Set(Settings& settings, const CLI::Option* option, const std::string& value) {
  for (Setting& setting : settings.all()) {
    if (setting.option == option) setting.value = value;
  }
}

}  // namespace

std::vector<std::string> Complete(const CLI::App& app, Context& context, const std::string& line) {
  std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
  if (line.empty() || absl::EndsWith(line, " ") || words.size() < 2) words.emplace_back();
  const std::string current = words.back();
  const CLI::App* command = &app;
  const CLI::Option* pending = nullptr;  // an option whose value comes next
  size_t positionals = 0;
  for (size_t i = 1; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (pending != nullptr) {
      Set(context.settings, pending, word);
      pending = nullptr;
    } else if (word.size() > 1 && word[0] == '-') {
      const size_t equals = word.find('=');
      const CLI::Option* option = OptionCalled(command, word.substr(0, equals));
      if (option != nullptr && equals != std::string::npos) Set(context.settings, option, word.substr(equals + 1));
      if (option != nullptr && equals == std::string::npos && option->get_items_expected_max() > 0) pending = option;
    } else if (const CLI::App* next = CommandCalled(*command, word); next != nullptr && positionals == 0) {
      command = next;
    } else {
      ++positionals;
    }
  }
  std::vector<std::string> candidates;
  if (pending != nullptr) {
    candidates = ValuesOf(context, pending, current);
  } else if (const size_t equals = current.find('='); current[0] == '-' && equals != std::string::npos) {
    const std::string before = current.substr(0, equals + 1);
    for (const std::string& value :
         ValuesOf(context, OptionCalled(command, current.substr(0, equals)), current.substr(equals + 1))) {
      candidates.push_back(before + value);
    }
  } else if (current[0] == '-') {
    for (const std::string& name : OptionNames(*command)) {
      const bool flag = OptionCalled(command, name)->get_items_expected_max() == 0;
      candidates.push_back(flag ? name : name + "=");
    }
  } else {
    if (positionals == 0) candidates = CommandNames(*command);
    if (candidates.empty()) candidates = ValuesOf(context, Positional(*command, positionals), current);
  }
  candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                  [&](const std::string& word) { return !absl::StartsWith(word, current); }),
                   candidates.end());
  return candidates;
}

void AddCompletion(CLI::App& app, Context& context) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command =
      AddCommand(app, context, "completion", "Print the script that completes commands in a shell", [shell] {
        std::fputs(*shell == "bash" ? kBash : *shell == "zsh" ? kZsh : kFish, stdout);
        return absl::OkStatus();
      });
  OneOf({"bash", "zsh", "fish"}, command->add_option("SHELL", *shell, "bash, zsh or fish")->required(), context);
  command->footer("For good: creamery completion bash > ~/.local/share/bash-completion/completions/creamery");
}

}  // namespace creamery::cli
