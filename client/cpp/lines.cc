#include "client/cpp/lines.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "client/cpp/connection.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// A quarter of the streams that a server takes over one connection.
constexpr size_t kMostFree = 64;
// A line that carried more is not kept: neither end holds its memory.
constexpr size_t kLargestKept = size_t{64} << 10;

}  // namespace

struct Lines::Line {
  ~Line() { context->TryCancel(); }

  std::string version;
  absl::Time stale;  // half of its time is over
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientReaderWriter<v1::LogProbStreamRequest, v1::LogProbStreamResponse>> stream;
};

Lines::Lines(const Connection& connection) : connection_(connection) {}
Lines::~Lines() = default;

absl::StatusOr<v1::LogProbResponse> Lines::Ask(const v1::LogProbStreamRequest& request) {
  const std::string& version = request.question().model();
  v1::LogProbStreamResponse response;
  std::unique_ptr<Line> line = Take(version);
  for (Repetition repetition(connection_);;) {
    const bool was_open = line != nullptr;
    if (!was_open) line = Dial(version);
    line->stream->Write(request);  // one that fails shows in the read
    if (line->stream->Read(&response)) break;
    const absl::Status status = connection_.EndOfStream(line->stream->Finish());
    if (was_open && absl::IsUnavailable(status)) {  // since it was used last, perhaps: with its server
      line.reset();
      continue;
    }
    const bool again = repetition.Again(status, line->context.get());
    line.reset();
    if (!again) return status;
  }
  connection_.Answered();
  if (request.ByteSizeLong() + response.ByteSizeLong() <= kLargestKept) Keep(std::move(line));
  ABSL_RETURN_IF_ERROR(ToStatus(response.error()));
  return std::move(*response.mutable_answer());
}

std::unique_ptr<Lines::Line> Lines::Dial(const std::string& version) const {
  auto line = std::make_unique<Line>();
  line->version = version;
  line->stale = absl::Now() + connection_.timeout() / 2;
  line->context = connection_.NewContext(connection_.timeout());
  line->context->set_initial_metadata_corked(true);  // goes with the first question
  line->stream = connection_.questions->LogProbStream(line->context.get());
  return line;
}

std::unique_ptr<Lines::Line> Lines::Take(const std::string& version) {
  std::unique_ptr<Line> line;
  {
    MutexLock lock(&mu_);
    const auto found = std::find_if(free_.rbegin(), free_.rend(),
                                    [&version](const std::unique_ptr<Line>& free) { return free->version == version; });
    if (found == free_.rend()) return nullptr;
    line = std::move(*found);
    free_.erase(std::prev(found.base()));
  }
  if (absl::Now() >= line->stale) line.reset();
  return line;
}

void Lines::Keep(std::unique_ptr<Line> line) {
  std::unique_ptr<Line> oldest;  // hung up after the lock
  MutexLock lock(&mu_);
  if (free_.size() == kMostFree) {
    oldest = std::move(free_.front());
    free_.erase(free_.begin());
  }
  free_.push_back(std::move(line));
}

}  // namespace creamery
