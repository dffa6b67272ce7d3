#include "storage/records.h"

#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::Status RequireProject(Database& db, const std::string& project) {
  Statement query(db, "SELECT 1 FROM projects WHERE project = ?", project);
  ABSL_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (found) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("project 'projects/", project, "' does not exist"));
}

absl::StatusOr<int64_t> NameBlob(Database& db, FileBlobStore& blobs, const std::string& digest) {
  ABSL_RETURN_IF_ERROR(blobs.TakeBack(digest).status());
  ABSL_ASSIGN_OR_RETURN(const int64_t size, blobs.SizeOf(digest));
  ABSL_RETURN_IF_ERROR(
      db.Run("INSERT INTO blobs (digest, size) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING", digest, size));
  return size;
}

absl::StatusOr<DatasetRow> LoadDataset(Database& db, const DatasetName& name, int64_t revision) {
  Statement query(db, "SELECT id, record FROM datasets WHERE project = ? AND dataset = ?", name.project, name.dataset);
  ABSL_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return absl::NotFoundError(absl::StrCat("dataset '", name.ToString(), "' does not exist"));
  DatasetRow row;
  row.id = query.Int(0);
  ABSL_ASSIGN_OR_RETURN(row.dataset, ParseRecord<v1::Dataset>(name.ToString(), query.Text(1)));
  row.dataset.set_name(name.ToString());

  Statement part(db,
                 "SELECT revision, total_rows, dataset_digest FROM parts WHERE dataset_id = ?1 AND (?2 = 0 OR "
                 "revision = ?2) ORDER BY revision DESC LIMIT 1",
                 row.id, revision);
  ABSL_ASSIGN_OR_RETURN(const bool has_part, part.Step());
  if (!has_part && revision != 0) {
    return absl::NotFoundError(absl::StrCat("dataset '", name.ToString(), "' has no revision ", revision));
  }
  row.dataset.set_revision(has_part ? part.Int(0) : 0);
  row.dataset.set_num_rows(has_part ? part.Int(1) : 0);
  row.dataset.set_digest(has_part ? part.Text(2) : Sha256Hex(""));
  return row;
}

absl::StatusOr<std::string> DigestOfParts(Database& db, int64_t dataset_id, const std::string& more) {
  Sha256 sha;
  Statement query(db, "SELECT digest FROM parts WHERE dataset_id = ? ORDER BY revision", dataset_id);
  while (true) {
    ABSL_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) break;
    sha.Update(query.Text(0));
  }
  sha.Update(more);
  return sha.Finish();
}

absl::StatusOr<JobRow> LoadJob(Database& db, const JobName& name) {
  Statement query(db,
                  "SELECT id, state, attempt, token, counted_attempts, cancel_requested, checkpoint_sequence, "
                  "attempt_sequence, record, array, result, samples FROM jobs WHERE project = ? AND job = ?",
                  name.project, name.job);
  ABSL_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return absl::NotFoundError(absl::StrCat("job '", name.ToString(), "' does not exist"));
  JobRow row;
  ABSL_ASSIGN_OR_RETURN(row.job, ParseRecord<v1::Job>(name.ToString(), query.Text(8)));
  row.id = query.Int(0);
  row.token = query.Text(3);
  row.checkpoint_sequence = query.Int(6);
  row.attempt_sequence = query.Int(7);
  row.job.set_name(name.ToString());
  row.job.set_state(static_cast<v1::JobState>(query.Int(1)));
  row.job.set_attempt(query.Int(2));
  row.job.set_counted_attempts(static_cast<int32_t>(query.Int(4)));
  row.job.set_cancel_requested(query.Int(5) != 0);
  row.job.set_array(query.Text(9));
  if (!query.IsNull(10)) {
    ABSL_ASSIGN_OR_RETURN(*row.job.mutable_statistics_result(),
                          ParseRecord<v1::StatisticsResult>("the result of " + name.ToString(), query.Text(10)));
  }
  row.samples = query.Text(11);
  return row;
}

