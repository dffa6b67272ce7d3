#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "creamery/v1/inference_service.grpc.pb.h"
#include "models/statistics/log_likelihood.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"
#include "server/rpc/server_stream.h"
#include "server/rpc/unary.h"
#include "server/services/questions.h"
#include "server/services/services.h"

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

uint64_t PickSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

void AddWarnings(const std::vector<v1::Warning>& warnings, google::protobuf::RepeatedField<int>* out) {
  for (const v1::Warning warning : warnings) out->Add(warning);
}

class InferenceServiceImpl final : public v1::InferenceService::CallbackService {
 public:
  InferenceServiceImpl(const RpcRuntime& rpc, ServedModels& models, const Limits& limits)
      : rpc_(rpc), models_(models), limits_(limits) {}

  grpc::ServerUnaryReactor* LogProb(grpc::CallbackServerContext* context, const v1::LogProbRequest* request,
                                    v1::LogProbResponse* response) override {
    Found found = models_.Find(request->model());
    const Work work = WorkFor(found, ClaimedRows(request->theta()));
    return HandleUnary(rpc_, context, *request, Role::kClient, work, [=](const Call& call) -> absl::Status {
      if (request->gradient()) {
        return absl::UnimplementedError("the gradient of log_prob is not offered by any family yet");
      }
      ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_.Load(found, call.stop));
      ABSL_ASSIGN_OR_RETURN(const Density* density, DensityOf(model));
      ABSL_RETURN_IF_ERROR(CheckContext(model, request->has_x()));
      ABSL_ASSIGN_OR_RETURN(const std::vector<double> theta,
                            ReadTheta(model, request->theta(), {request->columns().begin(), request->columns().end()},
                                      limits_, sizeof(double)));
      std::vector<double> log_prob(theta.size() / density->num_parameters());
      ABSL_RETURN_IF_ERROR(density->LogProb(theta, absl::MakeSpan(log_prob), call.stop));
      *response->mutable_log_prob() = FromDoubles(log_prob, {static_cast<int64_t>(log_prob.size())});
      response->set_model_version(model.version);
      AddWarnings(WarningsOf(model, log_prob), response->mutable_warnings());
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* PriorTransform(grpc::CallbackServerContext* context,
                                           const v1::PriorTransformRequest* request,
                                           v1::PriorTransformResponse* response) override {
    Found found = models_.Find(request->model());
    const Work work = WorkFor(found, ClaimedRows(request->u()));
    return HandleUnary(rpc_, context, *request, Role::kClient, work, [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_.Load(found, call.stop));
      ABSL_ASSIGN_OR_RETURN(const Density* density, DensityOf(model));
      ABSL_RETURN_IF_ERROR(CheckContext(model, request->has_x()));
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

  grpc::ServerUnaryReactor* LogLikelihood(grpc::CallbackServerContext* context, const v1::LogLikelihoodRequest* request,
                                          v1::LogLikelihoodResponse* response) override {
    Found found = models_.Find(request->model());
    const Work work = WorkFor(found, ClaimedRows(request->theta()));
    return HandleUnary(rpc_, context, *request, Role::kClient, work, [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const ServedModel model, models_.Load(found, call.stop));
      ABSL_RETURN_IF_ERROR(CheckContext(model, request->has_x()));
      ABSL_ASSIGN_OR_RETURN(const std::vector<double> theta,
                            ReadTheta(model, request->theta(), {request->columns().begin(), request->columns().end()},
                                      limits_, sizeof(double)));
      ABSL_ASSIGN_OR_RETURN(const std::vector<double> values,
                            creamery::LogLikelihood(*model.estimator, theta, call.stop));
      *response->mutable_log_likelihood() = FromDoubles(values, {static_cast<int64_t>(values.size())});
      response->set_log_evidence_error(model.estimator->description().log_evidence().error());
      response->set_model_version(model.version);
      if (std::any_of(values.begin(), values.end(), [](double value) { return std::isinf(value); })) {
        response->add_warnings(v1::OUTSIDE_SUPPORT);
      }
      return absl::OkStatus();
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
