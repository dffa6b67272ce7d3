// The services for people, each in its own file. A method parses and checks shapes, makes one domain call, fills the
// response; `rpc/` does the rest. All are thread-safe; what they are given must outlive them.
#ifndef CREAMERY_SERVER_SERVICES_SERVICES_H_
#define CREAMERY_SERVER_SERVICES_SERVICES_H_

#include <memory>

#include "grpcpp/impl/codegen/service_type.h"
#include "server/rpc/call.h"
#include "server/served_models.h"
#include "server/services/limits.h"
#include "storage/registry.h"

namespace creamery {

std::unique_ptr<grpc::Service> MakeProjectService(const RpcRuntime& rpc, Registry& registry);
std::unique_ptr<grpc::Service> MakeDatasetService(const RpcRuntime& rpc, Registry& registry);
std::unique_ptr<grpc::Service> MakeModelService(const RpcRuntime& rpc, Registry& registry, ServedModels& models,
                                                const Limits& limits);
std::unique_ptr<grpc::Service> MakeInferenceService(const RpcRuntime& rpc, ServedModels& models, const Limits& limits);
std::unique_ptr<grpc::Service> MakeStatisticsService(const RpcRuntime& rpc, ServedModels& models, Registry& registry,
                                                     const Limits& limits);

}  // namespace creamery

#endif  // CREAMERY_SERVER_SERVICES_SERVICES_H_
