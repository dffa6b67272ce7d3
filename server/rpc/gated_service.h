// A generated callback service behind gates (gate.h). Its constructor names all methods, in the order of the .proto:
//
//   JobService(const RpcRuntime& rpc, ...) : GatedService(rpc, Role::kClient) {
//     GateMethods(&JobService::CreateJob, &JobService::CreateJobArray, ...);
//   }
#ifndef CREAMERY_SERVER_RPC_GATED_SERVICE_H_
#define CREAMERY_SERVER_RPC_GATED_SERVICE_H_

#include <deque>
#include <utility>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/stubs/logging.h"
#include "grpcpp/impl/codegen/server_callback_handlers.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/gate.h"

namespace creamery {

// A unary method whose messages are used again (message_pool.h).
template <typename Method, typename Messages>
struct MethodWithMessages {
  Method method;
  Messages* messages;
};
template <typename Method, typename Messages>
MethodWithMessages<Method, Messages> WithMessages(Method method, Messages* messages) {
  return {method, messages};
}

// `Api` is v1::JobService, say. The runtime has an intake.
template <typename Api>
class GatedService : public Api::CallbackService {
 protected:
  GatedService(const RpcRuntime& runtime, Role role) : runtime_(runtime), role_(role) {}

  template <typename... Methods>
  void GateMethods(Methods... methods) {
    const google::protobuf::ServiceDescriptor* const service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(Api::service_full_name());
    GOOGLE_CHECK(service != nullptr && service->method_count() == static_cast<int>(sizeof...(Methods)));
    int index = 0;
    (Put(*service->method(index++), methods), ...);
  }

 private:
  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;

  // gRPC takes the message of a unary call, or of one with many replies, before it tells anybody of the call, unless
  // it believes the method to be a stream both ways.
  template <typename Service, typename Request, typename Response>
  void Put(const google::protobuf::MethodDescriptor& method,
           grpc::ServerUnaryReactor* (Service::*call)(Context*, const Request*, Response*),
           grpc::MessageAllocator<Request, Response>* messages = nullptr) {
    const GatedMethod& gated = Describe<Request, Response>(method);
    const typename internal::UnaryGate<Request, Response>::Method run =
        [self = static_cast<Service*>(this), call](Context* context, const Request* request, Response* response) {
          return (self->*call)(context, request, response);
        };
    this->MarkMethodStreamed(
        method.index(),
        new grpc::internal::CallbackBidiHandler<Bytes, Response>([&gated, run, messages](Context* context) {
          return new internal::UnaryGate<Request, Response>(gated, context, run, messages);
        }));
  }
  template <typename Method, typename Messages>
  void Put(const google::protobuf::MethodDescriptor& method, MethodWithMessages<Method, Messages> call) {
    Put(method, call.method, call.messages);
  }
  template <typename Service, typename Request, typename Response>
  void Put(const google::protobuf::MethodDescriptor& method,
           grpc::ServerWriteReactor<Response>* (Service::*call)(Context*, const Request*)) {
    const GatedMethod& gated = Describe<Request, Response>(method);
    const typename internal::WriterGate<Request, Response>::Method run = [self = static_cast<Service*>(this), call](
                                                                             Context* context, const Request* request) {
      return (self->*call)(context, request);
    };
    this->MarkMethodStreamed(method.index(),
                             new grpc::internal::CallbackBidiHandler<Bytes, Response>([&gated, run](Context* context) {
                               return new internal::WriterGate<Request, Response>(gated, context, run);
                             }));
  }
  template <typename Service, typename Request, typename Response>
  void Put(const google::protobuf::MethodDescriptor& method,
           grpc::ServerReadReactor<Request>* (Service::*call)(Context*, Response*)) {
    const GatedMethod& gated = Describe<Request, Response>(method);
    const typename internal::ReaderGate<Request, Response>::Method run = [self = static_cast<Service*>(this), call](
                                                                             Context* context, Response* response) {
      return (self->*call)(context, response);
    };
    this->MarkMethodCallback(method.index(), new grpc::internal::CallbackClientStreamingHandler<Bytes, Response>(
                                                 [&gated, run](Context* context, Response* response) {
                                                   return new internal::ReaderGate<Request, Response>(gated, context,
                                                                                                      response, run);
                                                 }));
  }
  template <typename Service, typename Request, typename Response>
  void Put(const google::protobuf::MethodDescriptor& method,
           grpc::ServerBidiReactor<Request, Response>* (Service::*call)(Context*)) {
    const GatedMethod& gated = Describe<Request, Response>(method);
    const typename internal::BidiGate<Request, Response>::Method run =
        [self = static_cast<Service*>(this), call](Context* context) { return (self->*call)(context); };
    this->MarkMethodCallback(method.index(),
                             new grpc::internal::CallbackBidiHandler<Bytes, Response>([&gated, run](Context* context) {
                               return new internal::BidiGate<Request, Response>(gated, context, run);
                             }));
  }

  template <typename Request, typename Response>
  const GatedMethod& Describe(const google::protobuf::MethodDescriptor& method) {
    GOOGLE_CHECK(method.input_type() == Request::descriptor() && method.output_type() == Response::descriptor());
    return methods_.emplace_back(
        GatedMethod{runtime_, role_, LimitsOf(method, runtime_.intake->options().max_message_bytes)});
  }

  const RpcRuntime runtime_;
  const Role role_;
  std::deque<GatedMethod> methods_;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_GATED_SERVICE_H_
