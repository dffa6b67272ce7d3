// Bidirectional streams of questions: one reply for each, in order. The next questions are read while one is answered
// and replies are written, up to a bound of questions and bytes; beyond it HTTP/2's flow control holds the client back.
// A small question is answered where it arrives, a costly one on the pool of its work, and a client that neither sends
// nor reads holds no thread.
#ifndef CREAMERY_SERVER_RPC_BIDI_STREAM_H_
#define CREAMERY_SERVER_RPC_BIDI_STREAM_H_

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/support/server_callback.h"
#include "proto/support/mutex.h"
#include "server/rpc/call.h"
#include "server/rpc/open_streams.h"

namespace creamery {

// Answers the questions of one stream, one after another: first Place, then Answer, then those of the next question.
template <typename Request, typename Response>
class StreamAnswerer {
 public:
  virtual ~StreamAnswerer() = default;
  // Where the question belongs. Must not wait for anything.
  virtual Work Place(const Request& question) = 0;
  // Fills the reply, which may still hold an older one; what is wrong with the question goes into it too.
  virtual void Answer(const Request& question, const Call& call, Response* reply) = 0;
};

namespace internal {

// Questions that one stream may hold, and bytes of them beyond which it reads no further one. Clients that neither
// exceeds (client/cpp/log_prob_stream.h) may write without reading: the server takes all of it.
inline constexpr int64_t kQuestionsHeld = 256;
inline constexpr size_t kBytesHeld = size_t{4} << 20;
// A question above this does not keep its memory for the next one.
inline constexpr size_t kBytesKept = size_t{64} << 10;
// On a pool, small questions are answered for this long before others get their turn.
inline constexpr absl::Duration kPoolTurn = absl::Milliseconds(1);

// What happens is noted under mu_, by reactions and by the pool; what to do about it is decided and done by one thread
// at a time, the driver, without mu_. Questions are numbered from 0 in order:
//
//   written_ <= answered_ <= read_;  [written_, read_) are held, each in a slot.
//
// The object lives until OnDone, and longer for whoever holds it while it drains.
template <typename Request, typename Response>
class QuestionReactor final : public grpc::ServerBidiReactor<Request, Response>,
                              public OpenStream,
                              public std::enable_shared_from_this<QuestionReactor<Request, Response>> {
 public:
  using Answerer = StreamAnswerer<Request, Response>;

  QuestionReactor(const RpcRuntime& runtime, grpc::CallbackServerContext* context, std::unique_ptr<Answerer> answerer)
      : runtime_(runtime), context_(context), answerer_(std::move(answerer)), stop_(DeadlineOf(*context)) {}

  // Before anything else.
  void Begin(Role role) {
    self_ = this->shared_from_this();
    absl::StatusOr<std::string> principal = AuthenticateCall(runtime_, *context_, role);
    absl::Status status = principal.status();
    if (status.ok() && runtime_.streams != nullptr && !runtime_.streams->Add(self_)) status = Draining();
    if (status.ok()) call_ = {*std::move(principal), stop_.token()};
    Note([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { EndWith(std::move(status)); });
  }

  void OnCancel() override { stop_.RequestStop(); }
  void OnReadDone(bool ok) override {
    const size_t bytes = ok ? incoming_->question.ByteSizeLong() : 0;
    Note([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      reading_ = false;
      if (!ok) {
        no_more_ = true;
        return;
      }
      incoming_->bytes = bytes;
      bytes_ += bytes;
      At(read_++) = incoming_;
    });
  }
  void OnWriteDone(bool ok) override {
    Note([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      writing_ = false;
      if (!ok) {
        EndWith(absl::CancelledError("the client left before the end of the stream"));
        return;
      }
      Slot* const slot = At(written_++);
      bytes_ -= slot->bytes;
      slot->next = free_;
      free_ = slot;
    });
  }
  void OnDone() override {
    if (runtime_.streams != nullptr) runtime_.streams->Remove(this);
    self_.reset();
  }
  void Drain() override {
    Note([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      no_more_ = true;
      if (last_.ok()) last_ = Draining();
    });
  }

 private:
  struct Slot {
    Request question;
    Response reply;
    size_t bytes = 0;
    Slot* next = nullptr;  // free ones
  };
  enum class Step { kNone, kWrite, kAnswer, kRead, kFinish };

  static absl::Status Draining() { return absl::UnavailableError("the server is shutting down; try again"); }
  Slot*& At(int64_t question) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return held_[question % kQuestionsHeld]; }

  // No further question is answered, no further reply written. The first reason counts.
  void EndWith(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (status.ok() || dropped_) return;
    dropped_ = true;
    last_ = std::move(status);
  }

  // Notes what has happened, and acts upon it unless another thread does so already.
  template <typename What>
  void Note(What what, absl::Duration turn = kInlineLimit) {
    {
      MutexLock lock(&mu_);
      what();
      if (driving_) return;
      driving_ = true;
    }
    Drive(turn);
  }

  // Small questions are answered here for about `turn`, then on the pool.
  void Drive(absl::Duration turn) {
    absl::Time end = absl::InfinitePast();  // not looked at yet
    for (;;) {
      Slot* slot = nullptr;
      bool more = false;
      Step step;
      absl::Status last;
      {
        MutexLock lock(&mu_);
        step = NextStep(&slot, &more);
        if (step == Step::kNone) {
          driving_ = false;
          return;
        }
        if (step == Step::kFinish) last = last_;
      }
      switch (step) {
        case Step::kWrite:  // one system call for several replies, if the next one is there already
          this->StartWrite(&slot->reply, more ? grpc::WriteOptions().set_buffer_hint() : grpc::WriteOptions());
          break;
        case Step::kAnswer: {
          const Work work = answerer_->Place(slot->question);
          const absl::Time now = absl::Now();
          if (end == absl::InfinitePast()) end = now + turn;
          if (work.RunsAtOnce() && now < end) {
            answerer_->Answer(slot->question, call_, &slot->reply);
            Answered();
          } else {
            AnswerOnPool(work, slot);
          }
          break;
        }
        case Step::kRead:
          incoming_ = slot != nullptr ? slot : NewSlot();
          if (incoming_->bytes > kBytesKept) *incoming_ = Slot();
          this->StartRead(&incoming_->question);
          break;
        default:  // the last thing that touches this
          this->Finish(ToGrpcStatus(last, context_));
          return;
      }
    }
  }

  // The most urgent thing to do, with the slot it is about; `more`: there is another reply to write after it.
  Step NextStep(Slot** slot, bool* more) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!writing_ && written_ < answered_ && !dropped_) {
      writing_ = true;
      *slot = At(written_);
      *more = written_ + 1 < answered_;
      return Step::kWrite;
    }
    if (!answering_ && answered_ < read_ && !dropped_) {
      answering_ = true;
      *slot = At(answered_);
      return Step::kAnswer;
    }
    if (!reading_ && !no_more_ && !dropped_ && read_ - written_ < kQuestionsHeld && bytes_ < kBytesHeld) {
      reading_ = true;
      *slot = free_;
      if (free_ != nullptr) free_ = free_->next;
      return Step::kRead;
    }
    if (!writing_ && !answering_ && (dropped_ || (no_more_ && written_ == read_))) return Step::kFinish;
    return Step::kNone;
  }

