#include "proto/support/safetensors.h"
#include "storage/registry_impl.h"

namespace creamery {
namespace {

using Problems = std::vector<std::string>;

// What the schema cannot say: each query returns one line of text per problem.
constexpr const char* kQueries[] = {
    "SELECT 'dataset projects/' || project || '/datasets/' || dataset || ': part ' || p.revision || "
    "' is missing or its number of rows does not add up' FROM datasets JOIN (SELECT dataset_id, revision, total_rows, "
    "row_number() OVER w AS expected_revision, sum(num_rows) OVER w AS expected_rows FROM parts "
    "WINDOW w AS (PARTITION BY dataset_id ORDER BY revision)) AS p ON p.dataset_id = datasets.id "
    "WHERE p.revision <> p.expected_revision OR p.total_rows <> p.expected_rows",
    "SELECT 'model projects/' || project || '/models/' || model || ': version ' || number || "
    "' is not below the next number ' || next_version FROM models JOIN versions ON model_id = id "
    "WHERE number >= next_version",
    "SELECT 'job projects/' || project || '/jobs/' || job || ': running without a lease' FROM jobs "
    "WHERE state = 2 AND (token = '' OR attempt = 0)",
    "SELECT 'job projects/' || project || '/jobs/' || job || ': ended and still has checkpoints' FROM jobs "
    "WHERE state > 2 AND EXISTS (SELECT 1 FROM checkpoints WHERE job_id = jobs.id)",
    "SELECT 'job projects/' || project || '/jobs/' || job || ': a checkpoint is newer than the newest' FROM jobs "
    "WHERE EXISTS (SELECT 1 FROM checkpoints WHERE job_id = jobs.id AND sequence > checkpoint_sequence)",
    "SELECT 'job projects/' || project || '/jobs/' || job || ': ended and still holds versions' FROM jobs "
    "WHERE state > 2 AND EXISTS (SELECT 1 FROM job_versions WHERE job_id = jobs.id)",
};

absl::Status RunQueries(Database& db, Problems& problems) {
  Statement integrity(db, "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
  while (true) {
    ABSL_ASSIGN_OR_RETURN(const bool more, integrity.Step());
    if (!more) break;
    problems.push_back("registry.sqlite: " + integrity.Text(0));
  }
  Statement keys(db,
                 "SELECT \"table\" || ' refers to a row of ' || parent || ' that is not there' "
                 "FROM pragma_foreign_key_check");
  while (true) {
    ABSL_ASSIGN_OR_RETURN(const bool more, keys.Step());
    if (!more) break;
    problems.push_back("registry.sqlite: " + keys.Text(0));
  }
  for (const char* sql : kQueries) {
    Statement query(db, sql);
    while (true) {
      ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
      if (!more) break;
      problems.push_back(query.Text(0));
    }
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status CheckRecords(Database& db, const char* sql, Problems& problems) {
  Statement query(db, sql);
  while (true) {
    ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return absl::OkStatus();
    const absl::StatusOr<T> record = ParseRecord<T>(query.Text(0), query.Text(1));
    if (!record.ok()) problems.emplace_back(record.status().message());
  }
}

absl::Status CheckVersions(Database& db, Problems& problems) {
  Statement query(db,
                  "SELECT model, number, digest, versions.record FROM versions JOIN models ON models.id = model_id");
  while (true) {
    ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return absl::OkStatus();
    const std::string what = absl::StrCat("version ", query.Int(1), " of model ", query.Text(0));
    const absl::StatusOr<v1::ModelVersion> version = ParseRecord<v1::ModelVersion>(what, query.Text(3));
    if (!version.ok()) {
      problems.emplace_back(version.status().message());
    } else if (version->artifact_digest() != query.Text(2)) {
      problems.push_back(what + " names another artifact than its row");
    }
  }
}

absl::Status CheckDatasetDigests(Database& db, Problems& problems) {
  Statement query(db,
                  "SELECT id, dataset, (SELECT dataset_digest FROM parts WHERE dataset_id = id ORDER BY revision DESC "
                  "LIMIT 1) AS digest FROM datasets WHERE digest IS NOT NULL");
  while (true) {
    ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return absl::OkStatus();
    ABSL_ASSIGN_OR_RETURN(const std::string digest, DigestOfParts(db, query.Int(0)));
    if (digest != query.Text(2))
      problems.push_back("dataset " + query.Text(1) + ": its digest is not that of its parts");
  }
}

// A blob as its row has it; what it is for, in words, comes first in the line.
struct NamedBlob {
  std::string digest;
  int64_t size;
  std::string used_by;
};

constexpr char kNamedBlobs[] =
    "SELECT digest, size, coalesce("
    "(SELECT 'artifact of version ' || number || ' of projects/' || project || '/models/' || model FROM versions JOIN "
    "models ON models.id = model_id WHERE versions.digest = blobs.digest LIMIT 1), "
    "(SELECT 'part ' || revision || ' of projects/' || project || '/datasets/' || dataset FROM parts JOIN datasets ON "
    "datasets.id = dataset_id WHERE parts.digest = blobs.digest LIMIT 1), "
    "(SELECT 'checkpoint of projects/' || project || '/jobs/' || job FROM checkpoints JOIN jobs ON jobs.id = job_id "
    "WHERE checkpoints.digest = blobs.digest LIMIT 1), "
    "(SELECT 'samples of projects/' || project || '/jobs/' || job FROM jobs WHERE samples = blobs.digest LIMIT 1), "
    "'unused') FROM blobs ORDER BY digest";

}  // namespace

absl::StatusOr<std::vector<std::string>> RegistryImpl::Verify() {
  Problems problems;
  std::vector<NamedBlob> named;
  const absl::Status read = Read([&](Database& db) -> absl::Status {
    ABSL_RETURN_IF_ERROR(RunQueries(db, problems));
    ABSL_RETURN_IF_ERROR(CheckRecords<v1::Project>(db, "SELECT 'project ' || project, record FROM projects", problems));
    ABSL_RETURN_IF_ERROR(CheckRecords<v1::Dataset>(db, "SELECT 'dataset ' || dataset, record FROM datasets", problems));
    ABSL_RETURN_IF_ERROR(CheckRecords<v1::Job>(db, "SELECT 'job ' || job, record FROM jobs", problems));
    ABSL_RETURN_IF_ERROR(CheckRecords<v1::StatisticsResult>(
        db, "SELECT 'the result of job ' || job, result FROM jobs WHERE result IS NOT NULL", problems));
    ABSL_RETURN_IF_ERROR(CheckRecords<v1::Model>(db, "SELECT 'model ' || model, record FROM models", problems));
    ABSL_RETURN_IF_ERROR(CheckVersions(db, problems));
    ABSL_RETURN_IF_ERROR(CheckDatasetDigests(db, problems));
    Statement query(db, kNamedBlobs);
    while (true) {
      ABSL_ASSIGN_OR_RETURN(const bool more, query.Step());
      if (!more) return absl::OkStatus();
      named.push_back({query.Text(0), query.Int(1), query.Text(2)});
    }
  });
  // A database too damaged to be read is what this call is for: a line, not a failure of the call.
  if (absl::IsDataLoss(read)) {
    problems.emplace_back(read.message());
  } else if (!read.ok()) {
    return read;
  }
  // Outside the transaction: this may read gigabytes.
  for (const NamedBlob& blob : named) {
    absl::Status status = blobs_->CheckBlob(blob.digest);
    if (status.ok() && blobs_->SizeOf(blob.digest).value_or(-1) != blob.size) {
      status = absl::DataLossError(absl::StrCat("blob ", blob.digest, " has another size than its row"));
    }
    if (status.ok()) continue;
    // Collected meanwhile: not a problem.
    ABSL_ASSIGN_OR_RETURN(const bool still_named, Read([&](Database& db) -> absl::StatusOr<bool> {
                            return Statement(db, "SELECT 1 FROM blobs WHERE digest = ?", blob.digest).Step();
                          }));
    if (still_named) problems.push_back(absl::StrCat(blob.used_by, ": ", status.message()));
  }
  return problems;
}

}  // namespace creamery
