// JobService over the job board: names are parsed here, samples are read here, everything else is the board's.
#ifndef CREAMERY_SERVER_JOBS_JOB_SERVICE_H_
#define CREAMERY_SERVER_JOBS_JOB_SERVICE_H_

#include <memory>

#include "grpcpp/impl/codegen/service_type.h"
#include "server/jobs/job_board.h"
#include "server/rpc/call.h"

namespace creamery {

// Thread-safe. What it is given must outlive it, and so must what `rpc` points at.
std::unique_ptr<grpc::Service> MakeJobService(const RpcRuntime& rpc, JobBoard& board, Registry& registry);

}  // namespace creamery

#endif  // CREAMERY_SERVER_JOBS_JOB_SERVICE_H_
