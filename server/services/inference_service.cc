#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "creamery/v1/inference_service.grpc.pb.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"
#include "server/rpc/bidi_stream.h"
#include "server/rpc/gated_service.h"
#include "server/rpc/message_pool.h"
#include "server/rpc/server_stream.h"
#include "server/rpc/unary.h"
#include "server/services/log_likelihood_answer.h"
#include "server/services/log_prob_answer.h"
#include "server/services/log_prob_stream.h"
#include "server/services/questions.h"
#include "server/services/services.h"
#include "server/statistics/source.h"

namespace creamery {
namespace {

// A chunk of samples takes no longer than about this, so that short questions do not wait behind long streams.
constexpr absl::Duration kChunkTime = absl::Milliseconds(100);
constexpr int64_t kNumberBytes = sizeof(double);

// The model of a question as it was found in memory when the question arrived.
using Found = absl::StatusOr<ServedModel>;

// Where a question runs: by its estimated cost if its model is loaded, else with the disk that it waits for.
template <typename Cost>  // absl::Duration(const Estimator&)
Work WorkFor(const Found& model, const Cost& cost) {
  if (!model.ok()) return Work::Compute(absl::ZeroDuration());  // the answer is this error
  if (model->estimator == nullptr) return Work::Disk();
  return Work::Compute(cost(*model->estimator));
}
Work WorkForRows(const Found& model, int64_t rows, v1::Precision precision) {
  return WorkFor(model, [&](const Estimator& estimator) {
    return EstimatedCost(estimator, std::max<int64_t>(rows, 0), precision);
  });
}

absl::Status AnswerPriorTransform(const v1::PriorTransformRequest& request, const ServedModel& model,
                                  const Limits& limits, const StopToken& stop, v1::PriorTransformResponse* response) {
  ABSL_RETURN_IF_ERROR(CheckContext(model, request.has_x()));
  ABSL_ASSIGN_OR_RETURN(const Density* trained, DensityOf(model));
  ABSL_ASSIGN_OR_RETURN(const Answering answering,
                        AnswerWith(*trained, model, request.precision(), request.prior_fraction()));
  const int64_t d = trained->num_parameters();
  ABSL_ASSIGN_OR_RETURN(const Points u, ReadUnitPoints(d, request.u(), limits, d * kNumberBytes));
  const int64_t n = static_cast<int64_t>(u.values.size()) / d;
  const absl::Span<double> theta = MutableDoubles({n, d}, response->mutable_theta());
  ABSL_RETURN_IF_ERROR(answering.density->PriorTransform(u.values, theta, stop));
  response->set_model_version(model.version);
  return absl::OkStatus();
}

absl::Status AnswerInversePriorTransform(const v1::InversePriorTransformRequest& request, const ServedModel& model,
                                         const Limits& limits, const StopToken& stop,
                                         v1::InversePriorTransformResponse* response) {
  ABSL_RETURN_IF_ERROR(CheckContext(model, request.has_x()));
  ABSL_ASSIGN_OR_RETURN(const Density* trained, DensityOf(model));
  ABSL_ASSIGN_OR_RETURN(const Answering answering, AnswerWith(*trained, model, request.precision(), 0));
  const int64_t d = trained->num_parameters();
  const auto names = [&model] { return ParameterNames(model); };
  ABSL_ASSIGN_OR_RETURN(const Points theta,
                        ReadTheta(d, names, request.theta(), request.columns(), limits, d * kNumberBytes));
  const int64_t n = static_cast<int64_t>(theta.values.size()) / d;
  const absl::Span<double> u = MutableDoubles({n, d}, response->mutable_u());
  ABSL_RETURN_IF_ERROR(answering.density->InversePriorTransform(theta.values, u, stop));
  response->set_model_version(model.version);
  return absl::OkStatus();
}

class InferenceServiceImpl final : public GatedService<v1::InferenceService> {
 public:
  InferenceServiceImpl(const RpcRuntime& rpc, ServedModels& models, const Limits& limits)
      : GatedService(rpc, Role::kClient), rpc_(rpc), models_(models), limits_(limits) {
    GateMethods(WithMessages(&InferenceServiceImpl::LogProb, &log_prob_messages_), &InferenceServiceImpl::LogProbStream,
                &InferenceServiceImpl::Sample, &InferenceServiceImpl::PriorTransform,
                &InferenceServiceImpl::InversePriorTransform, &InferenceServiceImpl::LogLikelihood);
  }

  grpc::ServerUnaryReactor* LogProb(grpc::CallbackServerContext* context, const v1::LogProbRequest* request,
                                    v1::LogProbResponse* response) override {
    Found found = models_.Find(request->model());
    const Work work =
        WorkFor(found, [&](const Estimator& estimator) { return EstimatedLogProbCost(*request, estimator); });
    return HandleUnary(rpc_, context, *request, Role::kClient, work,
                       [this, request, response, found = std::move(found)](const Call& call) mutable -> absl::Status {
                         ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_.Load(std::move(found), call.stop));
                         return AnswerLogProb(*request, model, limits_, *rpc_.compute, call.stop, response);
                       });
  }

  grpc::ServerBidiReactor<v1::LogProbStreamRequest, v1::LogProbStreamResponse>* LogProbStream(
      grpc::CallbackServerContext* context) override {
    return HandleQuestions(rpc_, context, Role::kClient, MakeLogProbAnswerer(models_, limits_, *rpc_.compute));
  }