absl::Status SaveJob(Database& db, const JobRow& row) {
  v1::Job record = row.job;
  record.clear_name();
  record.clear_state();
  record.clear_attempt();
  record.clear_counted_attempts();
  record.clear_cancel_requested();
  record.clear_array();
  record.clear_statistics_result();
  if (row.job.has_statistics_result()) {
    const std::string result = row.job.statistics_result().SerializeAsString();
    // The check of the schema wants state and result to change together.
    ABSL_RETURN_IF_ERROR(db.Run("UPDATE jobs SET state = ?, result = ?, samples = nullif(?, '') WHERE id = ?",
                                static_cast<int64_t>(row.job.state()), Bytes{result}, row.samples, row.id));
  }
  return db.Run(
      "UPDATE jobs SET state = ?, attempt = ?, token = ?, counted_attempts = ?, cancel_requested = ?, "
      "checkpoint_sequence = ?, attempt_sequence = ?, record = ? WHERE id = ?",
      static_cast<int64_t>(row.job.state()), row.job.attempt(), row.token, row.job.counted_attempts(),
      row.job.cancel_requested() ? 1 : 0, row.checkpoint_sequence, row.attempt_sequence,
      Bytes{record.SerializeAsString()}, row.id);
}

absl::StatusOr<ModelRow> LoadModel(Database& db, const ModelName& name) {
  Statement query(db,
                  "SELECT id, record, (SELECT max(number) FROM versions WHERE model_id = id) FROM models "
                  "WHERE project = ? AND model = ?",
                  name.project, name.model);
  ABSL_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return absl::NotFoundError(absl::StrCat("model '", name.ToString(), "' does not exist"));
  ModelRow row;
  row.id = query.Int(0);
  ABSL_ASSIGN_OR_RETURN(row.model, ParseRecord<v1::Model>(name.ToString(), query.Text(1)));
  row.model.set_name(name.ToString());
  row.model.set_latest_version(query.Int(2));  // NULL reads as 0
  Statement aliases(db, "SELECT alias, number FROM aliases WHERE model_id = ?", row.id);
  while (true) {
    ABSL_ASSIGN_OR_RETURN(const bool more, aliases.Step());
    if (!more) return row;
    (*row.model.mutable_aliases())[aliases.Text(0)] = aliases.Int(1);
  }
}

absl::StatusOr<v1::ModelVersion> LoadVersion(Database& db, const ModelName& name, int64_t number) {
  Statement query(db,
                  "SELECT versions.record FROM versions JOIN models ON models.id = model_id "
                  "WHERE project = ? AND model = ? AND number = ?",
                  name.project, name.model, number);
  ABSL_ASSIGN_OR_RETURN(const bool found, query.Step());
  const std::string full = absl::StrCat(name.ToString(), "/versions/", number);
  if (found) return ParseRecord<v1::ModelVersion>(full, query.Text(0));
  ABSL_RETURN_IF_ERROR(LoadModel(db, name).status());
  return absl::NotFoundError(absl::StrCat("model version '", full, "' does not exist"));
}

absl::StatusOr<v1::ModelVersion> PublishVersion(Database& db, FileBlobStore& blobs, const ModelName& name,
                                                v1::ModelVersion version, const std::string& artifact_digest) {
  ABSL_RETURN_IF_ERROR(RequireProject(db, name.project));
  ABSL_ASSIGN_OR_RETURN(const int64_t size, NameBlob(db, blobs, artifact_digest));
  v1::Model model;
  *model.mutable_create_time() = version.create_time();
  model.set_creator(version.creator());
  ABSL_RETURN_IF_ERROR(
      db.Run("INSERT INTO models (project, model, record) VALUES (?, ?, ?) ON CONFLICT (project, model) DO NOTHING",
             name.project, name.model, Bytes{model.SerializeAsString()}));
  Statement counter(db, "SELECT id, next_version FROM models WHERE project = ? AND model = ?", name.project,
                    name.model);
  ABSL_RETURN_IF_ERROR(counter.Step().status());
  const int64_t model_id = counter.Int(0);
  const int64_t number = counter.Int(1);
  ABSL_RETURN_IF_ERROR(db.Run("UPDATE models SET next_version = ? WHERE id = ?", number + 1, model_id));
  version.set_name(absl::StrCat(name.ToString(), "/versions/", number));
  version.set_artifact_digest(artifact_digest);
  version.set_artifact_bytes(size);
  ABSL_RETURN_IF_ERROR(db.Run("INSERT INTO versions (model_id, number, digest, record) VALUES (?, ?, ?, ?)", model_id,
                              number, artifact_digest, Bytes{version.SerializeAsString()}));
  return version;
}

}  // namespace creamery
