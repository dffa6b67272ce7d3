#include "server/rpc/intake.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpc/grpc.h"

namespace creamery {
namespace {

constexpr absl::Duration kShortestRound = absl::Milliseconds(10);
constexpr absl::Duration kLongestRound = absl::Seconds(1);

constexpr char kDraining[] = "the server is shutting down; try again";

absl::Status Draining() { return absl::UnavailableError(kDraining); }

}  // namespace

Intake::Intake(const Options& options) : options_(options), watch_([this] { Watch(); }) {}

Intake::~Intake() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    changed_.SignalAll();
  }
  watch_.join();
}

absl::Status Intake::Enter(Guest* guest) {
  MutexLock lock(&mu_);
  if (closed_) return Draining();
  if (calls_ >= options_.max_calls) {
    return absl::ResourceExhaustedError(absl::StrCat("the server has ", calls_, " calls open, the most it takes"));
  }
  ++calls_;
  guest->entered_ = true;
  guest->previous_ = newest_;
  (newest_ == nullptr ? oldest_ : newest_->next_) = guest;
  newest_ = guest;
  return absl::OkStatus();
}

absl::Status Intake::Last(Guest* guest, const std::string& connection) {
  MutexLock lock(&mu_);
  int& streams = lasting_[connection];
  if (streams >= options_.max_lasting_streams) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "this connection holds ", streams,
        " lasting calls (watched jobs, open streams, uploads), the most it may: end some first, or ask over "
        "another connection"));
  }
  ++streams;
  guest->lasting_ = connection;
  return absl::OkStatus();
}

void Intake::Leave(Guest* guest) {
  MutexLock lock(&mu_);
  if (guest->waiting_) --waiting_;
  bytes_ -= guest->bytes_;
  guest->bytes_ = 0;
  if (!guest->lasting_.empty()) {
    const auto streams = lasting_.find(guest->lasting_);
    if (--streams->second == 0) lasting_.erase(streams);
    guest->lasting_.clear();
  }
  if (!guest->entered_) return;
  guest->entered_ = false;
  (guest->previous_ == nullptr ? oldest_ : guest->previous_->next_) = guest->next_;
  (guest->next_ == nullptr ? newest_ : guest->next_->previous_) = guest->previous_;
  if (--calls_ == 0 && closed_) changed_.SignalAll();
}

void Intake::BeginWaiting(Guest* guest) {
  guest->since_ = absl::Now();
  MutexLock lock(&mu_);  // once the server drains, the next round of the watch ends it
  guest->waiting_ = true;
  ++waiting_;
}

bool Intake::EndWaiting(Guest* guest) {
  MutexLock lock(&mu_);
  if (!guest->waiting_) return false;
  guest->waiting_ = false;
  --waiting_;
  return true;
}

absl::Status Intake::Charge(Guest* guest, int64_t bytes) {
  MutexLock lock(&mu_);
  if (bytes > options_.max_request_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the request needs ", bytes, " bytes, expected at most ", options_.max_request_bytes));
  }
  if (bytes_ - guest->bytes_ + bytes > options_.max_request_bytes) {
    return absl::UnavailableError(
        absl::StrCat("the requests under way hold ", bytes_, " of ", options_.max_request_bytes, " bytes; try again"));
  }
  bytes_ += bytes - guest->bytes_;
  guest->bytes_ = bytes;
  return absl::OkStatus();
}

void Intake::Close() {
  std::vector<Guest*> expelled;
  {
    MutexLock lock(&mu_);
    closed_ = true;
    expelled = TakeWaiting(absl::InfiniteFuture());
  }
  for (Guest* guest : expelled) guest->Expel(Draining());
}

void Intake::EndAll() {
  std::vector<grpc_call*> calls;
  {
    MutexLock lock(&mu_);
    for (const Guest* guest = oldest_; guest != nullptr; guest = guest->next_) {
      grpc_call_ref(guest->call_);
      calls.push_back(guest->call_);
    }
  }
  for (grpc_call* call : calls) {  // without the lock: a call may leave at once
    grpc_call_cancel_with_status(call, GRPC_STATUS_UNAVAILABLE, kDraining, nullptr);
    grpc_call_unref(call);
  }
}

bool Intake::AwaitEmpty(absl::Time deadline) {
  MutexLock lock(&mu_);
  while (calls_ > 0) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mu_, std::min(left, kLongestRound));
  }
  return true;
}

void Intake::Watch() {
  const absl::Duration round = std::clamp(options_.request_patience / 10, kShortestRound, kLongestRound);
  for (;;) {
    std::vector<Guest*> late;
    bool closed = false;
    {
      MutexLock lock(&mu_);
      if (!ending_) changed_.WaitFor(&mu_, round);
      if (ending_) return;
      closed = closed_;
      late = TakeWaiting(closed_ ? absl::InfiniteFuture() : absl::Now() - options_.request_patience);
    }
    for (Guest* guest : late) {
      guest->Expel(closed ? Draining()
                          : absl::DeadlineExceededError(absl::StrCat("the request did not arrive within ",
                                                                     absl::FormatDuration(options_.request_patience))));
    }
  }
}

std::vector<Intake::Guest*> Intake::TakeWaiting(absl::Time limit) {
  std::vector<Guest*> taken;
  for (Guest* guest = oldest_; guest != nullptr && waiting_ > 0; guest = guest->next_) {
    if (!guest->waiting_ || guest->since_ >= limit) continue;
    guest->waiting_ = false;
    --waiting_;
    taken.push_back(guest);
  }
  return taken;
}

}  // namespace creamery
