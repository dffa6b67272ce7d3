#include "client/cpp/analyses.h"

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/prior_choice.h"
#include "proto/support/array.h"
#include "proto/support/digest.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Appends the samples of one message.
absl::Status AppendSamples(const v1::WeightedSamples& samples, int64_t d, JointAnswer& answer) {
  const auto append = [](const char* what, const v1::Array& array, std::vector<int64_t> shape,
                         std::vector<double>& all) -> absl::Status {
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> values, ToDoubles(what, array, shape));
    all.insert(all.end(), values.begin(), values.end());
    return absl::OkStatus();
  };
  ABSL_RETURN_IF_ERROR(append("theta of the answer", samples.theta(), {-1, d}, answer.theta));
  ABSL_RETURN_IF_ERROR(append("weight of the answer", samples.weight(), {-1}, answer.weight));
  if (!samples.has_log_density()) return absl::OkStatus();
  return append("log_density of the answer", samples.log_density(), {-1}, answer.log_density);
}

// Asks, evaluates the next points, asks again. `set_values(values, request)` puts all values so far into the request.
template <typename Request, typename Response, typename Ask, typename SetValues>
absl::StatusOr<Rounds<Response>> RunRounds(Request request, const LogLikelihoodFunction& log_likelihood,
                                           const RoundOptions& options, const Ask& ask, const SetValues& set_values) {
  if (!options.log_likelihood.empty() && !options.seed.has_value()) {
    return absl::InvalidArgumentError("values of earlier rounds need the seed of those rounds");
  }
  Rounds<Response> rounds;
  rounds.log_likelihood = options.log_likelihood;
  while (true) {
    set_values(FromDoubles(rounds.log_likelihood, {static_cast<int64_t>(rounds.log_likelihood.size())}), request);
    ABSL_ASSIGN_OR_RETURN(rounds.response, ask(request));
    if (rounds.response.done()) return rounds;
    const std::vector<std::string> columns(rounds.response.columns().begin(), rounds.response.columns().end());
    const auto d = static_cast<int64_t>(columns.size());
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> theta,
                          ToDoubles("next_theta", rounds.response.next_theta(), {-1, d}));
    if (theta.empty()) return absl::InternalError("the server wants another round but names no points");
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> values, log_likelihood(theta, columns));
    if (static_cast<int64_t>(values.size()) * d != static_cast<int64_t>(theta.size())) {
      return absl::InvalidArgumentError(absl::StrCat("the log-likelihood function returned ", values.size(),
                                                     " values for ", theta.size() / d, " points"));
    }
    rounds.theta.insert(rounds.theta.end(), theta.begin(), theta.end());
    rounds.log_likelihood.insert(rounds.log_likelihood.end(), values.begin(), values.end());
    request.set_seed(rounds.response.seed());  // one stream of points, whoever picked it
    request.set_model(rounds.response.model_version());
  }
}

}  // namespace

absl::StatusOr<JointAnswer> Client::Joint(const std::vector<std::string>& models, const JointOptions& options) const {
  ABSL_ASSIGN_OR_RETURN(const v1::JointPosteriorRequest request, JointRequest(models, options));
  for (Repetition repetition(*connection_);;) {  // all of it again: without a seed, another draw is as good
    const std::unique_ptr<grpc::ClientContext> context = connection_->NewStreamContext();
    const auto reader = connection_->statistics->JointPosterior(context.get(), request);
    JointAnswer answer;
    v1::JointPosteriorResponse response;
    for (bool first = true; reader->Read(&response); first = false) {
      if (first) {
        answer.summary = response;
        answer.summary.clear_samples();
      }
      if (!response.has_samples()) continue;
      const absl::Status status = AppendSamples(response.samples(), answer.summary.columns_size(), answer);
      if (status.ok()) continue;
      context->TryCancel();
      return status;
    }
    const absl::Status status = connection_->ToStatus(reader->Finish());
    if (status.ok()) return answer;
    if (!repetition.Again(status, context.get())) return status;
  }
}

absl::StatusOr<v1::JointPosteriorRequest> Client::JointRequest(const std::vector<std::string>& models,
                                                               const JointOptions& options) {
  v1::JointPosteriorRequest request;
  for (const std::string& model : models) {
    ABSL_ASSIGN_OR_RETURN(const VersionName name, ParseTypedVersion(model));
    request.add_models(name.ToString());
  }
  ABSL_RETURN_IF_ERROR(SetPrior(options.prior, request));
  request.set_num_samples(options.num_samples);
  request.set_max_evaluations(options.max_evaluations);
  request.set_without_samples(options.without_samples);
  if (options.seed.has_value()) request.set_seed(*options.seed);
  return request;
}

