#include "server/rpc/health.h"

#include <utility>
#include <vector>

#include "grpcpp/impl/codegen/server_callback_handlers.h"
#include "grpcpp/impl/rpc_service_method.h"
#include "grpcpp/support/server_callback.h"

namespace creamery {
namespace {

using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
using Handler = grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>;

// More watchers than this are refused.
constexpr size_t kMostWatchers = 256;

// HealthCheckResponse{status: SERVING = 1 or NOT_SERVING = 2}.
grpc::ByteBuffer Response(bool serving) {
  const grpc::Slice slice(serving ? "\x08\x01" : "\x08\x02", 2);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

class HealthService::CheckCall final : public Reactor {
 public:
  explicit CheckCall(bool serving) : response_(Response(serving)) {
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
  }
  void OnDone() override { delete this; }

 private:
  const grpc::ByteBuffer response_;
};

// Writes the newest status when the one before has left. gRPC's calls are made without mu_ held.
class HealthService::WatchCall final : public Reactor, public std::enable_shared_from_this<WatchCall> {
 public:
  explicit WatchCall(HealthService* service) : service_(service) {}

  void Tell(bool serving) {
    {
      MutexLock lock(&mu_);
      newest_ = serving;
    }
    GoOn();
  }
  void End(grpc::Status status) {
    {
      MutexLock lock(&mu_);
      if (ended_) return;
      ended_ = true;
      last_ = std::move(status);
    }
    GoOn();
  }
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(&mu_);
      writing_ = false;
    }
    ok ? GoOn() : End(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    const std::shared_ptr<WatchCall> self = shared_from_this();
    MutexLock lock(&service_->mu_);
    service_->watchers_.erase(self);
  }

 private:
  void GoOn() {
    bool finish = false;
    {
      MutexLock lock(&mu_);
      if (writing_ || finished_) return;
      if (ended_) {
        finish = finished_ = true;
      } else if (told_ != newest_) {
        told_ = newest_;
        response_ = Response(newest_ == 1);
        writing_ = true;
      } else {
        return;
      }
    }
    finish ? Finish(last_) : StartWrite(&response_);
  }

  HealthService* const service_;
  grpc::ByteBuffer response_;  // belongs to the write under way
  grpc::Status last_;          // constant once ended_
  Mutex mu_;
  int told_ ABSL_GUARDED_BY(mu_) = -1;
  int newest_ ABSL_GUARDED_BY(mu_) = -1;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

HealthService::HealthService() {
  using grpc::internal::RpcMethod;
  using grpc::internal::RpcServiceMethod;
  // As gRPC is told of all methods (gate.h): it would read the request of a unary one before anybody asks for it.
  AddMethod(new RpcServiceMethod("/grpc.health.v1.Health/Check", RpcMethod::BIDI_STREAMING, nullptr));
  AddMethod(new RpcServiceMethod("/grpc.health.v1.Health/Watch", RpcMethod::BIDI_STREAMING, nullptr));
  MarkMethodCallback(0, new Handler([this](grpc::CallbackServerContext*) {
                       MutexLock lock(&mu_);
                       return new CheckCall(serving_);
                     }));
  MarkMethodCallback(1, new Handler([this](grpc::CallbackServerContext*) {
                       const auto call = std::make_shared<WatchCall>(this);
                       bool serving = false, full = false, closed = false;
                       {
                         MutexLock lock(&mu_);
                         serving = serving_;
                         closed = closed_;
                         full = watchers_.size() >= kMostWatchers;
                         watchers_.insert(call);  // until OnDone
                       }
                       if (closed || full) {
                         call->End(closed ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down")
                                          : grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                                         "256 calls watch the server's health, the most it takes"));
                       } else {
                         call->Tell(serving);
                       }
                       return call.get();
                     }));
}

HealthService::~HealthService() = default;

void HealthService::SetServing(bool serving) {
  std::vector<std::shared_ptr<WatchCall>> watchers;
  {
    MutexLock lock(&mu_);
    serving_ = serving;
    watchers.assign(watchers_.begin(), watchers_.end());
  }
  for (const std::shared_ptr<WatchCall>& watcher : watchers) watcher->Tell(serving);
}

void HealthService::Close() {
  std::vector<std::shared_ptr<WatchCall>> watchers;
  {
    MutexLock lock(&mu_);
    closed_ = true;
    watchers.assign(watchers_.begin(), watchers_.end());
  }
  for (const std::shared_ptr<WatchCall>& watcher : watchers) {
    watcher->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down"));
  }
}

}  // namespace creamery
