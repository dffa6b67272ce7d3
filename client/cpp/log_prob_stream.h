// Log-densities of one version, question after question over one call: cheaper than a call for each, and the server
// works on the next questions while the first are on their way back.
//
//   LogProbStream stream = model.OpenLogProbStream();
//   ABSL_RETURN_IF_ERROR(stream.Send(theta));   // as often as you like before, between and after
//   LogProbStream::Reply reply;
//   ABSL_RETURN_IF_ERROR(stream.Receive(&reply));
//   ABSL_RETURN_IF_ERROR(reply.status);         // reply.answer.values are the log-densities
//
// Rows without end are simpler with Model::LogProbOfRows.
#ifndef CREAMERY_CLIENT_CPP_LOG_PROB_STREAM_H_
#define CREAMERY_CLIENT_CPP_LOG_PROB_STREAM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "client/cpp/answer.h"

namespace creamery {

class Connection;

// Not thread-safe: one thread sends and receives, and neither end ever waits for the other to read. A server that
// restarts or drains is asked again, for the connection's patience, for what it has not answered; any other error ends
// the stream.
class LogProbStream {
 public:
  struct Reply {
    uint64_t id = 0;      // of its question
    absl::Status status;  // the question's own error: the next one may be answered
    Answer answer;
  };

  LogProbStream(LogProbStream&&) noexcept;
  LogProbStream& operator=(LogProbStream&&) noexcept;
  // Cancels what is under way.
  ~LogProbStream();

  // theta: (n, d) row-major, in the columns the stream was opened with; `id` is echoed. Does not wait for the answer.
  // Where more would be under way than the server holds (256 questions, some MiB), the oldest answers are read first,
  // and kept for Receive.
  absl::Status Send(absl::Span<const double> theta, uint64_t id = 0);
  // The answer to the oldest question whose answer was not received yet, into memory that is used again.
  // FAILED_PRECONDITION if there is none.
  absl::Status Receive(Reply* reply);
  // Questions whose answers were not received yet.
  int64_t pending() const;

 private:
  friend class Model;
  class Impl;
  explicit LogProbStream(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_LOG_PROB_STREAM_H_
