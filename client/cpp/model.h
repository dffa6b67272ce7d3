// One version of a trained density, resolved once: every answer comes from that version.
#ifndef CREAMERY_CLIENT_CPP_MODEL_H_
#define CREAMERY_CLIENT_CPP_MODEL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cpp/answer.h"
#include "client/cpp/log_prob_stream.h"
#include "creamery/v1/model.pb.h"
#include "creamery/v1/statistics_service.pb.h"
#include "creamery/v1/warning.pb.h"

namespace creamery {

class Connection;

// Draws: theta (n, d) row-major, log_prob (n,) if it was asked for, natural log.
struct Draws {
  std::vector<std::string> columns;
  std::vector<double> theta;
  std::vector<double> log_prob;
  uint64_t seed = 0;  // the one used
  std::string model_version;
  std::vector<v1::Warning> warnings;
};

// The prior a statistic is taken against; empty: the one declared with the dataset.
struct PriorAgainst {
  std::map<std::string, v1::Prior> analytic;  // by parameter, every one is needed; or
  std::string model;                          // a trained density of the prior, named like a model
};

struct StatisticOptions {
  PriorAgainst prior;
  int64_t num_samples = 0;  // 0: the server's default
  std::optional<uint64_t> seed;
};

// A sentence for people.
std::string WarningText(v1::Warning warning);

// Fills `theta`, whole rows, with the next ones, row-major; returns how many numbers these are, 0 at the end.
using RowSource = std::function<absl::StatusOr<int64_t>(absl::Span<double> theta)>;
// Takes the answer to the next rows, in order.
using AnswerSink = std::function<absl::Status(const Answer& answer)>;

// Cheap to copy, thread-safe. Large inputs are sent in pieces.
class Model {
 public:
  Model(std::shared_ptr<Connection> connection, v1::ModelVersion version)
      : connection_(std::move(connection)), version_(std::make_shared<const v1::ModelVersion>(std::move(version))) {}

  const v1::ModelVersion& version() const { return *version_; }
  std::vector<std::string> parameters() const;

  // theta: (n, d) row-major, finite; `columns` names them in any order (empty: the model's order).
  // Natural log of the density; -inf outside the support.
  absl::StatusOr<Answer> LogProb(absl::Span<const double> theta, const std::vector<std::string>& columns = {},
                                 const LogProbOptions& options = {}) const;
  // The same for rows without end, in memory that does not grow with them: blocks go over one stream, and the next ones
  // are made ready while the server works on a few. An error of `source`, of `sink` or of a block ends it.
  absl::Status LogProbOfRows(const RowSource& source, const AnswerSink& sink,
                             const std::vector<std::string>& columns = {}, const LogProbOptions& options = {}) const;
  // For many small questions; the call begins with the first one.
  LogProbStream OpenLogProbStream(const std::vector<std::string>& columns = {},
                                  const LogProbOptions& options = {}) const;
  // Natural log of the nuisance-free likelihood. FAILED_PRECONDITION without priors or log-evidence. With more models,
  // `columns` is needed: the union of the parameters.
  absl::StatusOr<Answer> LogLikelihood(absl::Span<const double> theta, const std::vector<std::string>& columns = {},
                                       const LogLikelihoodOptions& options = {}) const;
  // u: (n, d) strictly inside the unit hypercube -> theta (n, d). `prior_fraction` as in LogProbOptions.
  absl::StatusOr<Answer> PriorTransform(absl::Span<const double> u, double prior_fraction = 0,
                                        v1::Precision precision = v1::PRECISION_UNSPECIFIED) const;
  // theta: (n, d) inside the support -> u (n, d), columns in the model's order.
  absl::StatusOr<Answer> InversePriorTransform(absl::Span<const double> theta,
                                               const std::vector<std::string>& columns = {},
                                               v1::Precision precision = v1::PRECISION_UNSPECIFIED) const;
  // Row i depends on the seed and i alone; without a seed the server picks one and says which.
  absl::StatusOr<Draws> Sample(int64_t num_samples, std::optional<uint64_t> seed = std::nullopt, bool log_prob = false,
                               v1::Precision precision = v1::PRECISION_UNSPECIFIED) const;
  // D_KL of the prior from the posterior, nats.
  absl::StatusOr<v1::MarginalKLResponse> Kl(const StatisticOptions& options = {}) const;
  // Bayesian model dimensionality, a pure number.
  absl::StatusOr<v1::ModelDimensionalityResponse> Dimensionality(const StatisticOptions& options = {}) const;
  // One round; the model is filled in. Loops over rounds: analyses.h.
  absl::StatusOr<v1::EvidenceResponse> Evidence(v1::EvidenceRequest request) const;
  absl::StatusOr<v1::ReweightResponse> Reweight(v1::ReweightRequest request) const;

 private:
  // Of points whose columns are named, or are the model's parameters.
  int64_t NumColumns(const std::vector<std::string>& columns) const {
    return columns.empty() ? version_->signature().parameters_size() : static_cast<int64_t>(columns.size());
  }

  std::shared_ptr<Connection> connection_;
  std::shared_ptr<const v1::ModelVersion> version_;
};

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_MODEL_H_
