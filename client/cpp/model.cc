#include "client/cpp/model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cpp/connection.h"
#include "client/cpp/points_message.h"
#include "client/cpp/prior_choice.h"
#include "proto/support/array.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Sends `points` (n, d) in pieces and joins the answers. `ask(piece, d)` returns the response to one piece; `numbers`
// picks its array, of `width` numbers a point: (m, width), or (m) where width is 0.
template <typename Ask, typename Numbers>
absl::StatusOr<Answer> InPieces(absl::string_view what, absl::Span<const double> points, int64_t d, int64_t width,
                                Ask ask, Numbers numbers) {
  ABSL_ASSIGN_OR_RETURN(int64_t rows_left, CountRows(what, points, d));
  const int64_t step = RowsPerMessage(kChunkBytes, d);
  Answer answer;
  do {  // once at least: the server answers for no points too
    const int64_t rows = std::min(step, rows_left);
    ABSL_ASSIGN_OR_RETURN(const auto response, ask(points.subspan(0, rows * d), d));
    std::vector<int64_t> shape = {rows};
    if (width > 0) shape.push_back(width);
    ABSL_RETURN_IF_ERROR(AppendNumbers("the answer", numbers(response), shape, &answer.values));
    answer.model_version = response.model_version();
    AddWarnings(response.warnings(), &answer.warnings);
    points.remove_prefix(rows * d);
    rows_left -= rows;
  } while (rows_left > 0);
  return answer;
}

template <typename Request>
absl::StatusOr<Request> StatisticRequest(const std::string& version, const StatisticOptions& options) {
  Request request;
  request.set_model(version);
  request.set_num_samples(options.num_samples);
  if (options.seed.has_value()) request.set_seed(*options.seed);
  ABSL_RETURN_IF_ERROR(SetPrior(options.prior, request));
  return request;
}

}  // namespace

std::string WarningText(v1::Warning warning) {
  switch (warning) {
    case v1::OUTSIDE_TRAINING_REGION:
      return "some points lie outside the region the training samples cover: the density is extrapolated there";
    case v1::OUTSIDE_SUPPORT:
      return "some points lie outside the support, where the log-density is -inf";
    case v1::FEW_EFFECTIVE_SAMPLES:
      return "the effective sample size is below 100: the stated errors are themselves uncertain";
    case v1::PARTIAL_RESULT:
      return "a budget ended before the answer was complete: it covers fewer rows than were asked for";
    case v1::LARGE_ERROR:
      return "the stated error exceeds a third of the estimate";
    case v1::PRIOR_IS_ESTIMATED:
      return "the prior is a trained density, whose own error is not part of the stated one";
    case v1::SINGLE_CHAIN:
      return "the rows are one Markov chain, or have no chain ids: the error cannot be checked between chains";
    case v1::PRIOR_DOES_NOT_COVER:
      return "the prior density is zero at some posterior samples, which were left out";
    case v1::HEAVY_TAILED_WEIGHTS:
      return "the importance weights have a heavy tail (k-hat above 0.7): estimate and error are not to be trusted";
    case v1::LITTLE_OVERLAP:
      return "the posteriors hardly overlap: the densities were asked far out in their tails";
    case v1::SHARED_NUISANCE:
      return "models marginalised over nuisance parameters of the same name: are they the same nuisance?";
    case v1::ESTIMATES_DISAGREE:
      return "estimates of the same quantity differ by more than three of their combined errors";
    case v1::NO_LOG_EVIDENCE:
      return "a model carries no log-evidence: what needs one is left out";
    case v1::ROWS_LEFT_OUT:
      return "rows on or outside a declared bound were left out: the answer is of the rows that remain";
    case v1::LARGE_MISFIT:
      return "the density lies further from rows that it has not seen than its error allows: degenerate rows, or a "
             "family "
             "that cannot describe them";
    case v1::NOT_DETERMINED:
      return "the samples do not determine the answer: its error exceeds the differences in question";
    case v1::FEW_DISTINCT_ROWS:
      return "most rows repeat others: the distinct ones are too few for the errors to be believed";
    default:
      return absl::StrCat("warning ", static_cast<int>(warning), ", of a newer server");
  }
}

std::vector<std::string> Model::parameters() const {
  std::vector<std::string> names;
  for (const v1::Parameter& parameter : version_->signature().parameters()) names.push_back(parameter.name());
  return names;
}

