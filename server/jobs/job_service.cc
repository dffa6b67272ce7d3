#include "server/jobs/job_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "creamery/v1/job_service.grpc.pb.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"
#include "server/jobs/samples_blob.h"
#include "server/rpc/gated_service.h"
#include "server/rpc/server_stream.h"
#include "server/rpc/state_stream.h"
#include "server/rpc/unary.h"

namespace creamery {
namespace {

constexpr int kMostJobsOfAnArray = 10000;

absl::StatusOr<PageRequest> ParsePage(int size, const std::string& token) {
  if (size < 0) return absl::InvalidArgumentError(absl::StrCat("page_size is ", size, ", expected 0 to 1000"));
  PageRequest page;
  if (size > 0) page.size = std::min(size, 1000);
  page.token = token;
  return page;
}

class JobService final : public GatedService<v1::JobService> {
 public:
  JobService(const RpcRuntime& rpc, JobBoard& board, Registry& registry)
      : GatedService(rpc, Role::kClient), rpc_(rpc), board_(board), registry_(registry) {
    GateMethods(&JobService::CreateJob, &JobService::CreateJobArray, &JobService::CancelJobArray,
                &JobService::ReadSamples, &JobService::GetJob, &JobService::ListJobs, &JobService::CancelJob,
                &JobService::WatchJob);
  }

  grpc::ServerUnaryReactor* CreateJob(grpc::CallbackServerContext* context, const v1::CreateJobRequest* request,
                                      v1::Job* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(),
                       [this, request, response](const Call& call) -> absl::Status {
                         ABSL_ASSIGN_OR_RETURN(const ProjectName parent, ProjectName::Parse(request->parent()));
                         ABSL_ASSIGN_OR_RETURN(const Caller caller,
                                               MakeCaller(call, "CreateJob", request->request_id(), *request));
                         ABSL_ASSIGN_OR_RETURN(*response, board_.CreateJob(caller, parent, request->job()));
                         return absl::OkStatus();
                       });
  }

  grpc::ServerUnaryReactor* CreateJobArray(grpc::CallbackServerContext* context,
                                           const v1::CreateJobArrayRequest* request, v1::JobArray* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(),
                       [this, request, response](const Call& call) -> absl::Status {
                         ABSL_ASSIGN_OR_RETURN(const ProjectName parent, ProjectName::Parse(request->parent()));
                         if (request->jobs().empty() || request->jobs_size() > kMostJobsOfAnArray) {
                           return absl::InvalidArgumentError(absl::StrCat(
                               "jobs has ", request->jobs_size(), " entries, expected 1 to ", kMostJobsOfAnArray));
                         }
                         ABSL_ASSIGN_OR_RETURN(const Caller caller,
                                               MakeCaller(call, "CreateJobArray", request->request_id(), *request));
                         ABSL_ASSIGN_OR_RETURN(*response, board_.CreateJobArray(caller, parent, request->jobs()));
                         return absl::OkStatus();
                       });
  }

