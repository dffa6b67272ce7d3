#include "server/model_directory.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr absl::string_view kVersions = "/versions/";

// `projects/{p}/models/{m}` of the name of a model or a version; all of it if there is no fourth slash.
absl::string_view ModelPart(absl::string_view name) {
  size_t end = 0;
  for (int slashes = 0; end < name.size(); ++end) {
    if (name[end] == '/' && ++slashes == 4) break;
  }
  return name.substr(0, end);
}

// A number as it is written: 1 or more, without zeros in front, below 10^18.
bool IsPlainNumber(absl::string_view text) {
  return !text.empty() && text.size() <= 18 && text[0] != '0' &&
         std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

absl::Status NoAlias(const VersionName& name, const std::map<std::string, int64_t>& aliases) {
  const auto format = [](std::string* out, const auto& entry) { out->append(entry.first); };
  return absl::NotFoundError(absl::StrCat(name.model_name().ToString(), " has no alias '", name.alias, "'; it has ",
                                          aliases.empty() ? "none" : absl::StrJoin(aliases, ", ", format)));
}

}  // namespace

std::shared_ptr<const ModelDirectory::Head> ModelDirectory::MakeHead(absl::string_view model, int64_t latest_version,
                                                                     std::map<std::string, int64_t> aliases) {
  std::string latest = latest_version == 0 ? "" : absl::StrCat(model, kVersions, latest_version);
  return std::make_shared<const Head>(Head{std::move(latest), std::move(aliases)});
}

absl::StatusOr<std::unique_ptr<ModelDirectory>> ModelDirectory::Load(Registry& registry) {
  ABSL_ASSIGN_OR_RETURN(std::vector<ModelHead> heads, registry.ModelHeads());
  auto directory = absl::WrapUnique(new ModelDirectory(registry));
  MutexLock lock(&directory->mu_);
  for (ModelHead& head : heads) {
    directory->heads_[head.model] = MakeHead(head.model, head.latest_version, std::move(head.aliases));
  }
  return directory;
}

std::shared_ptr<const ModelDirectory::Head> ModelDirectory::Find(absl::string_view model) const {
  MutexLock lock(&mu_);
  const auto found = heads_.find(model);
  return found == heads_.end() ? nullptr : found->second;
}

absl::StatusOr<std::string> ModelDirectory::Resolve(absl::string_view name) const {
  const absl::string_view model = ModelPart(name);
  const std::shared_ptr<const Head> head = Find(model);
  if (head == nullptr) {
    ABSL_RETURN_IF_ERROR(VersionName::Parse(name).status());
    return absl::NotFoundError(absl::StrCat("there is no model ", model));
  }
  // What is asked most is answered without taking the name apart: that of a known model is a good one.
  absl::string_view selector = name.substr(model.size());
  if (absl::ConsumePrefix(&selector, kVersions) && IsPlainNumber(selector)) return std::string(name);
  VersionName version;
  if (name.size() > model.size()) {
    ABSL_ASSIGN_OR_RETURN(version, VersionName::Parse(name));
  }
  if (version.number > 0) return version.ToString();
  if (!version.alias.empty()) {
    const auto alias = head->aliases.find(version.alias);
    if (alias == head->aliases.end()) return NoAlias(version, head->aliases);
    return absl::StrCat(model, kVersions, alias->second);
  }
  if (head->latest.empty()) return absl::NotFoundError(absl::StrCat(model, " has no version"));
  return head->latest;
}

absl::Status ModelDirectory::Refresh(const ModelName& name) {
  const std::string full_name = name.ToString();
  MutexLock refresh_lock(&refresh_mu_);
  const absl::StatusOr<v1::Model> model = registry_.GetModel(name);
  if (!model.ok() && !absl::IsNotFound(model.status())) return model.status();
  std::shared_ptr<const Head> head;
  if (model.ok())
    head = MakeHead(full_name, model->latest_version(), {model->aliases().begin(), model->aliases().end()});
  MutexLock lock(&mu_);
  if (head == nullptr) {
    heads_.erase(full_name);
  } else {
    heads_[full_name].swap(head);  // the older one is freed after the lock
  }
  return absl::OkStatus();
}

}  // namespace creamery