absl::StatusOr<Answer> Model::LogLikelihood(absl::Span<const double> theta, const std::vector<std::string>& columns,
                                            const LogLikelihoodOptions& options) const {
  v1::LogLikelihoodRequest request;
  request.set_model(version_->name());
  request.set_without_evidence(options.without_evidence);
  for (const std::string& model : options.more_models) {
    ABSL_ASSIGN_OR_RETURN(const VersionName name, ParseTypedVersion(model));
    request.add_more_models(name.ToString());
  }
  for (const std::string& column : columns) request.add_columns(column);
  double error = 0;
  request.set_precision(options.precision);
  const auto ask = [&](absl::Span<const double> piece, int64_t d) {
    SetPoints(piece, d, request.mutable_theta());
    auto response = connection_->Ask(&v1::InferenceService::Stub::LogLikelihood, request);
    if (response.ok()) error = response->log_evidence_error();
    return response;
  };
  ABSL_ASSIGN_OR_RETURN(Answer answer, InPieces("theta", theta, NumColumns(columns), 0, ask,
                                                [](const v1::LogLikelihoodResponse& r) -> const v1::Array& {
                                                  return r.log_likelihood();
                                                }));
  answer.log_evidence_error = error;
  return answer;
}

absl::StatusOr<Answer> Model::PriorTransform(absl::Span<const double> u, double prior_fraction,
                                             v1::Precision precision) const {
  v1::PriorTransformRequest request;
  request.set_model(version_->name());
  request.set_prior_fraction(prior_fraction);
  request.set_precision(precision);
  const auto ask = [&](absl::Span<const double> piece, int64_t d) {
    SetPoints(piece, d, request.mutable_u());
    return connection_->Ask(&v1::InferenceService::Stub::PriorTransform, request);
  };
  const int64_t d = NumColumns({});
  return InPieces("u", u, d, d, ask, [](const v1::PriorTransformResponse& r) -> const v1::Array& { return r.theta(); });
}

absl::StatusOr<Answer> Model::InversePriorTransform(absl::Span<const double> theta,
                                                    const std::vector<std::string>& columns,
                                                    v1::Precision precision) const {
  v1::InversePriorTransformRequest request;
  request.set_model(version_->name());
  request.set_precision(precision);
  for (const std::string& column : columns) request.add_columns(column);
  const auto ask = [&](absl::Span<const double> piece, int64_t d) {
    SetPoints(piece, d, request.mutable_theta());
    return connection_->Ask(&v1::InferenceService::Stub::InversePriorTransform, request);
  };
  const int64_t d = NumColumns(columns);
  return InPieces("theta", theta, d, d, ask,
                  [](const v1::InversePriorTransformResponse& r) -> const v1::Array& { return r.u(); });
}

absl::StatusOr<Draws> Model::Sample(int64_t num_samples, std::optional<uint64_t> seed, bool log_prob,
                                    v1::Precision precision) const {
  v1::SampleRequest request;
  request.set_model(version_->name());
  request.set_num_samples(num_samples);
  if (seed.has_value()) request.set_seed(*seed);
  request.set_log_prob(log_prob);
  request.set_precision(precision);
  const std::unique_ptr<grpc::ClientContext> context = connection_->NewStreamContext();
  const auto reader = connection_->inference->Sample(context.get(), request);
  const auto add = [&](const v1::Array& array, absl::Span<const int64_t> shape, std::vector<double>& all) {
    absl::StatusOr<std::vector<double>> values = ToDoubles("the answer", array, shape);
    if (!values.ok()) {
      context->TryCancel();
      return values.status();
    }
    all.insert(all.end(), values->begin(), values->end());
    return absl::OkStatus();
  };
  Draws draws;
  v1::SampleResponse response;
  for (bool first = true; reader->Read(&response); first = false) {
    if (first) {
      draws.columns.assign(response.columns().begin(), response.columns().end());
      draws.seed = response.seed();
      draws.model_version = response.model_version();
    }
    AddWarnings(response.warnings(), &draws.warnings);
    if (!response.has_theta()) continue;
    ABSL_RETURN_IF_ERROR(add(response.theta(), {-1, static_cast<int64_t>(draws.columns.size())}, draws.theta));
    if (log_prob) ABSL_RETURN_IF_ERROR(add(response.log_prob(), {-1}, draws.log_prob));
  }
  ABSL_RETURN_IF_ERROR(connection_->ToStatus(reader->Finish()));
  return draws;
}

absl::StatusOr<v1::MarginalKLResponse> Model::Kl(const StatisticOptions& options) const {
  ABSL_ASSIGN_OR_RETURN(const auto request, StatisticRequest<v1::MarginalKLRequest>(version_->name(), options));
  return connection_->Call(*connection_->statistics, &v1::StatisticsService::Stub::MarginalKL, request);
}

absl::StatusOr<v1::ModelDimensionalityResponse> Model::Dimensionality(const StatisticOptions& options) const {
  ABSL_ASSIGN_OR_RETURN(const auto request,
                        StatisticRequest<v1::ModelDimensionalityRequest>(version_->name(), options));
  return connection_->Call(*connection_->statistics, &v1::StatisticsService::Stub::ModelDimensionality, request);
}

}  // namespace creamery
