// What stands before each call: who calls is known from the metadata, before a byte of the request is read; then its
// size, what it would cost once parsed (wire_cost.h) and what all requests hold together are looked at; only then is it
// parsed and handed to its method. For that, gRPC is told that every method is a stream of bytes, and the gates below
// play gRPC's part towards the reactor that the method returns.
#ifndef CREAMERY_SERVER_RPC_GATE_H_
#define CREAMERY_SERVER_RPC_GATE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/message_allocator.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call.h"
#include "server/rpc/intake.h"
#include "server/rpc/method_limits.h"

namespace creamery {

// What the gates of one method share. Constant.
struct GatedMethod {
  RpcRuntime runtime;
  Role role = Role::kClient;
  MethodLimits limits;
};

namespace internal {

// The part of a gate that does not depend on types.
class GateKeeper : public Intake::Guest {
 protected:
  GateKeeper(const GatedMethod& method, grpc::CallbackServerContext* context)
      : Guest(context->c_call()), method_(method), context_(context) {}
  ~GateKeeper() override { intake().Leave(this); }

  Intake& intake() const { return *method_.runtime.intake; }
  // Before anything is read.
  absl::Status Open();
  // The end of a call that has not begun: clients may repeat it even if it changes something.
  grpc::Status Refusal(const absl::Status& status) const;
  // Parses what was read, and lets the bytes go.
  absl::Status Take(grpc::ByteBuffer* bytes, google::protobuf::Message* request);
  // What was taken is no longer held.
  void Release();

  const GatedMethod& method_;
  grpc::CallbackServerContext* const context_;

 private:
  bool charged_ = false;
};

// One request, then the reactor of the method; `Outer` is gRPC's reactor, `Inner` the method's.
template <typename Outer, typename Inner>
class OneRequestGate : public Outer, protected GateKeeper {
 public:
  void OnReadDone(bool ok) final {
    if (!intake().EndWaiting(this)) return;
    absl::Status status = ok ? Take(&bytes_, request()) : absl::InvalidArgumentError("the call brought no request");
    if (!status.ok()) return this->Finish(Refusal(status));
    inner_ = Enter();
    int before = kReading;
    if (!phase_.compare_exchange_strong(before, kInside)) inner_->OnCancel();
  }
  void OnCancel() final {
    int before = kReading;
    if (!phase_.compare_exchange_strong(before, kCancelled)) inner_->OnCancel();
  }
  void OnSendInitialMetadataDone(bool ok) final { inner_->OnSendInitialMetadataDone(ok); }
  void OnDone() final {
    if (inner_ != nullptr) inner_->OnDone();
    delete this;
  }

 protected:
  using GateKeeper::GateKeeper;
  // In the constructor of what is derived.
  void Begin() {
    if (const absl::Status status = Open(); !status.ok()) {
      this->Finish(Refusal(status));
      return;
    }
    intake().BeginWaiting(this);
    this->StartRead(&bytes_);
  }
  void Expel(const absl::Status& why) final { this->Finish(Refusal(why)); }
  virtual google::protobuf::Message* request() = 0;
  // Calls the method and binds its reactor.
  virtual Inner* Enter() = 0;

  Inner* inner_ = nullptr;

