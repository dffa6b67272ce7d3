#include "server/worker/heartbeat.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

namespace creamery {
namespace {

// Progress is for people: more often is of no use to them.
constexpr absl::Duration kShortestInterval = absl::Milliseconds(100);
constexpr absl::Duration kLongestInterval = absl::Seconds(1);
constexpr absl::Duration kReconnect = absl::Milliseconds(200);

}  // namespace

Heartbeat::Heartbeat(ServerLink& link, const v1::LeaseId& lease, absl::Duration lease_duration, Orders orders)
    : link_(link),
      lease_(lease),
      interval_(std::clamp(lease_duration / 4, kShortestInterval, kLongestInterval)),
      orders_(std::move(orders)) {
  thread_ = std::thread([this] { Run(); });
}

Heartbeat::~Heartbeat() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    if (context_ != nullptr) context_->TryCancel();
    changed_.SignalAll();
  }
  thread_.join();
}

void Heartbeat::SetProgress(const v1::Progress& progress) {
  MutexLock lock(&mu_);
  progress_ = progress;
  has_progress_ = true;
  changed_.SignalAll();
}

void Heartbeat::Run() {
  while (true) {
    const absl::Status status = RunStream();
    {
      MutexLock lock(&mu_);
      if (ending_) return;
    }
    if (absl::IsAborted(status)) return orders_.lost(status);
    MutexLock lock(&mu_);
    changed_.WaitFor(&mu_, kReconnect);
    if (ending_) return;
  }
}

absl::Status Heartbeat::RunStream() {
  grpc::ClientContext context;
  link_.Authorize(&context);
  // Waits in the channel while the server is away. That also drives the channel's connecting, which nobody polls while
  // calls fail at once: gRPC's own fallback looks every 5 s, longer than a short lease.
  context.set_wait_for_ready(true);
  {
    MutexLock lock(&mu_);
    if (ending_) return absl::CancelledError();
    context_ = &context;
    stream_ended_ = false;
  }
  const auto stream = link_.stub().Heartbeat(&context);
  std::thread reader([&] {
    v1::HeartbeatResponse orders;
    while (stream->Read(&orders)) {
      if (orders.cancel()) orders_.cancel();
      if (orders.release()) orders_.release();
    }
    MutexLock lock(&mu_);
    stream_ended_ = true;
    changed_.SignalAll();
  });
  absl::Time last = absl::InfinitePast();
  while (true) {
    v1::HeartbeatRequest request;
    *request.mutable_lease() = lease_;
    {
      MutexLock lock(&mu_);
      while (!ending_ && !stream_ended_) {
        const absl::Time due = last + (has_progress_ ? kShortestInterval : interval_);
        const absl::Time now = absl::Now();
        if (now >= due) break;
        changed_.WaitFor(&mu_, due - now);
      }
      if (ending_ || stream_ended_) break;
      if (has_progress_) *request.mutable_progress() = progress_;
      has_progress_ = false;
    }
    last = absl::Now();
    if (!stream->Write(request)) break;
  }
  {
    // The stream may still be open only if we end it ourselves.
    MutexLock lock(&mu_);
    if (ending_) context.TryCancel();
  }
  reader.join();
  absl::Status status = FromGrpcStatus(stream->Finish());
  MutexLock lock(&mu_);
  context_ = nullptr;
  return status;
}

}  // namespace creamery
