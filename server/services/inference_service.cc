#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "creamery/v1/inference_service.grpc.pb.h"
#include "models/densities/prior_density.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"
#include "server/rpc/bidi_stream.h"
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

// The model of a question as it was found in memory when the question arrived.
using Found = absl::StatusOr<ServedModel>;

// Where a question runs: by its estimated cost if its model is loaded, else with the disk that it waits for.
Work WorkFor(const Found& model, int64_t rows) {
  if (!model.ok()) return Work::Compute(absl::ZeroDuration());  // the answer is this error
  if (model->estimator == nullptr) return Work::Disk();
  return Work::Compute(EstimatedCost(*model->estimator, std::max<int64_t>(rows, 0)));
}

template <typename Request>
std::vector<std::string> ColumnsOf(const Request& request) {
  return {request.columns().begin(), request.columns().end()};
}

class InferenceServiceImpl final : public v1::InferenceService::CallbackService {
 public:
  InferenceServiceImpl(const RpcRuntime& rpc, ServedModels& models, const Limits& limits)
      : rpc_(rpc), models_(models), limits_(limits) {}

  grpc::ServerUnaryReactor* LogProb(grpc::CallbackServerContext* context, const v1::LogProbRequest* request,
                                    v1::LogProbResponse* response) override {
    Found found = models_.Find(request->model());
    Work work = WorkFor(found, ClaimedRows(request->theta()));
    if (work.kind == Work::Kind::kCompute && found.ok()) {
      work = Work::Compute(
          EstimatedLogProbCost(*request, *found->estimator, std::max<int64_t>(ClaimedRows(request->theta()), 0)));
    }
    return HandleUnary(rpc_, context, *request, Role::kClient, work, [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_.Load(found, call.stop));
      ABSL_RETURN_IF_ERROR(CheckContext(model, request->has_x()));
      const std::vector<std::string> names = ParameterNames(model);
      ABSL_ASSIGN_OR_RETURN(const std::vector<double> theta,
                            ReadTheta(names, request->theta(), ColumnsOf(*request), limits_,
                                      ReplyBytesPerRow(*request, static_cast<int64_t>(names.size()))));
      return AnswerLogProb(*request, model, theta, *rpc_.compute, call.stop, response);
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
    const Work work = WorkFor(found, ClaimedRows(request->u()));
    return HandleUnary(rpc_, context, *request, Role::kClient, work, [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_.Load(found, call.stop));
      ABSL_ASSIGN_OR_RETURN(const Density* trained, DensityOf(model));
      ABSL_RETURN_IF_ERROR(CheckContext(model, request->has_x()));
      ABSL_ASSIGN_OR_RETURN(
          const std::unique_ptr<Density> density,
          MixWithPrior(*trained, model.estimator->description().signature(), request->prior_fraction()));
      const int64_t d = density->num_parameters();
      const int64_t row_bytes = d * static_cast<int64_t>(sizeof(double));
      ABSL_ASSIGN_OR_RETURN(const std::vector<double> u, ReadUnitPoints(model, request->u(), limits_, row_bytes));
      std::vector<double> theta(u.size());
      ABSL_RETURN_IF_ERROR(density->PriorTransform(u, absl::MakeSpan(theta), call.stop));
      *response->mutable_theta() = FromDoubles(theta, {static_cast<int64_t>(theta.size()) / d, d});
      response->set_model_version(model.version);
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* InversePriorTransform(grpc::CallbackServerContext* context,
                                                  const v1::InversePriorTransformRequest* request,
                                                  v1::InversePriorTransformResponse* response) override {
    Found found = models_.Find(request->model());
    const Work work = WorkFor(found, ClaimedRows(request->theta()));
    return HandleUnary(rpc_, context, *request, Role::kClient, work, [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_.Load(found, call.stop));
      ABSL_ASSIGN_OR_RETURN(const Density* density, DensityOf(model));
      ABSL_RETURN_IF_ERROR(CheckContext(model, request->has_x()));
      const int64_t d = density->num_parameters();
      const int64_t row_bytes = d * static_cast<int64_t>(sizeof(double));
      ABSL_ASSIGN_OR_RETURN(const std::vector<double> theta, ReadTheta(ParameterNames(model), request->theta(),
                                                                       ColumnsOf(*request), limits_, row_bytes));
      std::vector<double> u(theta.size());
      ABSL_RETURN_IF_ERROR(density->InversePriorTransform(theta, absl::MakeSpan(u), call.stop));
      *response->mutable_u() = FromDoubles(u, {static_cast<int64_t>(u.size()) / d, d});
      response->set_model_version(model.version);
      return absl::OkStatus();
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
    const Work work = WorkFor(found, request->num_samples());
    return HandleServerStream<Reply>(
        rpc_, context, *request, Role::kClient, work, Work::Compute(absl::InfiniteDuration()),
        [=](const Call& call) -> absl::StatusOr<Producer<Reply>> {
          if (request->num_samples() < 1) {
            return absl::InvalidArgumentError(
                absl::StrCat("num_samples is ", request->num_samples(), ", expected at least 1"));
          }
          ABSL_RETURN_IF_ERROR(CheckRows(limits_, "the sample", request->num_samples(), 0));
          ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_.Load(found, call.stop));
          ABSL_RETURN_IF_ERROR(DensityOf(model).status());
          ABSL_RETURN_IF_ERROR(CheckContext(model, request->has_x()));
          const uint64_t seed = request->has_seed() ? request->seed() : PickSeed();
          return Producer<Reply>([=, row = int64_t{0}](Reply* reply) mutable -> absl::StatusOr<bool> {
            if (row == request->num_samples()) return false;
            if (row == 0) SetHead(model, seed, reply);
            ABSL_ASSIGN_OR_RETURN(const int64_t rows, FillChunk(*request, model, seed, row, call.stop, reply));
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
  static absl::StatusOr<int64_t> FillChunk(const v1::SampleRequest& request, const ServedModel& model, uint64_t seed,
                                           int64_t first_row, const StopToken& stop, v1::SampleResponse* reply) {
    const Density& density = *model.estimator->density();
    const int64_t d = density.num_parameters();
    const int64_t row_bytes = static_cast<int64_t>(sizeof(double)) * (d + (request.log_prob() ? 1 : 0));
    const int64_t affordable = std::max<int64_t>(1, kChunkTime / EstimatedCost(*model.estimator, 1));
    const int64_t rows = std::min({RowsPerChunk(row_bytes), affordable, request.num_samples() - first_row});
    std::vector<double> theta(rows * d);
    ABSL_RETURN_IF_ERROR(creamery::Sample(density, seed, first_row, absl::MakeSpan(theta), stop));
    *reply->mutable_theta() = FromDoubles(theta, {rows, d});
    if (request.log_prob()) {
      std::vector<double> log_prob(rows);
      ABSL_RETURN_IF_ERROR(density.LogProb(theta, absl::MakeSpan(log_prob), stop));
      *reply->mutable_log_prob() = FromDoubles(log_prob, {rows});
    }
    return rows;
  }

  const RpcRuntime rpc_;
  ServedModels& models_;
  const Limits limits_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeInferenceService(const RpcRuntime& rpc, ServedModels& models, const Limits& limits) {
  return std::make_unique<InferenceServiceImpl>(rpc, models, limits);
}

}  // namespace creamery