 private:
  enum { kReading, kInside, kCancelled };
  std::atomic<int> phase_{kReading};
  grpc::ByteBuffer bytes_;
};

template <typename Request, typename Response>
class UnaryGate final
    : public OneRequestGate<grpc::ServerBidiReactor<grpc::ByteBuffer, Response>, grpc::ServerUnaryReactor> {
 public:
  using Method = std::function<grpc::ServerUnaryReactor*(grpc::CallbackServerContext*, const Request*, Response*)>;
  using Messages = grpc::MessageAllocator<Request, Response>;

  // `messages` may be null. Ends itself, as all gates.
  UnaryGate(const GatedMethod& gated, grpc::CallbackServerContext* context, const Method& method, Messages* messages)
      : OneRequestGate<grpc::ServerBidiReactor<grpc::ByteBuffer, Response>, grpc::ServerUnaryReactor>(gated, context),
        call_(method),
        allocator_(messages),
        bridge_(this) {
    this->Begin();
  }
  ~UnaryGate() override {
    if (messages_ != nullptr) messages_->Release();
  }

 private:
  class Bridge final : public grpc::ServerCallbackUnary {
   public:
    explicit Bridge(UnaryGate* gate) : gate_(gate) {}
    void Bind(grpc::ServerUnaryReactor* reactor) { BindReactor(reactor); }
    void Finish(grpc::Status status) override {
      if (!status.ok()) return gate_->Finish(std::move(status));
      gate_->StartWriteAndFinish(gate_->messages_->response(), grpc::WriteOptions(), std::move(status));
    }
    void SendInitialMetadata() override { gate_->StartSendInitialMetadata(); }

   private:
    grpc::internal::ServerReactor* reactor() override { return gate_->inner_; }
    void CallOnDone() override {}
    UnaryGate* const gate_;
  };
  class OwnMessages final : public grpc::MessageHolder<Request, Response> {
   public:
    OwnMessages() {
      this->set_request(&request_);
      this->set_response(&response_);
    }
    void Release() override { delete this; }

   private:
    Request request_;
    Response response_;
  };

  google::protobuf::Message* request() override {
    messages_ = allocator_ != nullptr ? allocator_->AllocateMessages() : new OwnMessages();
    return messages_->request();
  }
  grpc::ServerUnaryReactor* Enter() override {
    this->inner_ = call_(this->context_, messages_->request(), messages_->response());
    bridge_.Bind(this->inner_);
    return this->inner_;
  }

  const Method& call_;
  Messages* const allocator_;
  grpc::MessageHolder<Request, Response>* messages_ = nullptr;
  Bridge bridge_;
};

template <typename Request, typename Response>
class WriterGate final
    : public OneRequestGate<grpc::ServerBidiReactor<grpc::ByteBuffer, Response>, grpc::ServerWriteReactor<Response>> {
 public:
  using Inner = grpc::ServerWriteReactor<Response>;
  using Method = std::function<Inner*(grpc::CallbackServerContext*, const Request*)>;

  WriterGate(const GatedMethod& gated, grpc::CallbackServerContext* context, const Method& method)
      : OneRequestGate<grpc::ServerBidiReactor<grpc::ByteBuffer, Response>, Inner>(gated, context),
        call_(method),
        bridge_(this) {
    this->Begin();
  }
  void OnWriteDone(bool ok) override { this->inner_->OnWriteDone(ok); }

 private:
  class Bridge final : public grpc::ServerCallbackWriter<Response> {
   public:
    explicit Bridge(WriterGate* gate) : gate_(gate) {}
    void Bind(Inner* reactor) { this->BindReactor(reactor); }
    void Finish(grpc::Status status) override { gate_->Finish(std::move(status)); }
    void SendInitialMetadata() override { gate_->StartSendInitialMetadata(); }
    void Write(const Response* message, grpc::WriteOptions options) override { gate_->StartWrite(message, options); }
    void WriteAndFinish(const Response* message, grpc::WriteOptions options, grpc::Status status) override {
      gate_->StartWriteAndFinish(message, options, std::move(status));
    }

   private:
    grpc::internal::ServerReactor* reactor() override { return gate_->inner_; }
    void CallOnDone() override {}
    WriterGate* const gate_;
  };

  google::protobuf::Message* request() override { return &request_; }
  // The method's reactor may write before this returns: its address is known to the gate before it is bound.
  Inner* Enter() override {
    this->inner_ = call_(this->context_, &request_);
    bridge_.Bind(this->inner_);
    return this->inner_;
  }

  const Method& call_;
  Request request_;
  Bridge bridge_;
};

// Many requests: each is looked at as it comes. A bad one cancels the method's reactor and ends the call with its
// error, whatever the reactor says then.
template <typename Request, typename Outer, typename Inner>
class ManyRequestsGate : public Outer, protected GateKeeper {
 public:
  void OnReadDone(bool ok) final {
    if (ok) {
      absl::Status status = Take(&bytes_, target_);
      if (status.ok()) return inner_->OnReadDone(true);
      failure_ = std::move(status);
      failed_.store(true, std::memory_order_release);
      inner_->OnCancel();
    }
    inner_->OnReadDone(false);
  }
  void OnCancel() final {
    if (inner_ != nullptr) inner_->OnCancel();
  }
  void OnSendInitialMetadataDone(bool ok) final { inner_->OnSendInitialMetadataDone(ok); }
  void OnDone() final {
    if (inner_ != nullptr) inner_->OnDone();
    delete this;
  }

