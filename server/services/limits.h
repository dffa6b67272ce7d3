// Limits that several services answer with, always in the message.
#ifndef CREAMERY_SERVER_SERVICES_LIMITS_H_
#define CREAMERY_SERVER_SERVICES_LIMITS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/registry.h"

namespace creamery {

struct Limits {
  int64_t max_rows = 1000000;
  int64_t max_reply_bytes = 3 << 20;
  int64_t max_artifact_bytes = int64_t{256} << 20;
};

// Bytes of data in one message of a stream.
inline constexpr int64_t kChunkBytes = 1 << 20;

// RESOURCE_EXHAUSTED naming the limit if `what` has too many rows, or if `bytes_per_row` for each make the reply too
// long.
absl::Status CheckRows(const Limits& limits, absl::string_view what, int64_t rows, int64_t bytes_per_row);

// Rows of `bytes_per_row` that make up one message of a stream; at least 1.
int64_t RowsPerChunk(int64_t bytes_per_row);

// Page size 0 is 50, more than 1000 is 1000, a negative one INVALID_ARGUMENT.
absl::StatusOr<PageRequest> MakePageRequest(int32_t page_size, const std::string& page_token);

// The parent of a list: a project, or all of them for `projects/-`.
absl::StatusOr<ProjectName> ParseListParent(const std::string& parent);

}  // namespace creamery

#endif  // CREAMERY_SERVER_SERVICES_LIMITS_H_
