#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "creamery/v1/statistics_service.grpc.pb.h"
#include "models/statistics/marginal.h"
#include "proto/support/status_macros.h"
#include "server/rpc/unary.h"
#include "server/services/services.h"

namespace creamery {
namespace {

constexpr int64_t kDefaultSamples = 10000;
constexpr int64_t kFewestSamples = 100;
constexpr int64_t kMostSamples = 1000000;

// Both statistics, and what answered.
struct Answer {
  MarginalStatistics statistics;
  uint64_t seed = 0;
  std::string model_version;
  std::string prior_model_version;
};

// `Request` is MarginalKLRequest or ModelDimensionalityRequest, which ask for the same things.
template <typename Request>
absl::StatusOr<Answer> Compute(ServedModels& models, const Request& request, const StopToken& stop) {
  const int64_t num_samples = request.num_samples() == 0 ? kDefaultSamples : request.num_samples();
  if (num_samples < kFewestSamples || num_samples > kMostSamples) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_samples is ", num_samples, ", expected ", kFewestSamples, " to ", kMostSamples));
  }
  Answer answer;
  ABSL_ASSIGN_OR_RETURN(const ServedModel model, models.Acquire(request.model(), stop));
  answer.model_version = model.version;
  ServedModel prior_model;
  if (!request.prior().model().empty()) {
    ABSL_ASSIGN_OR_RETURN(prior_model, models.Acquire(request.prior().model(), stop));
    answer.prior_model_version = prior_model.version;
  }
  ABSL_ASSIGN_OR_RETURN(const MarginalPrior prior, ChoosePrior(model.estimator->description().signature(),
                                                               request.prior(), prior_model.estimator.get()));
  std::random_device device;
  answer.seed = request.has_seed() ? request.seed() : (uint64_t{device()} << 32) | device();
  ABSL_ASSIGN_OR_RETURN(answer.statistics, ComputeMarginal(*model.estimator, prior, num_samples, answer.seed, stop));
  return answer;
}

// Too long for a gRPC thread in any case; with the disk if a model has to be loaded.
template <typename Request>
Work WorkFor(ServedModels& models, const Request& request) {
  const auto waits = [&models](const std::string& name) {
    const absl::StatusOr<ServedModel> model = models.Find(name);
    return model.ok() && model->estimator == nullptr;
  };
  const bool disk = waits(request.model()) || (!request.prior().model().empty() && waits(request.prior().model()));
  return disk ? Work::Disk() : Work::Compute(absl::InfiniteDuration());
}

template <typename Response>
void SetCommon(const Answer& answer, const std::vector<v1::Warning>& warnings, Response* response) {
  response->set_seed(answer.seed);
  response->set_model_version(answer.model_version);
  response->set_prior_model_version(answer.prior_model_version);
  for (const v1::Warning warning : warnings) response->add_warnings(warning);
}

class StatisticsServiceImpl final : public v1::StatisticsService::CallbackService {
 public:
  StatisticsServiceImpl(const RpcRuntime& rpc, ServedModels& models) : rpc_(rpc), models_(models) {}

  grpc::ServerUnaryReactor* MarginalKL(grpc::CallbackServerContext* context, const v1::MarginalKLRequest* request,
                                       v1::MarginalKLResponse* response) override {
    const Work work = WorkFor(models_, *request);
    return HandleUnary(rpc_, context, *request, Role::kClient, work, [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const Answer answer, Compute(models_, *request, call.stop));
      *response->mutable_kl() = answer.statistics.kl;
      SetCommon(answer, answer.statistics.warnings, response);
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* ModelDimensionality(grpc::CallbackServerContext* context,
                                                const v1::ModelDimensionalityRequest* request,
                                                v1::ModelDimensionalityResponse* response) override {
    const Work work = WorkFor(models_, *request);
    return HandleUnary(rpc_, context, *request, Role::kClient, work, [=](const Call& call) -> absl::Status {
      ABSL_ASSIGN_OR_RETURN(const Answer answer, Compute(models_, *request, call.stop));
      *response->mutable_dimensionality() = answer.statistics.dimensionality;
      SetCommon(answer, answer.statistics.dimensionality_warnings, response);
      return absl::OkStatus();
    });
  }

 private:
  const RpcRuntime rpc_;
  ServedModels& models_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeStatisticsService(const RpcRuntime& rpc, ServedModels& models) {
  return std::make_unique<StatisticsServiceImpl>(rpc, models);
}

}  // namespace creamery
