#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "proto/support/array.h"
#include "proto/support/digest.h"
#include "proto/support/resource_names.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

int64_t RowsPerChunk(const v1::Dataset& schema) {
  const int64_t numbers = schema.parameters_size() + schema.has_weight() + schema.has_chain() +
                          schema.has_log_likelihood() + schema.has_log_likelihood_birth();
  return std::max<int64_t>(1, kChunkBytes / (8 * numbers));
}

// What the server would refuse, found before anything is made there: a dataset is not left behind empty.
absl::Status CheckSamples(const Samples& samples) {
  ABSL_RETURN_IF_ERROR(CheckSchema(samples.schema));
  if (samples.rows.num_rows == 0) return absl::InvalidArgumentError("there are no rows to upload");
  const int64_t step = RowsPerChunk(samples.schema);
  for (int64_t begin = 0; begin < samples.rows.num_rows; begin += step) {
    const int64_t end = std::min(begin + step, samples.rows.num_rows);
    ABSL_RETURN_IF_ERROR(ParseRows(samples.schema, MakeRows(samples.schema, samples.rows, begin, end), begin).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Dataset> SendRows(const Connection& connection, const v1::AppendRowsRequest& first,
                                     const v1::Dataset& schema, const RowBlock& rows) {
  const std::unique_ptr<grpc::ClientContext> context = connection.NewStreamContext();
  v1::Dataset dataset;
  const std::unique_ptr<grpc::ClientWriter<v1::AppendRowsRequest>> writer =
      connection.datasets->AppendRows(context.get(), &dataset);
  v1::AppendRowsRequest message = first;
  const int64_t step = RowsPerChunk(schema);
  for (int64_t begin = 0; begin < rows.num_rows; begin += step) {
    *message.mutable_rows() = MakeRows(schema, rows, begin, std::min(begin + step, rows.num_rows));
    if (!writer->Write(message)) break;  // Finish says why.
    message.Clear();
  }
  writer->WritesDone();
  ABSL_RETURN_IF_ERROR(connection.ToStatus(writer->Finish()));
  return dataset;
}

// The same request id every time: a repeat of an upload that did arrive returns the first answer.
absl::StatusOr<v1::Dataset> UploadRows(const Connection& connection, const v1::AppendRowsRequest& first,
                                       const v1::Dataset& schema, const RowBlock& rows) {
  for (Repetition repetition(connection);;) {
    absl::StatusOr<v1::Dataset> dataset = SendRows(connection, first, schema, rows);
    if (dataset.ok() || !repetition.Again(dataset.status(), nullptr)) return dataset;
  }
}

// The columns of theta in the order of `schema`.
absl::StatusOr<RowBlock> Reorder(const v1::Dataset& schema, const Samples& samples) {
  std::vector<std::string> given, wanted;
  for (const v1::Parameter& parameter : samples.schema.parameters()) given.push_back(parameter.name());
  for (const v1::Parameter& parameter : schema.parameters()) wanted.push_back(parameter.name());
  ABSL_ASSIGN_OR_RETURN(const std::vector<int> indices, MatchColumns(given, wanted));
  RowBlock rows = samples.rows;
  const size_t d = wanted.size();
  for (int64_t row = 0; row < rows.num_rows; ++row) {
    for (size_t column = 0; column < d; ++column) {
      rows.theta[row * d + column] = samples.rows.theta[row * d + indices[column]];
    }
  }
  return rows;
}

// ParseRows would only say which array is there or missing.
absl::Status CheckFields(const v1::Dataset& schema, const v1::Dataset& given) {
  const auto check = [&](absl::string_view field, bool wanted, bool has) {
    if (wanted == has) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("the rows ", has ? "carry " : "lack ", field, ", dataset ",
                                                   schema.name(), wanted ? " has it" : " does not"));
  };
  ABSL_RETURN_IF_ERROR(check("weight", schema.has_weight(), given.has_weight()));
  ABSL_RETURN_IF_ERROR(check("chain", schema.has_chain(), given.has_chain()));
  ABSL_RETURN_IF_ERROR(check("log_likelihood", schema.has_log_likelihood(), given.has_log_likelihood()));
  return check("log_likelihood_birth", schema.has_log_likelihood_birth(), given.has_log_likelihood_birth());
}

template <typename T>
void Concatenate(std::vector<T>& all, const std::vector<T>& next) {
  all.insert(all.end(), next.begin(), next.end());
}

}  // namespace

absl::StatusOr<v1::Dataset> Client::UploadDataset(const std::string& name, const Samples& samples,
                                                  const std::string& request_id) const {
  ABSL_ASSIGN_OR_RETURN(const DatasetName dataset, ParseTypedDataset(name));
  ABSL_RETURN_IF_ERROR(CheckSamples(samples));
  ABSL_RETURN_IF_ERROR(EnsureProject(dataset.project));
  v1::CreateDatasetRequest create;
  create.set_parent(ProjectName{dataset.project}.ToString());
  create.set_dataset_id(dataset.dataset);
  *create.mutable_dataset() = samples.schema;
  create.set_request_id(request_id.empty() ? RandomHex(16) : request_id);
  absl::StatusOr<v1::Dataset> created =
      connection_->Call(*connection_->datasets, &v1::DatasetService::Stub::CreateDataset, create);
  RowBlock rows = samples.rows;
  if (absl::IsAlreadyExists(created.status())) {
    // Left behind by an upload that was cut off between the two calls? Then this one completes it.
    const absl::StatusOr<v1::Dataset> existing = GetDataset(name);
    if (!existing.ok() || existing->revision() != 0 || !CheckFields(*existing, samples.schema).ok()) {
      return created.status();
    }
    absl::StatusOr<RowBlock> ordered = Reorder(*existing, samples);
    if (!ordered.ok()) return created.status();
    v1::Dataset fresh = *existing;
    for (int field : {1, 10, 11, 12, 13, 14}) {  // name, revision, num_rows, digest, create_time, creator
      fresh.GetReflection()->ClearField(&fresh, v1::Dataset::descriptor()->FindFieldByNumber(field));
    }
    if (fresh.SerializeAsString() != samples.schema.SerializeAsString()) return created.status();
    rows = *std::move(ordered);
    created = existing;
  }
  ABSL_RETURN_IF_ERROR(created.status());
  v1::AppendRowsRequest first;
  first.set_name(dataset.ToString());
  first.set_request_id(create.request_id() + "-rows");
  first.set_expected_num_rows(0);
  first.set_total_rows(rows.num_rows);
  return UploadRows(*connection_, first, *created, rows);
}

absl::StatusOr<v1::Dataset> Client::AppendRows(const std::string& name, const Samples& samples,
                                               int64_t expected_num_rows, const std::string& request_id) const {
  ABSL_ASSIGN_OR_RETURN(const DatasetName dataset, ParseTypedDataset(name));
  ABSL_ASSIGN_OR_RETURN(const v1::Dataset schema, GetDataset(name));
  ABSL_RETURN_IF_ERROR(CheckFields(schema, samples.schema));
  ABSL_ASSIGN_OR_RETURN(const RowBlock rows, Reorder(schema, samples));
  if (rows.num_rows == 0) return absl::InvalidArgumentError("there are no rows to append");
  v1::AppendRowsRequest first;
  first.set_name(dataset.ToString());
  first.set_request_id(request_id.empty() ? RandomHex(16) : request_id);
  if (expected_num_rows >= 0) first.set_expected_num_rows(expected_num_rows);
  first.set_total_rows(rows.num_rows);
  return UploadRows(*connection_, first, schema, rows);
}

absl::StatusOr<v1::Dataset> Client::GetDataset(const std::string& name) const {
  ABSL_ASSIGN_OR_RETURN(const DatasetName dataset, ParseTypedDataset(name));
  v1::GetDatasetRequest request;
  request.set_name(dataset.ToString());
  return connection_->Call(*connection_->datasets, &v1::DatasetService::Stub::GetDataset, request);
}

absl::Status Client::DeleteDataset(const std::string& name) const {
  ABSL_ASSIGN_OR_RETURN(const DatasetName dataset, ParseTypedDataset(name));
  v1::DeleteDatasetRequest request;
  request.set_name(dataset.ToString());
  return connection_->Call(*connection_->datasets, &v1::DatasetService::Stub::DeleteDataset, request).status();
}

absl::StatusOr<Samples> Client::DownloadDataset(const std::string& name, int64_t revision) const {
  Samples samples;
  ABSL_ASSIGN_OR_RETURN(samples.schema, GetDataset(name));
  v1::DownloadRowsRequest request;
  request.set_name(samples.schema.name());
  // Pinned, so that rows appended meanwhile do not mix into what the schema counts.
  request.set_revision(revision != 0 ? revision : samples.schema.revision());
  RowBlock& all = samples.rows;
  for (Repetition repetition(*connection_);;) {  // a revision never changes: all of it again
    const std::unique_ptr<grpc::ClientContext> context = connection_->NewStreamContext();
    const auto reader = connection_->datasets->DownloadRows(context.get(), request);
    v1::DownloadRowsResponse response;
    while (reader->Read(&response)) {
      absl::StatusOr<RowBlock> block = ParseRows(samples.schema, response.rows(), all.num_rows);
      if (!block.ok()) {
        context->TryCancel();
        return block.status();
      }
      all.num_rows += block->num_rows;
      Concatenate(all.theta, block->theta);
      Concatenate(all.weight, block->weight);
      Concatenate(all.chain, block->chain);
      Concatenate(all.log_likelihood, block->log_likelihood);
      Concatenate(all.log_likelihood_birth, block->log_likelihood_birth);
    }
    const absl::Status status = connection_->ToStatus(reader->Finish());
    if (status.ok()) return samples;
    if (!repetition.Again(status, context.get())) return status;
    all = RowBlock();
  }
}

}  // namespace creamery
