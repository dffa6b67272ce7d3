#include "proto/support/resource_names.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/status_macros.h"
#include "proto/support/text_check.h"

namespace creamery {
namespace {

constexpr char kVersionPattern[] = "projects/{project}/models/{model}[/versions/{number, alias or latest}]";

absl::Status BadName(absl::string_view given, absl::string_view pattern) {
  return absl::InvalidArgumentError(absl::StrCat("name '", Shown(given), "', expected ", pattern));
}

// Splits `name` along `pattern`, whose parts in braces are ids: returns the ids in order.
absl::StatusOr<std::vector<std::string>> ParseIds(absl::string_view name, absl::string_view pattern) {
  const std::vector<absl::string_view> given = absl::StrSplit(name, '/');
  const std::vector<absl::string_view> expected = absl::StrSplit(pattern, '/');
  if (given.size() != expected.size()) return BadName(name, pattern);
  std::vector<std::string> ids;
  for (size_t i = 0; i < given.size(); ++i) {
    if (expected[i].front() == '{') {
      const absl::string_view what = expected[i].substr(1, expected[i].size() - 2);
      if (absl::Status status = CheckId(absl::StrCat(what, " id"), given[i]); !status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat("name '", Shown(name), "': ", status.message()));
      }
      ids.emplace_back(given[i]);
    } else if (given[i] != expected[i]) {
      return BadName(name, pattern);
    }
  }
  return ids;
}

// Fills number or alias of `version` from what follows `versions/` or `@`.
absl::Status ParseSelector(absl::string_view selector, VersionName& version) {
  if (selector == "latest") return absl::OkStatus();
  if (!selector.empty() && std::all_of(selector.begin(), selector.end(), absl::ascii_isdigit)) {
    // One name for one version: 01 is none.
    if (selector[0] != '0' && absl::SimpleAtoi(selector, &version.number)) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("version number '", Shown(selector), "', expected 1 or more, without zeros in front"));
  }
  ABSL_RETURN_IF_ERROR(CheckAlias(selector));
  version.alias = std::string(selector);
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckId(absl::string_view what, absl::string_view id) {
  const bool good = !id.empty() && id.size() <= 63 && absl::ascii_isalnum(id[0]) &&
                    std::all_of(id.begin(), id.end(),
                                [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-'; });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " '", Shown(id), "', expected 1 to 63 of A-Z a-z 0-9 . _ - and a letter or digit first"));
}

absl::Status CheckAlias(absl::string_view alias) {
  ABSL_RETURN_IF_ERROR(CheckId("alias", alias));
  if (absl::ascii_isalpha(alias[0]) && alias != "latest") return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("alias '", alias, "', expected a letter first and another word than 'latest'"));
}

absl::StatusOr<ProjectName> ProjectName::Parse(absl::string_view name) {
  ABSL_ASSIGN_OR_RETURN(const auto ids, ParseIds(name, "projects/{project}"));
  return ProjectName{ids[0]};
}
std::string ProjectName::ToString() const { return absl::StrCat("projects/", project); }

absl::StatusOr<DatasetName> DatasetName::Parse(absl::string_view name) {
  ABSL_ASSIGN_OR_RETURN(const auto ids, ParseIds(name, "projects/{project}/datasets/{dataset}"));
  return DatasetName{ids[0], ids[1]};
}
std::string DatasetName::ToString() const { return absl::StrCat("projects/", project, "/datasets/", dataset); }

absl::StatusOr<JobName> JobName::Parse(absl::string_view name) {
  ABSL_ASSIGN_OR_RETURN(const auto ids, ParseIds(name, "projects/{project}/jobs/{job}"));
  return JobName{ids[0], ids[1]};
}
std::string JobName::ToString() const { return absl::StrCat("projects/", project, "/jobs/", job); }

absl::StatusOr<ModelName> ModelName::Parse(absl::string_view name) {
  ABSL_ASSIGN_OR_RETURN(const auto ids, ParseIds(name, "projects/{project}/models/{model}"));
  return ModelName{ids[0], ids[1]};
}
std::string ModelName::ToString() const { return absl::StrCat("projects/", project, "/models/", model); }

absl::StatusOr<VersionName> VersionName::Parse(absl::string_view name) {
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  if (parts.size() != 4 && !(parts.size() == 6 && parts[4] == "versions")) return BadName(name, kVersionPattern);
  const absl::string_view model_part =
      name.substr(0, parts[0].size() + parts[1].size() + parts[2].size() + parts[3].size() + 3);
  absl::StatusOr<ModelName> model = ModelName::Parse(model_part);
  if (!model.ok()) return parts.size() == 4 ? model.status() : BadName(name, kVersionPattern);
  VersionName version{model->project, model->model, 0, {}};
  if (parts.size() == 6) {
    if (absl::Status status = ParseSelector(parts[5], version); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("name '", Shown(name), "': ", status.message()));
    }
  }
  return version;
}

std::string VersionName::ToString() const {
  std::string prefix = model_name().ToString();
  if (number != 0) return absl::StrCat(prefix, "/versions/", number);
  if (!alias.empty()) return absl::StrCat(prefix, "/versions/", alias);
  return prefix;
}

absl::StatusOr<DatasetName> ParseTypedDataset(absl::string_view typed) {
  if (absl::StartsWith(typed, "projects/")) {
    // `projects/chain` may also be what somebody types for a project called "projects".
    if (absl::StatusOr<DatasetName> full = DatasetName::Parse(typed); full.ok()) return full;
  }
  absl::StatusOr<std::vector<std::string>> ids = ParseIds(typed, "{project}/{dataset}");
  if (!ids.ok()) return BadName(typed, "project/dataset");
  return DatasetName{(*ids)[0], (*ids)[1]};
}

absl::StatusOr<VersionName> ParseTypedVersion(absl::string_view typed) {
  if (absl::StartsWith(typed, "projects/")) {
    if (absl::StatusOr<VersionName> full = VersionName::Parse(typed); full.ok()) return full;
  }
  const std::pair<absl::string_view, absl::string_view> halves = absl::StrSplit(typed, absl::MaxSplits('@', 1));
  absl::StatusOr<std::vector<std::string>> ids = ParseIds(halves.first, "{project}/{model}");
  if (!ids.ok()) return BadName(typed, "project/model, project/model@number or project/model@alias");
  VersionName version{(*ids)[0], (*ids)[1], 0, {}};
  if (absl::StrContains(typed, '@')) {
    if (absl::Status status = ParseSelector(halves.second, version); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("name '", Shown(typed), "': ", status.message()));
    }
  }
  return version;
}

}  // namespace creamery
