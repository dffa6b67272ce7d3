#include "server/services/limits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace creamery {
namespace {

constexpr int32_t kDefaultPage = 50;
constexpr int32_t kLargestPage = 1000;

}  // namespace

absl::Status CheckRows(const Limits& limits, absl::string_view what, int64_t rows, int64_t bytes_per_row) {
  if (rows > limits.max_rows) {
    return absl::ResourceExhaustedError(absl::StrCat(what, " has ", rows, " rows, and the server takes at most ",
                                                     limits.max_rows, " in one request: ask in several"));
  }
  if (bytes_per_row > 0 && rows > limits.max_reply_bytes / bytes_per_row) {
    return absl::ResourceExhaustedError(absl::StrCat("the reply to ", rows, " rows would exceed ",
                                                     limits.max_reply_bytes, " bytes: ask for at most ",
                                                     limits.max_reply_bytes / bytes_per_row, " rows at once"));
  }
  return absl::OkStatus();
}

int64_t RowsPerChunk(int64_t bytes_per_row) {
  return std::max<int64_t>(1, kChunkBytes / std::max<int64_t>(1, bytes_per_row));
}

absl::StatusOr<PageRequest> MakePageRequest(int32_t page_size, const std::string& page_token) {
  if (page_size < 0) {
    return absl::InvalidArgumentError(absl::StrCat("page_size is ", page_size, ", expected 0 (the default) or more"));
  }
  PageRequest page;
  page.size = page_size == 0 ? kDefaultPage : std::min(page_size, kLargestPage);
  page.token = page_token;
  return page;
}

absl::StatusOr<ProjectName> ParseListParent(const std::string& parent) {
  const ProjectName all = {kAllProjects};
  if (parent == all.ToString()) return all;
  return ProjectName::Parse(parent);
}

}  // namespace creamery
