#include "absl/strings/numbers.h"
#include "proto/support/family_name.h"
#include "proto/support/timestamps.h"
#include "storage/page_token.h"
#include "storage/registry_impl.h"

namespace creamery {
namespace {

constexpr size_t kMaxLabels = 64;
constexpr size_t kMaxLabelBytes = 63;

absl::Status CheckLabels(const std::map<std::string, std::string>& labels) {
  if (labels.size() > kMaxLabels) {
    return absl::InvalidArgumentError(absl::StrCat(labels.size(), " labels, expected at most ", kMaxLabels));
  }
  for (const auto& [key, value] : labels) {
    if (key.empty() || key.size() > kMaxLabelBytes || value.size() > kMaxLabelBytes) {
      return absl::InvalidArgumentError(absl::StrCat("label '", key, "' = '", value, "', expected a key of 1 to ",
                                                     kMaxLabelBytes, " bytes and a value of at most ", kMaxLabelBytes));
    }
  }
  return absl::OkStatus();
}

// Binds page tokens to the search: every part with its length, so that no two searches read the same.
std::string ListingOf(const ProjectName& parent, const ModelQuery& wanted) {
  std::string listing = parent.ToString() + "/models";
  if (wanted.parameter.empty() && wanted.family.empty() && wanted.labels.empty()) return listing;
  const auto append = [&listing](const std::string& text) { absl::StrAppend(&listing, "?", text.size(), ":", text); };
  append(wanted.parameter);
  append(wanted.family);
  for (const auto& [key, value] : wanted.labels) {
    append(key);
    append(value);
  }
  return listing;
}

absl::StatusOr<bool> IsWanted(Database& db, const ModelName& name, const v1::Model& model, const ModelQuery& wanted) {
  for (const auto& [key, value] : wanted.labels) {
    const auto found = model.labels().find(key);
    if (found == model.labels().end() || found->second != value) return false;
  }
  if (wanted.parameter.empty() && wanted.family.empty()) return true;
  if (model.latest_version() == 0) return false;
  ABSL_ASSIGN_OR_RETURN(const v1::ModelVersion version, LoadVersion(db, name, model.latest_version()));
  return (wanted.family.empty() || FamilyName(version.spec()) == wanted.family) &&
         (wanted.parameter.empty() || HasParameter(version.signature().parameters(), wanted.parameter));
}

}  // namespace

absl::StatusOr<v1::Model> RegistryImpl::GetModel(const ModelName& name) {
  return Read([&](Database& db) -> absl::StatusOr<v1::Model> {
    ABSL_ASSIGN_OR_RETURN(ModelRow row, LoadModel(db, name));
    return std::move(row.model);
  });
}

absl::StatusOr<Page<v1::Model>> RegistryImpl::ListModels(const ProjectName& parent, const ModelQuery& wanted,
                                                         const PageRequest& request) {
  const std::string listing = ListingOf(parent, wanted);
  ABSL_ASSIGN_OR_RETURN(const std::string last, ParsePageToken(listing, request.token));
  const ListPosition from(parent, last);
  return Read([&](Database& db) -> absl::StatusOr<Page<v1::Model>> {
    if (!from.all) ABSL_RETURN_IF_ERROR(RequireProject(db, parent.project));
    Statement query(db,
                    from.all ? "SELECT project, model FROM models WHERE (project, model) > (?, ?) "
                               "ORDER BY project, model"
                             : "SELECT project, model FROM models WHERE project = ? AND model > ? ORDER BY model",
                    from.project, from.id);
    const auto load = [&](const std::string& project,
                          const std::string& id) -> absl::StatusOr<std::optional<v1::Model>> {
      ABSL_ASSIGN_OR_RETURN(ModelRow row, LoadModel(db, {project, id}));
      ABSL_ASSIGN_OR_RETURN(const bool is_wanted, IsWanted(db, {project, id}, row.model, wanted));
      if (!is_wanted) return std::nullopt;
      return std::move(row.model);
    };
    return FillSearchPage<v1::Model>(query, listing, request, load);
  });
}

absl::StatusOr<v1::ModelVersion> RegistryImpl::GetVersion(const ModelName& name, int64_t number) {
  return Read([&](Database& db) { return LoadVersion(db, name, number); });
}

absl::StatusOr<Page<v1::ModelVersion>> RegistryImpl::ListVersions(const ModelName& name, const PageRequest& request) {
  const std::string listing = name.ToString() + "/versions";
  ABSL_ASSIGN_OR_RETURN(const std::string token, ParsePageToken(listing, request.token));
  int64_t last = INT64_MAX;
  if (!token.empty() && !absl::SimpleAtoi(token, &last)) return absl::InternalError("a page token without a number");
  return Read([&](Database& db) -> absl::StatusOr<Page<v1::ModelVersion>> {
    ABSL_ASSIGN_OR_RETURN(const ModelRow model, LoadModel(db, name));
    const int size = PageSize(request);
    Statement query(db,
                    "SELECT number, record FROM versions WHERE model_id = ? AND number < ? "
                    "ORDER BY number DESC LIMIT ?",
                    model.id, last, size + 1);
    Page<v1::ModelVersion> page;
    int64_t key = 0;
    while (true) {
      ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
      if (!more) return page;
      if (static_cast<int>(page.items.size()) == size) {
        page.next_token = MakePageToken(listing, absl::StrCat(key));
        return page;
      }
      key = query.Int(0);
      ABSL_ASSIGN_OR_RETURN(v1::ModelVersion version,
                            ParseRecord<v1::ModelVersion>(absl::StrCat(listing, "/", key), query.Text(1)));
      page.items.push_back(std::move(version));
    }
  });
}

absl::StatusOr<std::vector<ModelHead>> RegistryImpl::ModelHeads() {
  return Read([&](Database& db) -> absl::StatusOr<std::vector<ModelHead>> {
    std::vector<ModelHead> heads;
    Statement models(db,
                     "SELECT project, model, (SELECT max(number) FROM versions WHERE model_id = id), alias, "
                     "aliases.number FROM models LEFT JOIN aliases ON model_id = id ORDER BY id");
    while (true) {
      ABSL_ASSIGN_OR_RETURN(const bool more, models.Step());
      if (!more) return heads;
      std::string name = ModelName{models.Text(0), models.Text(1)}.ToString();
      if (heads.empty() || heads.back().model != name) heads.push_back({std::move(name), models.Int(2), {}});
      if (!models.IsNull(3)) heads.back().aliases[models.Text(3)] = models.Int(4);
    }
  });
}

absl::StatusOr<v1::Model> RegistryImpl::SetAlias(const Caller& caller, const ModelName& name, const std::string& alias,
                                                 int64_t version, int64_t expected_version) {
  ABSL_RETURN_IF_ERROR(CheckAlias(alias));
  if (version < 0) return absl::InvalidArgumentError(absl::StrCat("version is ", version, ", expected 0 or more"));
  return WriteOnce<v1::Model>(caller, Space::kUseReserve, [&](Database& db) -> absl::StatusOr<v1::Model> {
    ABSL_ASSIGN_OR_RETURN(const ModelRow before, LoadModel(db, name));
    const auto found = before.model.aliases().find(alias);
    const int64_t current = found == before.model.aliases().end() ? 0 : found->second;
    if (expected_version >= 0 && expected_version != current) {
      return absl::AbortedError(absl::StrCat("alias '", alias, "' of '", name.ToString(), "' points at version ",
                                             current, ", expected ", expected_version, ": somebody else changed it"));
    }
    if (version == 0) {
      if (current == 0) {
        return absl::NotFoundError(absl::StrCat("alias '", alias, "' of '", name.ToString(), "' does not exist"));
      }
      ABSL_RETURN_IF_ERROR(db.Run("DELETE FROM aliases WHERE model_id = ? AND alias = ?", before.id, alias));
    } else {
      ABSL_RETURN_IF_ERROR(LoadVersion(db, name, version).status());
      ABSL_RETURN_IF_ERROR(
          db.Run("INSERT INTO aliases (model_id, alias, number) VALUES (?, ?, ?) "
                 "ON CONFLICT (model_id, alias) DO UPDATE SET number = excluded.number",
                 before.id, alias, version));
    }
    ABSL_ASSIGN_OR_RETURN(ModelRow after, LoadModel(db, name));
    return std::move(after.model);
  });
}

absl::StatusOr<v1::Model> RegistryImpl::UpdateLabels(const Caller& caller, const ModelName& name,
                                                     const std::map<std::string, std::string>& labels) {
  ABSL_RETURN_IF_ERROR(CheckLabels(labels));
  return WriteOnce<v1::Model>(caller, Space::kKeepReserve, [&](Database& db) -> absl::StatusOr<v1::Model> {
    ABSL_ASSIGN_OR_RETURN(ModelRow row, LoadModel(db, name));
    row.model.mutable_labels()->clear();
    row.model.mutable_labels()->insert(labels.begin(), labels.end());
    v1::Model record = row.model;
    record.clear_name();
    record.clear_latest_version();
    record.clear_aliases();
    ABSL_RETURN_IF_ERROR(
        db.Run("UPDATE models SET record = ? WHERE id = ?", Bytes{record.SerializeAsString()}, row.id));
    return std::move(row.model);
  });
}

absl::Status RegistryImpl::DeleteVersion(const Caller& caller, const ModelName& name, int64_t number) {
  const auto body = [&](Database& db) -> absl::StatusOr<google::protobuf::Empty> {
    ABSL_ASSIGN_OR_RETURN(const ModelRow row, LoadModel(db, name));
    ABSL_RETURN_IF_ERROR(LoadVersion(db, name, number).status());
    for (const auto& [alias, target] : row.model.aliases()) {
      if (target != number) continue;
      return absl::FailedPreconditionError(absl::StrCat("version ", number, " of '", name.ToString(),
                                                        "' is what alias '", alias,
                                                        "' points at: move or remove the alias first"));
    }
    Statement needed(db,
                     "SELECT project, job FROM job_versions JOIN jobs ON jobs.id = job_id WHERE model_id = ? AND "
                     "number = ? LIMIT 1",
                     row.id, number);
    ABSL_ASSIGN_OR_RETURN(const bool is_needed, needed.Step());
    if (is_needed) {
      return absl::FailedPreconditionError(absl::StrCat(
          "version ", number, " of '", name.ToString(), "' is needed by job '",
          JobName{needed.Text(0), needed.Text(1)}.ToString(), "', which has not ended: wait for it or cancel it"));
    }
    ABSL_RETURN_IF_ERROR(db.Run("DELETE FROM versions WHERE model_id = ? AND number = ?", row.id, number));
    return google::protobuf::Empty();
  };
  return WriteOnce<google::protobuf::Empty>(caller, Space::kUseReserve, body).status();
}

absl::StatusOr<v1::ModelVersion> RegistryImpl::ImportVersion(const Caller& caller, const ModelName& name,
                                                             const v1::ModelVersion& version,
                                                             const std::string& artifact_digest) {
  ABSL_RETURN_IF_ERROR(CheckId("model id", name.model));
  return WriteOnce<v1::ModelVersion>(caller, Space::kKeepReserve, [&](Database& db) {
    v1::ModelVersion record = version;
    *record.mutable_create_time() = ToTimestamp(caller.time);
    record.set_creator(caller.principal);
    return PublishVersion(db, *blobs_, name, std::move(record), artifact_digest);
  });
}

}  // namespace creamery
