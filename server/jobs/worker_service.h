// WorkerService over the job board: leases by the board, rows and blobs by storage. Every call checks its lease.
#ifndef CREAMERY_SERVER_JOBS_WORKER_SERVICE_H_
#define CREAMERY_SERVER_JOBS_WORKER_SERVICE_H_

#include <memory>

#include "grpcpp/impl/codegen/service_type.h"
#include "server/jobs/job_board.h"
#include "server/rpc/call.h"
#include "storage/registry.h"

namespace creamery {

// Thread-safe. `board`, `registry` and what `rpc` points at must outlive it.
std::unique_ptr<grpc::Service> MakeWorkerService(const RpcRuntime& rpc, JobBoard& board, Registry& registry);

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_WORKER_SERVICE_H_
