// Requests and responses of a unary method that are used again, with the memory they have grown: short calls ask the
// heap for none in the steady state, and find theirs in the caches.
#ifndef CREAMERY_SERVER_RPC_MESSAGE_POOL_H_
#define CREAMERY_SERVER_RPC_MESSAGE_POOL_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "grpcpp/support/message_allocator.h"
#include "proto/support/mutex.h"

namespace creamery {

// For SetMessageAllocatorFor_{method} of a callback service. Must outlive the gRPC server. Thread-safe.
template <typename Request, typename Response>
class MessagePool final : public grpc::MessageAllocator<Request, Response> {
 public:
  grpc::MessageHolder<Request, Response>* AllocateMessages() override {
    {
      MutexLock lock(&mu_);
      if (!idle_.empty()) {
        Messages* const messages = idle_.back().release();
        idle_.pop_back();
        return messages;
      }
    }
    return new Messages(this);
  }

 private:
  // What is kept: as many as there are short calls at once, none that grew large.
  static constexpr size_t kMostIdle = 64;
  static constexpr size_t kLargestKept = 16 << 10;

  class Messages final : public grpc::MessageHolder<Request, Response> {
   public:
    explicit Messages(MessagePool* pool) : pool_(pool) {
      this->set_request(&request_);
      this->set_response(&response_);
    }
    void Release() override {
      if (request_.ByteSizeLong() + response_.ByteSizeLong() > kLargestKept) {
        delete this;
        return;
      }
      request_.Clear();
      response_.Clear();
      pool_->Keep(std::unique_ptr<Messages>(this));
    }

   private:
    MessagePool* const pool_;
    Request request_;
    Response response_;
  };

  void Keep(std::unique_ptr<Messages> messages) {
    MutexLock lock(&mu_);
    if (idle_.size() < kMostIdle) idle_.push_back(std::move(messages));
  }

  Mutex mu_;
  std::vector<std::unique_ptr<Messages>> idle_ ABSL_GUARDED_BY(mu_);
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_MESSAGE_POOL_H_