  grpc::ServerUnaryReactor* CancelJobArray(grpc::CallbackServerContext* context,
                                           const v1::CancelJobArrayRequest* request, v1::JobArray* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(),
                       [this, request, response](const Call& call) -> absl::Status {
                         ABSL_ASSIGN_OR_RETURN(const ProjectName parent, ProjectName::Parse(request->parent()));
                         ABSL_ASSIGN_OR_RETURN(const Caller caller, MakeCaller(call, "CancelJobArray", "", *request));
                         ABSL_ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs,
                                               board_.CancelJobArray(caller, parent, request->array()));
                         response->set_array(request->array());
                         for (const v1::Job& job : jobs) {
                           v1::Job& told = *response->add_jobs();
                           told.set_name(job.name());
                           told.set_state(job.state());
                           told.set_array(job.array());
                         }
                         return absl::OkStatus();
                       });
  }

  // The samples rest as they were computed: chunks are read from the blob as they leave.
  grpc::ServerWriteReactor<v1::WeightedSamples>* ReadSamples(grpc::CallbackServerContext* context,
                                                             const v1::ReadSamplesRequest* request) override {
    using Reply = v1::WeightedSamples;
    return HandleServerStream<Reply>(rpc_, context, *request, Role::kClient, Work::Disk(),
                                     [this, request](const Call&) -> absl::StatusOr<Producer<Reply>> {
                                       ABSL_ASSIGN_OR_RETURN(const JobName name, JobName::Parse(request->name()));
                                       ABSL_ASSIGN_OR_RETURN(const std::string digest, registry_.SamplesOf(name));
                                       ABSL_ASSIGN_OR_RETURN(std::shared_ptr<SamplesReader> samples,
                                                             SamplesReader::Open(registry_.blobs(), digest));
                                       return Producer<Reply>([samples](Reply* reply) { return samples->Next(reply); });
                                     });
  }

  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context, const v1::GetJobRequest* request,
                                   v1::Job* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(),
                       [this, request, response](const Call&) -> absl::Status {
                         ABSL_ASSIGN_OR_RETURN(const JobName name, JobName::Parse(request->name()));
                         ABSL_ASSIGN_OR_RETURN(*response, board_.GetJob(name));
                         return absl::OkStatus();
                       });
  }

  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context, const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override {
    return HandleUnary(
        rpc_, context, *request, Role::kClient, Work::Disk(), [this, request, response](const Call&) -> absl::Status {
          ABSL_ASSIGN_OR_RETURN(const ProjectName parent, ProjectName::Parse(request->parent()));
          ABSL_ASSIGN_OR_RETURN(const PageRequest page, ParsePage(request->page_size(), request->page_token()));
          ABSL_ASSIGN_OR_RETURN(Page<v1::Job> jobs, request->array().empty()
                                                        ? board_.ListJobs(parent, page)
                                                        : board_.ListJobArray(parent, request->array(), page));
          for (v1::Job& job : jobs.items) *response->add_jobs() = std::move(job);
          response->set_next_page_token(jobs.next_token);
          return absl::OkStatus();
        });
  }

  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context, const v1::CancelJobRequest* request,
                                      v1::Job* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Disk(),
                       [this, request, response](const Call& call) -> absl::Status {
                         ABSL_ASSIGN_OR_RETURN(const JobName name, JobName::Parse(request->name()));
                         ABSL_ASSIGN_OR_RETURN(const Caller caller, MakeCaller(call, "CancelJob", "", *request));
                         ABSL_ASSIGN_OR_RETURN(*response, board_.CancelJob(caller, name));
                         return absl::OkStatus();
                       });
  }

  grpc::ServerWriteReactor<v1::Job>* WatchJob(grpc::CallbackServerContext* context,
                                              const v1::WatchJobRequest* request) override {
    using Stream = std::shared_ptr<StateStream<v1::Job>>;
    return HandleStateStream<v1::Job>(
        rpc_, context, *request, Role::kClient, [this, request](const Call&, const Stream& stream) -> absl::Status {
          ABSL_ASSIGN_OR_RETURN(const JobName name, JobName::Parse(request->name()));
          // The stream keeps the subscription, so the subscription must not keep the stream.
          const auto tell = [weak = std::weak_ptr(stream)](const absl::StatusOr<v1::Job>& job) {
            const Stream stream = weak.lock();
            if (stream == nullptr) return;
            if (!job.ok()) return stream->End(job.status());
            stream->Send(*job);
            const v1::JobState state = job->state();
            if (state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED) stream->End(absl::OkStatus());
          };
          ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Subscription> subscription, board_.WatchJob(name, tell));
          stream->KeepUntilDone(std::shared_ptr<Subscription>(std::move(subscription)));
          return absl::OkStatus();
        });
  }

 private:
  const RpcRuntime rpc_;
  JobBoard& board_;
  Registry& registry_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeJobService(const RpcRuntime& rpc, JobBoard& board, Registry& registry) {
  return std::make_unique<JobService>(rpc, board, registry);
}

}  // namespace creamery