  grpc::ServerUnaryReactor* PriorTransform(grpc::CallbackServerContext* context,
                                           const v1::PriorTransformRequest* request,
                                           v1::PriorTransformResponse* response) override {
    Found found = models_.Find(request->model());
    const Work work = WorkForRows(found, ClaimedRows(request->u()), request->precision());
    return HandleUnary(rpc_, context, *request, Role::kClient, work,
                       [this, request, response, found = std::move(found)](const Call& call) mutable -> absl::Status {
                         ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_.Load(std::move(found), call.stop));
                         return AnswerPriorTransform(*request, model, limits_, call.stop, response);
                       });
  }

  grpc::ServerUnaryReactor* InversePriorTransform(grpc::CallbackServerContext* context,
                                                  const v1::InversePriorTransformRequest* request,
                                                  v1::InversePriorTransformResponse* response) override {
    Found found = models_.Find(request->model());
    const Work work = WorkForRows(found, ClaimedRows(request->theta()), request->precision());
    return HandleUnary(rpc_, context, *request, Role::kClient, work,
                       [this, request, response, found = std::move(found)](const Call& call) mutable -> absl::Status {
                         ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_.Load(std::move(found), call.stop));
                         return AnswerInversePriorTransform(*request, model, limits_, call.stop, response);
                       });
  }

  grpc::ServerUnaryReactor* LogLikelihood(grpc::CallbackServerContext* context, const v1::LogLikelihoodRequest* request,
                                          v1::LogLikelihoodResponse* response) override {
    const Work work = WorkForLogLikelihood(models_, *request);
    return HandleUnary(rpc_, context, *request, Role::kClient, work, [=](const Call& call) -> absl::Status {
      return AnswerLogLikelihood(*request, models_, limits_, call.stop, response);
    });
  }

  // Rows come in chunks of at most about 1 MiB, and row i is the same whatever the chunks are.
  grpc::ServerWriteReactor<v1::SampleResponse>* Sample(grpc::CallbackServerContext* context,
                                                       const v1::SampleRequest* request) override {
    using Reply = v1::SampleResponse;
    Found found = models_.Find(request->model());
    const Work work = WorkForRows(found, request->num_samples(), request->precision());
    return HandleServerStream<Reply>(
        rpc_, context, *request, Role::kClient, work, Work::Compute(absl::InfiniteDuration()),
        [=](const Call& call) -> absl::StatusOr<Producer<Reply>> {
          if (request->num_samples() < 1) {
            return absl::InvalidArgumentError(
                absl::StrCat("num_samples is ", request->num_samples(), ", expected at least 1"));
          }
          ABSL_RETURN_IF_ERROR(CheckRows(limits_, "the sample", request->num_samples(), 0));
          if (request->first_row() < 0 || request->first_row() >= request->num_samples()) {
            return absl::InvalidArgumentError(absl::StrCat("first_row is ", request->first_row(),
                                                           ", expected 0 to num_samples - 1, which is ",
                                                           request->num_samples() - 1));
          }
          if (request->first_row() > 0 && !request->has_seed()) {
            return absl::InvalidArgumentError("first_row is given without the seed that made the rows before it");
          }
          ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_.Load(found, call.stop));
          ABSL_RETURN_IF_ERROR(CheckContext(model, request->has_x()));
          ABSL_ASSIGN_OR_RETURN(const Density* trained, DensityOf(model));
          ABSL_ASSIGN_OR_RETURN(Answering made, AnswerWith(*trained, model, request->precision(), 0));
          const auto answering = std::make_shared<const Answering>(std::move(made));
          const uint64_t seed = request->has_seed() ? request->seed() : PickSeed();
          return Producer<Reply>([=, row = request->first_row()](Reply* reply) mutable -> absl::StatusOr<bool> {
            if (row == request->num_samples()) return false;
            if (row == request->first_row()) SetHead(model, seed, reply);
            ABSL_ASSIGN_OR_RETURN(const int64_t rows,
                                  FillChunk(*request, model, *answering->density, seed, row, call.stop, reply));
            row += rows;
            return true;
          });
        });
  }

 private:
  static void SetHead(const ServedModel& model, uint64_t seed, v1::SampleResponse* reply) {
    reply->set_seed(seed);
    reply->set_model_version(model.version);
    for (const v1::Parameter& parameter : model.estimator->description().signature().parameters()) {
      reply->add_columns(parameter.name());
    }
  }

  // The rows from `first_row` that fit into one message; returns how many.
  static absl::StatusOr<int64_t> FillChunk(const v1::SampleRequest& request, const ServedModel& model,
                                           const Density& density, uint64_t seed, int64_t first_row,
                                           const StopToken& stop, v1::SampleResponse* reply) {
    const int64_t d = density.num_parameters();
    const int64_t row_bytes = kNumberBytes * (d + (request.log_prob() ? 1 : 0));
    int64_t rows = std::min(RowsPerChunk(row_bytes), request.num_samples() - first_row);
    const double chunks = absl::FDivDuration(EstimatedCost(*model.estimator, rows, request.precision()), kChunkTime);
    rows = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(rows) / std::max(1.0, chunks)));
    const absl::Span<double> theta = MutableDoubles({rows, d}, reply->mutable_theta());
    ABSL_RETURN_IF_ERROR(creamery::Sample(density, seed, first_row, theta, stop));
    if (request.log_prob()) {
      const absl::Span<double> log_prob = MutableDoubles({rows}, reply->mutable_log_prob());
      ABSL_RETURN_IF_ERROR(density.LogProb(theta, log_prob, stop));
    }
    return rows;
  }

  const RpcRuntime rpc_;
  ServedModels& models_;
  const Limits limits_;
  MessagePool<v1::LogProbRequest, v1::LogProbResponse> log_prob_messages_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeInferenceService(const RpcRuntime& rpc, ServedModels& models, const Limits& limits) {
  return std::make_unique<InferenceServiceImpl>(rpc, models, limits);
}

}  // namespace creamery
