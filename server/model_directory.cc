#include "server/model_directory.h"

#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

std::string AliasNames(const ModelHead& head) {
  return absl::StrJoin(head.aliases, ", ", [](std::string* out, const auto& entry) { out->append(entry.first); });
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelDirectory>> ModelDirectory::Load(Registry& registry) {
  ABSL_ASSIGN_OR_RETURN(std::vector<ModelHead> heads, registry.ModelHeads());
  auto directory = absl::WrapUnique(new ModelDirectory(registry));
  MutexLock lock(&directory->mu_);
  for (ModelHead& head : heads) {
    std::string name = head.model;
    directory->heads_[std::move(name)] = std::move(head);
  }
  return directory;
}

absl::StatusOr<VersionName> ModelDirectory::Resolve(const VersionName& name) const {
  const std::string model = name.model_name().ToString();
  MutexLock lock(&mu_);
  const auto found = heads_.find(model);
  if (found == heads_.end()) return absl::NotFoundError(absl::StrCat("there is no model ", model));
  const ModelHead& head = found->second;
  VersionName resolved = name;
  resolved.alias.clear();
  if (name.number > 0) return resolved;
  if (!name.alias.empty()) {
    const auto alias = head.aliases.find(name.alias);
    if (alias == head.aliases.end()) {
      return absl::NotFoundError(
          absl::StrCat(model, " has no alias '", name.alias, "'",
                       head.aliases.empty() ? "; it has none" : absl::StrCat("; it has ", AliasNames(head))));
    }
    resolved.number = alias->second;
    return resolved;
  }
  if (head.latest_version == 0) return absl::NotFoundError(absl::StrCat(model, " has no version"));
  resolved.number = head.latest_version;
  return resolved;
}

absl::Status ModelDirectory::Refresh(const ModelName& name) {
  const std::string full_name = name.ToString();
  MutexLock refresh_lock(&refresh_mu_);
  const absl::StatusOr<v1::Model> model = registry_.GetModel(name);
  if (!model.ok() && !absl::IsNotFound(model.status())) return model.status();
  MutexLock lock(&mu_);
  if (!model.ok()) {
    heads_.erase(full_name);
    return absl::OkStatus();
  }
  ModelHead& head = heads_[full_name];
  head.model = full_name;
  head.latest_version = model->latest_version();
  head.aliases = {model->aliases().begin(), model->aliases().end()};
  return absl::OkStatus();
}

}  // namespace creamery
