#include "client/cpp/log_prob_stream.h"

#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/connection.h"
#include "client/cpp/log_prob_stream_impl.h"
#include "client/cpp/points_message.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// A server holds 256 questions and 4 MiB of them before it waits for its client to read: within less, a client may
// write without reading.
constexpr size_t kMostUnderWay = 256;
constexpr size_t kMostBytesUnderWay = size_t{2} << 20;

size_t BytesOf(const v1::LogProbStreamRequest& request) { return request.question().theta().data().size(); }

}  // namespace

absl::Status LogProbStream::Impl::Send(absl::Span<const double> theta, uint64_t id) {
  ABSL_RETURN_IF_ERROR(over_);
  ABSL_RETURN_IF_ERROR(CountRows("theta", theta, d_).status());
  while (!under_way_.empty() && (under_way_.size() >= kMostUnderWay ||
                                 bytes_under_way_ + theta.size() * sizeof(double) > kMostBytesUnderWay)) {
    Reply reply;
    ABSL_RETURN_IF_ERROR(Read(&reply));
    arrived_.push_back(std::move(reply));
  }
  std::unique_ptr<Request> request = MakeRequest();
  request->set_id(id);
  SetPoints(theta, d_, request->mutable_question()->mutable_theta());
  bytes_under_way_ += BytesOf(*request);
  under_way_.push_back(std::move(request));
  // A write that fails shows in the read to come, behind the answers that the server gave before.
  stream_ == nullptr ? Dial() : Write(*under_way_.back());
  return absl::OkStatus();
}

absl::Status LogProbStream::Impl::Receive(Reply* reply) {
  if (!arrived_.empty()) {
    *reply = std::move(arrived_.front());
    arrived_.pop_front();
    return absl::OkStatus();
  }
  ABSL_RETURN_IF_ERROR(over_);
  if (under_way_.empty()) return absl::FailedPreconditionError("no question waits for its answer: send one first");
  return Read(reply);
}

void LogProbStream::Impl::HangUp() {
  if (context_ != nullptr) context_->TryCancel();
  stream_.reset();
  context_.reset();
}

void LogProbStream::Impl::Dial() {
  context_ = connection_->NewStreamContext();
  stream_ = connection_->questions->LogProbStream(context_.get());
  for (const std::unique_ptr<Request>& request : under_way_) {
    // The first message of a call says which version answers.
    request->mutable_question()->set_model(request == under_way_.front() ? version_ : "");
    Write(*request);
  }
}

absl::Status LogProbStream::Impl::Read(Reply* reply) {
  while (!stream_->Read(&response_)) {
    const absl::Status status = connection_->EndOfStream(stream_->Finish());
    const bool again = repetition_.Again(status, context_.get());
    HangUp();
    if (!again) return over_ = status;
    Dial();
  }
  connection_->Answered();
  repetition_.Restart();
  absl::Status status = Decode(reply);
  if (!status.ok()) return over_ = status;
  bytes_under_way_ -= BytesOf(*under_way_.front());
  free_.push_back(std::move(under_way_.front()));
  under_way_.pop_front();
  return absl::OkStatus();
}

absl::Status LogProbStream::Impl::Decode(Reply* reply) {
  const Request& request = *under_way_.front();
  if (response_.id() != request.id()) {
    return absl::InternalError(absl::StrCat("the answer to question ", request.id(), " came with id ", response_.id()));
  }
  reply->id = response_.id();
  reply->answer.values.clear();
  reply->answer.gradient.clear();
  reply->answer.spread.clear();
  reply->answer.warnings.clear();
  reply->status = ToStatus(response_.error());
  if (!reply->status.ok()) return absl::OkStatus();
  return AppendLogProb(request.question(), response_.answer(), request.question().theta().shape(0), d_, &reply->answer);
}

std::unique_ptr<v1::LogProbStreamRequest> LogProbStream::Impl::MakeRequest() {
  if (free_.empty()) {
    auto request = std::make_unique<Request>();
    *request->mutable_question() = question_;
    return request;
  }
  std::unique_ptr<Request> request = std::move(free_.back());
  free_.pop_back();
  request->mutable_question()->clear_model();
  return request;
}

LogProbStream::LogProbStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LogProbStream::LogProbStream(LogProbStream&&) noexcept = default;
LogProbStream& LogProbStream::operator=(LogProbStream&&) noexcept = default;
LogProbStream::~LogProbStream() = default;
absl::Status LogProbStream::Send(absl::Span<const double> theta, uint64_t id) { return impl_->Send(theta, id); }
absl::Status LogProbStream::Receive(Reply* reply) { return impl_->Receive(reply); }
int64_t LogProbStream::pending() const { return impl_->pending(); }

}  // namespace creamery
