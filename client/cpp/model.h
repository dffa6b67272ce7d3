// One version of a trained density, resolved once: every answer comes from that version.
#ifndef CREAMERY_CLIENT_CPP_MODEL_H_
#define CREAMERY_CLIENT_CPP_MODEL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/model.pb.h"
#include "creamery/v1/statistics_service.pb.h"
#include "creamery/v1/warning.pb.h"

namespace creamery {

class Connection;

// Numbers and what to know about them. `values`: one per point, or d per point, row-major.
struct Answer {
  std::vector<double> values;
  std::string model_version;  // the version that answered
  std::vector<v1::Warning> warnings;
  double log_evidence_error = 0;  // LogLikelihood only: standard error common to all points, natural log
  std::vector<double> gradient;   // LogProb only, if asked for: d log_prob / d theta, (n, d)
  std::vector<double> spread;     // LogProb only, if asked for: standard deviation over the trained members, (n)
};

struct LogProbOptions {
  bool gradient = false;
  bool spread = false;
  double prior_fraction = 0;  // share of the declared prior mixed into the density, [0, 1)
};

struct LogLikelihoodOptions {
  std::vector<std::string> more_models;  // of independent data, whose log-likelihoods are added
  bool without_evidence = false;         // log P - log prior
};

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

// Cheap to copy, thread-safe. Large inputs are sent in pieces of about 1 MiB.
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
  // Natural log of the nuisance-free likelihood. FAILED_PRECONDITION without priors or log-evidence. With more models,
  // `columns` is needed: the union of the parameters.
  absl::StatusOr<Answer> LogLikelihood(absl::Span<const double> theta, const std::vector<std::string>& columns = {},
                                       const LogLikelihoodOptions& options = {}) const;
  // u: (n, d) strictly inside the unit hypercube -> theta (n, d). `prior_fraction` as in LogProbOptions.
  absl::StatusOr<Answer> PriorTransform(absl::Span<const double> u, double prior_fraction = 0) const;
  // theta: (n, d) inside the support -> u (n, d), columns in the model's order.
  absl::StatusOr<Answer> InversePriorTransform(absl::Span<const double> theta,
                                               const std::vector<std::string>& columns = {}) const;
  // Row i depends on the seed and i alone; without a seed the server picks one and says which.
  absl::StatusOr<Draws> Sample(int64_t num_samples, std::optional<uint64_t> seed = std::nullopt,
                               bool log_prob = false) const;
  // D_KL of the prior from the posterior, nats.
  absl::StatusOr<v1::MarginalKLResponse> Kl(const StatisticOptions& options = {}) const;
  // Bayesian model dimensionality, a pure number.
  absl::StatusOr<v1::ModelDimensionalityResponse> Dimensionality(const StatisticOptions& options = {}) const;
  // One round; the model is filled in. Loops over rounds: analyses.h.
  absl::StatusOr<v1::EvidenceResponse> Evidence(v1::EvidenceRequest request) const;
  absl::StatusOr<v1::ReweightResponse> Reweight(v1::ReweightRequest request) const;

 private:
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<const v1::ModelVersion> version_;
};

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_MODEL_H_