 protected:
  using GateKeeper::GateKeeper;
  // Reactors of many requests look after their own patience.
  void Expel(const absl::Status&) final {}
  void Read(Request* target) {
    Release();  // whoever reads on has done with what came before
    target_ = target;
    this->StartRead(&bytes_);
  }
  grpc::Status Verdict(grpc::Status status) const {
    return failed_.load(std::memory_order_acquire) ? ToGrpcStatus(failure_, context_) : std::move(status);
  }

  Inner* inner_ = nullptr;

 private:
  grpc::ByteBuffer bytes_;
  Request* target_ = nullptr;
  absl::Status failure_;
  std::atomic<bool> failed_{false};
};

template <typename Request, typename Response>
class ReaderGate final
    : public ManyRequestsGate<Request, grpc::ServerReadReactor<grpc::ByteBuffer>, grpc::ServerReadReactor<Request>> {
 public:
  using Inner = grpc::ServerReadReactor<Request>;
  using Method = std::function<Inner*(grpc::CallbackServerContext*, Response*)>;

  ReaderGate(const GatedMethod& gated, grpc::CallbackServerContext* context, Response* response, const Method& method)
      : ManyRequestsGate<Request, grpc::ServerReadReactor<grpc::ByteBuffer>, Inner>(gated, context), bridge_(this) {
    if (const absl::Status status = this->Open(); !status.ok()) {
      this->Finish(this->Refusal(status));
      return;
    }
    this->inner_ = method(context, response);
    bridge_.Bind(this->inner_);
  }

 private:
  class Bridge final : public grpc::ServerCallbackReader<Request> {
   public:
    explicit Bridge(ReaderGate* gate) : gate_(gate) {}
    void Bind(Inner* reactor) { this->BindReactor(reactor); }
    void Finish(grpc::Status status) override { gate_->Finish(gate_->Verdict(std::move(status))); }
    void SendInitialMetadata() override { gate_->StartSendInitialMetadata(); }
    void Read(Request* message) override { gate_->Read(message); }

   private:
    grpc::internal::ServerReactor* reactor() override { return gate_->inner_; }
    void CallOnDone() override {}
    ReaderGate* const gate_;
  };

  Bridge bridge_;
};

template <typename Request, typename Response>
class BidiGate final : public ManyRequestsGate<Request, grpc::ServerBidiReactor<grpc::ByteBuffer, Response>,
                                               grpc::ServerBidiReactor<Request, Response>> {
 public:
  using Inner = grpc::ServerBidiReactor<Request, Response>;
  using Method = std::function<Inner*(grpc::CallbackServerContext*)>;

  BidiGate(const GatedMethod& gated, grpc::CallbackServerContext* context, const Method& method)
      : ManyRequestsGate<Request, grpc::ServerBidiReactor<grpc::ByteBuffer, Response>, Inner>(gated, context),
        bridge_(this) {
    if (const absl::Status status = this->Open(); !status.ok()) {
      this->Finish(this->Refusal(status));
      return;
    }
    this->inner_ = method(context);
    bridge_.Bind(this->inner_);
  }
  void OnWriteDone(bool ok) override { this->inner_->OnWriteDone(ok); }

 private:
  class Bridge final : public grpc::ServerCallbackReaderWriter<Request, Response> {
   public:
    explicit Bridge(BidiGate* gate) : gate_(gate) {}
    void Bind(Inner* reactor) { this->BindReactor(reactor); }
    void Finish(grpc::Status status) override { gate_->Finish(gate_->Verdict(std::move(status))); }
    void SendInitialMetadata() override { gate_->StartSendInitialMetadata(); }
    void Read(Request* message) override { gate_->Read(message); }
    void Write(const Response* message, grpc::WriteOptions options) override { gate_->StartWrite(message, options); }
    void WriteAndFinish(const Response* message, grpc::WriteOptions options, grpc::Status status) override {
      gate_->StartWriteAndFinish(message, options, gate_->Verdict(std::move(status)));
    }

   private:
    grpc::internal::ServerReactor* reactor() override { return gate_->inner_; }
    void CallOnDone() override {}
    BidiGate* const gate_;
  };

  Bridge bridge_;
};

}  // namespace internal

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_GATE_H_
