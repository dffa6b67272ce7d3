// What a LogProbStream is made of. Internal: gRPC is in it.
#ifndef CREAMERY_CLIENT_CPP_LOG_PROB_STREAM_IMPL_H_
#define CREAMERY_CLIENT_CPP_LOG_PROB_STREAM_IMPL_H_

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/connection.h"
#include "client/cpp/log_prob_stream.h"

namespace creamery {

class LogProbStream::Impl {
 public:
  // Asks `version`, a full name, about points of d columns; `question` has everything but model and points.
  Impl(std::shared_ptr<Connection> connection, std::string version, int64_t d, v1::LogProbRequest question)
      : connection_(std::move(connection)), version_(std::move(version)), d_(d), question_(std::move(question)) {}
  ~Impl() { HangUp(); }

  absl::Status Send(absl::Span<const double> theta, uint64_t id);
  absl::Status Receive(Reply* reply);
  int64_t pending() const { return static_cast<int64_t>(under_way_.size() + arrived_.size()); }

 private:
  using Request = v1::LogProbStreamRequest;

  // A new call, with everything under way.
  void Dial();
  void HangUp();
  void Write(const Request& request) { stream_->Write(request); }
  // The answer to the oldest question under way, over a new call if this one has ended and that may help.
  absl::Status Read(Reply* reply);
  absl::Status Decode(Reply* reply);
  // With what all questions of this stream share.
  std::unique_ptr<Request> MakeRequest();

  const std::shared_ptr<Connection> connection_;
  const std::string version_;
  const int64_t d_;
  const v1::LogProbRequest question_;

  std::unique_ptr<grpc::ClientContext> context_;
  // Null until the first question.
  std::unique_ptr<grpc::ClientReaderWriter<Request, v1::LogProbStreamResponse>> stream_;
  Repetition repetition_{*connection_};  // since the last answer
  absl::Status over_;                    // why no more will be answered
  v1::LogProbStreamResponse response_;
  std::deque<std::unique_ptr<Request>> under_way_;  // sent, not answered, oldest first
  size_t bytes_under_way_ = 0;
  std::vector<std::unique_ptr<Request>> free_;  // answered: their memory is used again
  std::deque<Reply> arrived_;                   // answered, not received, oldest first
};

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_LOG_PROB_STREAM_IMPL_H_
