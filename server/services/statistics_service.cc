#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "creamery/v1/statistics_service.grpc.pb.h"
#include "proto/support/status_macros.h"
#include "server/rpc/gated_service.h"
#include "server/rpc/server_stream.h"
#include "server/rpc/unary.h"
#include "server/services/services.h"
#include "server/statistics/evidence_question.h"
#include "server/statistics/evidence_ratio_question.h"
#include "server/statistics/finite_answer.h"
#include "server/statistics/joint_question.h"
#include "server/statistics/marginal_question.h"
#include "server/statistics/reweight_question.h"

namespace creamery {
namespace {

// Draws, their densities and their prior's.
constexpr int kEvaluationsPerSample = 3;

// Too long for a gRPC thread in any case; with the disk if a model has to be loaded, and out of the way of all else if
// it takes seconds.
template <typename Request>
Work WorkForMarginal(ServedModels& models, const Request& request) {
  const absl::StatusOr<ServedModel> model = models.Find(request.model());
  if (!model.ok()) return Work::Compute(absl::InfiniteDuration());  // the answer is this error
  if (model->estimator == nullptr) return Work::Disk();
  const int64_t samples = request.num_samples() == 0 ? 10000 : std::max<int64_t>(request.num_samples(), 0);
  if (EstimatedCost(*model->estimator, samples * kEvaluationsPerSample) > kLongLimit) return Work::Long();
  std::string prior = request.prior().model();
  if (!request.prior().has_analytic() && prior.empty()) {
    prior = model->estimator->description().signature().prior_model();
  }
  // Other priors than those of the training are compared over its rows, which are read.
  const bool declared = !request.prior().has_analytic() && prior.empty();
  if (!declared || !model->estimator->description().training().has_held_out_log_ratio()) return Work::Long();
  return Work::Compute(absl::InfiniteDuration());
}

class StatisticsServiceImpl final : public GatedService<v1::StatisticsService> {
 public:
  StatisticsServiceImpl(const RpcRuntime& rpc, const StatisticsSource& source, const Limits& limits)
      : GatedService(rpc, Role::kClient), rpc_(rpc), source_(source), limits_(limits) {
    GateMethods(&StatisticsServiceImpl::MarginalKL, &StatisticsServiceImpl::ModelDimensionality,
                &StatisticsServiceImpl::JointPosterior, &StatisticsServiceImpl::Evidence,
                &StatisticsServiceImpl::EvidenceRatio, &StatisticsServiceImpl::Reweight);
  }

  grpc::ServerUnaryReactor* MarginalKL(grpc::CallbackServerContext* context, const v1::MarginalKLRequest* request,
                                       v1::MarginalKLResponse* response) override {
    const Work work = WorkForMarginal(source_.models, *request);
    return HandleUnary(rpc_, context, *request, Role::kClient, work, [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const MarginalQuestion question, OpenMarginal(source_.models, *request, call.stop));
      ABSL_ASSIGN_OR_RETURN(*response, AnswerMarginalKL(source_, question, call.stop));
      return CheckFiniteAnswer(*response);
    });
  }

  grpc::ServerUnaryReactor* ModelDimensionality(grpc::CallbackServerContext* context,
                                                const v1::ModelDimensionalityRequest* request,
                                                v1::ModelDimensionalityResponse* response) override {
    const Work work = WorkForMarginal(source_.models, *request);
    return HandleUnary(rpc_, context, *request, Role::kClient, work, [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const MarginalQuestion question, OpenMarginal(source_.models, *request, call.stop));
      ABSL_ASSIGN_OR_RETURN(*response, AnswerModelDimensionality(source_, question, call.stop));
      return CheckFiniteAnswer(*response);
    });
  }

  // The statistics first, then the samples in chunks of about 1 MiB. One thread computes; none is held by a slow
  // client.
  grpc::ServerWriteReactor<v1::JointPosteriorResponse>* JointPosterior(
      grpc::CallbackServerContext* context, const v1::JointPosteriorRequest* request) override {
    using Reply = v1::JointPosteriorResponse;
    return HandleServerStream<Reply>(
        rpc_, context, *request, Role::kClient, Work::Long(), Work::Compute(absl::InfiniteDuration()),
        [=](const Call& call) -> absl::StatusOr<Producer<Reply>> {
          ABSL_ASSIGN_OR_RETURN(const JointQuestion question, OpenJoint(source_.models, *request, call.stop));
          ABSL_ASSIGN_OR_RETURN(JointAnswer joint, AnswerJoint(question, nullptr, call.stop));
          ABSL_RETURN_IF_ERROR(CheckFiniteAnswer(joint.head));
          const auto answer = std::make_shared<const JointAnswer>(std::move(joint));
          return Producer<Reply>([answer, row = int64_t{-1}](Reply* reply) mutable -> absl::StatusOr<bool> {
            const SampleTable& samples = answer->samples;
            if (row < 0) {
              *reply = answer->head;
              row = 0;
              return true;
            }
            if (row >= samples.n()) return false;
            const int64_t end = std::min(samples.n(), row + SampleRowsPerMessage(samples.d()));
            FillSamples(samples, row, end, reply->mutable_samples());
            row = end;
            return true;
          });
        });
  }

  grpc::ServerUnaryReactor* Evidence(grpc::CallbackServerContext* context, const v1::EvidenceRequest* request,
                                     v1::EvidenceResponse* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Long(), [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const EvidenceQuestion question, OpenEvidence(source_, *request, call.stop));
      ABSL_ASSIGN_OR_RETURN(*response, AnswerEvidence(source_, question, limits_.max_reply_bytes, call.stop));
      return CheckFiniteAnswer(*response);
    });
  }

  grpc::ServerUnaryReactor* EvidenceRatio(grpc::CallbackServerContext* context, const v1::EvidenceRatioRequest* request,
                                          v1::EvidenceRatioResponse* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Long(), [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const EvidenceRatioQuestion question, OpenEvidenceRatio(source_, *request, call.stop));
      ABSL_ASSIGN_OR_RETURN(*response, AnswerEvidenceRatio(source_, question, call.stop));
      return CheckFiniteAnswer(*response);
    });
  }

  grpc::ServerUnaryReactor* Reweight(grpc::CallbackServerContext* context, const v1::ReweightRequest* request,
                                     v1::ReweightResponse* response) override {
    return HandleUnary(rpc_, context, *request, Role::kClient, Work::Long(), [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(*response, AnswerReweight(source_, *request, limits_.max_reply_bytes, call.stop));
      return CheckFiniteAnswer(*response);
    });
  }

 private:
  const RpcRuntime rpc_;
  const StatisticsSource source_;
  const Limits limits_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeStatisticsService(const RpcRuntime& rpc, ServedModels& models, Registry& registry,
                                                     const Limits& limits) {
  return std::make_unique<StatisticsServiceImpl>(rpc, StatisticsSource{models, registry}, limits);
}

}  // namespace creamery