  Slot* NewSlot() {
    slots_.push_back(std::make_unique<Slot>());
    return slots_.back().get();
  }

  void Answered() {
    MutexLock lock(&mu_);
    answering_ = false;
    ++answered_;
  }
  // The server is asked for room once, by the first question that needs a pool.
  void AnswerOnPool(const Work& work, Slot* slot) {
    const auto answer = [this, slot] {
      answerer_->Answer(slot->question, call_, &slot->reply);
      Note(
          [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
            answering_ = false;
            ++answered_;
          },
          kPoolTurn);
    };
    if (std::exchange(admitted_, true)) return DispatchNext(runtime_, work, answer);
    absl::Status status = Dispatch(runtime_, work, answer);
    if (status.ok()) return;
    MutexLock lock(&mu_);
    answering_ = false;
    EndWith(std::move(status));
  }

  const RpcRuntime runtime_;
  grpc::CallbackServerContext* const context_;
  const std::unique_ptr<Answerer> answerer_;
  StopSource stop_;
  std::shared_ptr<QuestionReactor> self_;
  Call call_;

  // The driver's.
  std::vector<std::unique_ptr<Slot>> slots_;
  bool admitted_ = false;
  // The driver's while nothing is read, else the reading's.
  Slot* incoming_ = nullptr;

  Mutex mu_;
  std::array<Slot*, kQuestionsHeld> held_ ABSL_GUARDED_BY(mu_) = {};
  Slot* free_ ABSL_GUARDED_BY(mu_) = nullptr;
  int64_t read_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t answered_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t written_ ABSL_GUARDED_BY(mu_) = 0;
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;  // of the questions held
  bool driving_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  bool answering_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool no_more_ ABSL_GUARDED_BY(mu_) = false;  // no further question comes; those that are held are answered
  bool dropped_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status last_ ABSL_GUARDED_BY(mu_);  // what the stream ends with
};

}  // namespace internal

// Authenticates the call and answers its questions.
template <typename Request, typename Response>
grpc::ServerBidiReactor<Request, Response>* HandleQuestions(
    const RpcRuntime& runtime, grpc::CallbackServerContext* context, Role role,
    std::unique_ptr<StreamAnswerer<Request, Response>> answerer) {
  const auto reactor =
      std::make_shared<internal::QuestionReactor<Request, Response>>(runtime, context, std::move(answerer));
  reactor->Begin(role);
  return reactor.get();
}

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_BIDI_STREAM_H_
