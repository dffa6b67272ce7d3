// Names of resources, as they travel (`projects/p/models/m/versions/3`) and as people type them (`p/m@3`).
#ifndef CREAMERY_PROTO_SUPPORT_RESOURCE_NAMES_H_
#define CREAMERY_PROTO_SUPPORT_RESOURCE_NAMES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace creamery {

// INVALID_ARGUMENT unless `id` is `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`; `what` names it in the message ("dataset id").
absl::Status CheckId(absl::string_view what, absl::string_view id);
// INVALID_ARGUMENT unless `alias` is an id that starts with a letter and is not `latest`.
absl::Status CheckAlias(absl::string_view alias);

struct ProjectName {
  std::string project;
  // INVALID_ARGUMENT naming what was given and the expected shape; so for the others.
  static absl::StatusOr<ProjectName> Parse(absl::string_view name);
  std::string ToString() const;  // projects/{project}
};

struct DatasetName {
  std::string project;
  std::string dataset;
  static absl::StatusOr<DatasetName> Parse(absl::string_view name);
  std::string ToString() const;  // projects/{project}/datasets/{dataset}
};

struct JobName {
  std::string project;
  std::string job;
  static absl::StatusOr<JobName> Parse(absl::string_view name);
  std::string ToString() const;  // projects/{project}/jobs/{job}
};

struct ModelName {
  std::string project;
  std::string model;
  static absl::StatusOr<ModelName> Parse(absl::string_view name);
  std::string ToString() const;  // projects/{project}/models/{model}
};

// A version by number, by alias, or the latest (number 0 and no alias).
struct VersionName {
  std::string project;
  std::string model;
  int64_t number = 0;
  std::string alias;
  // Takes `projects/{p}/models/{m}` and `projects/{p}/models/{m}/versions/{number | alias | latest}`.
  static absl::StatusOr<VersionName> Parse(absl::string_view name);
  ModelName model_name() const { return {project, model}; }
  std::string ToString() const;
};

// What people type, `project/name` and `project/model[@number|@alias|@latest]`, to what travels.
// A full resource name is accepted too and returned as it is. Used by the clients.
absl::StatusOr<DatasetName> ParseTypedDataset(absl::string_view typed);
absl::StatusOr<VersionName> ParseTypedVersion(absl::string_view typed);

}  // namespace creamery

#endif  // CREAMERY_PROTO_SUPPORT_RESOURCE_NAMES_H_
