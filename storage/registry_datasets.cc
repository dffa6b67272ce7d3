#include <google/protobuf/util/message_differencer.h>

#include "proto/support/rows.h"
#include "proto/support/timestamps.h"
#include "storage/page_token.h"
#include "storage/registry_impl.h"

namespace creamery {
namespace {

// What a creator says: no output-only field.
v1::Dataset SchemaOf(v1::Dataset dataset) {
  dataset.clear_revision();
  dataset.clear_num_rows();
  dataset.clear_num_rows_outside();
  dataset.clear_digest();
  dataset.clear_create_time();
  dataset.clear_creator();
  return dataset;
}

// An upload that was killed between its two calls leaves a dataset without rows. Whoever creates the same again gets
// it, and appends to it; two who do so at once are told apart by expected_num_rows.
absl::StatusOr<v1::Dataset> TakeOver(Database& db, const DatasetName& name, const v1::Dataset& wanted) {
  ABSL_ASSIGN_OR_RETURN(DatasetRow row, LoadDataset(db, name));
  const std::string exists = absl::StrCat("dataset '", name.ToString(), "' exists already");
  if (row.dataset.revision() != 0) return absl::AlreadyExistsError(exists);
  if (google::protobuf::util::MessageDifferencer::Equals(SchemaOf(row.dataset), wanted)) return std::move(row.dataset);
  return absl::AlreadyExistsError(absl::StrCat(exists,
                                               " without rows, and with another schema or description: create it "
                                               "again as it was, or delete it first"));
}

}  // namespace

absl::StatusOr<v1::Dataset> RegistryImpl::CreateDataset(const Caller& caller, const DatasetName& name,
                                                        const v1::Dataset& schema) {
  ABSL_RETURN_IF_ERROR(CheckId("dataset id", name.dataset));
  ABSL_RETURN_IF_ERROR(CheckSchema(schema));
  return WriteOnce<v1::Dataset>(caller, Space::kKeepReserve, [&](Database& db) -> absl::StatusOr<v1::Dataset> {
    ABSL_RETURN_IF_ERROR(RequireProject(db, name.project));
    Statement query(db, "SELECT 1 FROM datasets WHERE project = ? AND dataset = ?", name.project, name.dataset);
    ABSL_ASSIGN_OR_RETURN(const bool taken, query.Step());
    v1::Dataset record = SchemaOf(schema);
    record.set_name(name.ToString());
    if (taken) return TakeOver(db, name, record);
    *record.mutable_create_time() = ToTimestamp(caller.time);
    record.set_creator(caller.principal);
    ABSL_RETURN_IF_ERROR(db.Run("INSERT INTO datasets (project, dataset, record) VALUES (?, ?, ?)", name.project,
                                name.dataset, Bytes{record.SerializeAsString()}));
    ABSL_ASSIGN_OR_RETURN(DatasetRow row, LoadDataset(db, name));
    return std::move(row.dataset);
  });
}

absl::StatusOr<v1::Dataset> RegistryImpl::AppendPart(const Caller& caller, const DatasetName& name,
                                                     const DatasetPart& part, int64_t expected_num_rows) {
  if (part.num_rows < 1) return absl::InvalidArgumentError("a part has no rows, expected at least 1");
  return WriteOnce<v1::Dataset>(caller, Space::kKeepReserve, [&](Database& db) -> absl::StatusOr<v1::Dataset> {
    ABSL_ASSIGN_OR_RETURN(const DatasetRow before, LoadDataset(db, name));
    if (expected_num_rows >= 0 && expected_num_rows != before.dataset.num_rows()) {
      return absl::AbortedError(absl::StrCat("dataset '", name.ToString(), "' has ", before.dataset.num_rows(),
                                             " rows, expected ", expected_num_rows, ": somebody else appended"));
    }
    ABSL_RETURN_IF_ERROR(NameBlob(db, *blobs_, part.digest).status());
    ABSL_ASSIGN_OR_RETURN(const std::string digest, DigestOfParts(db, before.id, part.digest));
    ABSL_RETURN_IF_ERROR(
        db.Run("INSERT INTO parts (dataset_id, revision, digest, num_rows, total_rows, dataset_digest) "
               "VALUES (?, ?, ?, ?, ?, ?)",
               before.id, before.dataset.revision() + 1, part.digest, part.num_rows,
               before.dataset.num_rows() + part.num_rows, digest));
    if (part.num_rows_outside > 0) {
      v1::Dataset record = before.dataset;
      record.clear_revision();
      record.clear_num_rows();
      record.clear_digest();
      record.set_num_rows_outside(before.dataset.num_rows_outside() + part.num_rows_outside);
      ABSL_RETURN_IF_ERROR(
          db.Run("UPDATE datasets SET record = ? WHERE id = ?", Bytes{record.SerializeAsString()}, before.id));
    }
    ABSL_ASSIGN_OR_RETURN(DatasetRow after, LoadDataset(db, name));
    return std::move(after.dataset);
  });
}

absl::StatusOr<v1::Dataset> RegistryImpl::GetDataset(const DatasetName& name) {
  return GetDatasetRevision(name, 0, nullptr);
}

absl::StatusOr<v1::Dataset> RegistryImpl::GetDatasetRevision(const DatasetName& name, int64_t revision,
                                                             std::vector<DatasetPart>* parts) {
  return Read([&](Database& db) -> absl::StatusOr<v1::Dataset> {
    ABSL_ASSIGN_OR_RETURN(DatasetRow row, LoadDataset(db, name, revision));
    if (parts == nullptr) return std::move(row.dataset);
    parts->clear();
    Statement query(db, "SELECT digest, num_rows FROM parts WHERE dataset_id = ? AND revision <= ? ORDER BY revision",
                    row.id, row.dataset.revision());
    while (true) {
      ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
      if (!more) return std::move(row.dataset);
      parts->push_back({query.Text(0), query.Int(1), 0});
    }
  });
}

absl::StatusOr<Page<v1::Dataset>> RegistryImpl::ListDatasets(const ProjectName& parent, const std::string& parameter,
                                                             const PageRequest& request) {
  std::string listing = parent.ToString() + "/datasets";
  if (!parameter.empty()) absl::StrAppend(&listing, "?parameter=", parameter);
  ABSL_ASSIGN_OR_RETURN(const std::string last, ParsePageToken(listing, request.token));
  const ListPosition from(parent, last);
  return Read([&](Database& db) -> absl::StatusOr<Page<v1::Dataset>> {
    if (!from.all) ABSL_RETURN_IF_ERROR(RequireProject(db, parent.project));
    Statement query(db,
                    from.all
                        ? "SELECT project, dataset FROM datasets WHERE (project, dataset) > (?, ?) "
                          "ORDER BY project, dataset"
                        : "SELECT project, dataset FROM datasets WHERE project = ? AND dataset > ? ORDER BY dataset",
                    from.project, from.id);
    const auto load = [&](const std::string& project,
                          const std::string& id) -> absl::StatusOr<std::optional<v1::Dataset>> {
      ABSL_ASSIGN_OR_RETURN(DatasetRow row, LoadDataset(db, {project, id}));
      if (!parameter.empty() && !HasParameter(row.dataset.parameters(), parameter)) return std::nullopt;
      return std::move(row.dataset);
    };
    return FillSearchPage<v1::Dataset>(query, listing, request, load);
  });
}

absl::Status RegistryImpl::DeleteDataset(const Caller& caller, const DatasetName& name) {
  const auto body = [&](Database& db) -> absl::StatusOr<google::protobuf::Empty> {
    ABSL_ASSIGN_OR_RETURN(const DatasetRow row, LoadDataset(db, name));
    Statement jobs(db, "SELECT project, job FROM jobs WHERE dataset_id = ? AND state <= 2 ORDER BY id", row.id);
    ABSL_ASSIGN_OR_RETURN(const bool needed, jobs.Step());
    if (needed) {
      return absl::FailedPreconditionError(absl::StrCat("dataset '", name.ToString(), "' is needed by job '",
                                                        JobName{jobs.Text(0), jobs.Text(1)}.ToString(),
                                                        "', which has not ended: cancel it or wait"));
    }
    ABSL_RETURN_IF_ERROR(db.Run("DELETE FROM datasets WHERE id = ?", row.id));
    return google::protobuf::Empty();
  };
  return WriteOnce<google::protobuf::Empty>(caller, Space::kUseReserve, body).status();
}

}  // namespace creamery