absl::StatusOr<v1::EvidenceRatioResponse> Client::EvidenceRatio(v1::EvidenceRatioRequest request) const {
  for (std::string* model : {request.mutable_numerator(), request.mutable_denominator()}) {
    ABSL_ASSIGN_OR_RETURN(const VersionName name, ParseTypedVersion(*model));
    *model = name.ToString();
  }
  return connection_->Call(*connection_->statistics, &v1::StatisticsService::Stub::EvidenceRatio, request);
}

absl::StatusOr<Job> Client::Submit(const std::string& project, const v1::StatisticsJob& statistics,
                                   const std::string& request_id) const {
  v1::CreateJobRequest request;
  request.set_parent(ProjectName{project}.ToString());
  request.set_request_id(request_id.empty() ? RandomHex(16) : request_id);
  *request.mutable_job()->mutable_statistics() = statistics;
  ABSL_ASSIGN_OR_RETURN(const v1::Job job,
                        connection_->Call(*connection_->jobs, &v1::JobService::Stub::CreateJob, request));
  return Job(connection_, job.name());
}

absl::StatusOr<JointAnswer> Job::JointResult(const std::function<void(const v1::Job&)>& progress) const {
  ABSL_ASSIGN_OR_RETURN(const v1::Job job, Wait(progress));
  ABSL_RETURN_IF_ERROR(JobStatus(job));
  if (!job.statistics_result().has_joint_posterior()) {
    return absl::FailedPreconditionError(absl::StrCat(name_, " is not the job of a joint posterior"));
  }
  JointAnswer answer;
  answer.summary = job.statistics_result().joint_posterior();
  if (job.statistics().joint_posterior().without_samples()) return answer;
  v1::ReadSamplesRequest request;
  request.set_name(name_);
  const std::unique_ptr<grpc::ClientContext> context = connection_->NewStreamContext();
  const auto reader = connection_->jobs->ReadSamples(context.get(), request);
  v1::WeightedSamples samples;
  while (reader->Read(&samples)) {
    const absl::Status status = AppendSamples(samples, answer.summary.columns_size(), answer);
    if (status.ok()) continue;
    context->TryCancel();
    return status;
  }
  ABSL_RETURN_IF_ERROR(connection_->ToStatus(reader->Finish()));
  return answer;
}

absl::StatusOr<v1::EvidenceResponse> Model::Evidence(v1::EvidenceRequest request) const {
  request.set_model(version_->name());
  return connection_->Call(*connection_->statistics, &v1::StatisticsService::Stub::Evidence, request);
}

absl::StatusOr<v1::ReweightResponse> Model::Reweight(v1::ReweightRequest request) const {
  request.set_model(version_->name());
  return connection_->Call(*connection_->statistics, &v1::StatisticsService::Stub::Reweight, request);
}

absl::StatusOr<Rounds<v1::EvidenceResponse>> ImportanceEvidence(const Model& model,
                                                                const LogLikelihoodFunction& log_likelihood,
                                                                const RoundOptions& options) {
  v1::EvidenceRequest request;
  ABSL_RETURN_IF_ERROR(SetPrior(options.prior, request));
  if (options.seed.has_value()) request.set_seed(*options.seed);
  v1::ImportanceSampling& method = *request.mutable_importance_sampling();
  method.set_target_effective_size(options.target_effective_size);
  method.set_max_points(options.max_points);
  method.set_round_size(options.round_size);
  return RunRounds<v1::EvidenceRequest, v1::EvidenceResponse>(
      std::move(request), log_likelihood, options, [&](const v1::EvidenceRequest& r) { return model.Evidence(r); },
      [](v1::Array values, v1::EvidenceRequest& r) {
        *r.mutable_importance_sampling()->mutable_log_likelihood() = std::move(values);
      });
}

absl::StatusOr<Rounds<v1::ReweightResponse>> Reweight(const Model& model, const LogLikelihoodFunction& log_likelihood,
                                                      const RoundOptions& options) {
  v1::ReweightRequest request;
  ABSL_RETURN_IF_ERROR(SetPrior(options.prior, request));
  if (options.seed.has_value()) request.set_seed(*options.seed);
  request.set_target_effective_size(options.target_effective_size);
  request.set_max_points(options.max_points);
  request.set_round_size(options.round_size);
  return RunRounds<v1::ReweightRequest, v1::ReweightResponse>(
      std::move(request), log_likelihood, options, [&](const v1::ReweightRequest& r) { return model.Reweight(r); },
      [](v1::Array values, v1::ReweightRequest& r) { *r.mutable_log_likelihood() = std::move(values); });
}

}  // namespace creamery
