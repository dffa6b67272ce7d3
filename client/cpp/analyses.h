// Analyses beyond one question to one density: joint posteriors, evidences, reweighting. Those that need likelihood
// values ask for them in rounds, from a function of the caller.
#ifndef CREAMERY_CLIENT_CPP_ANALYSES_H_
#define CREAMERY_CLIENT_CPP_ANALYSES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cpp/model.h"
#include "creamery/v1/statistics_service.pb.h"

namespace creamery {

struct JointOptions {
  PriorAgainst prior;           // empty: the declared ones
  int64_t num_samples = 0;      // 0: the server's default
  int64_t max_evaluations = 0;  // of one model's density; 0: the server's default
  std::optional<uint64_t> seed;
  bool without_samples = false;
};

// The joint posterior of several models: statistics, and n weighted samples of all their parameters.
struct JointAnswer {
  v1::JointPosteriorResponse summary;  // all but the samples
  std::vector<double> theta;           // (n, d) row-major, columns as summary.columns()
  std::vector<double> weight;          // (n), mean 1
  std::vector<double> log_density;     // (n), natural log, unnormalised
};

// theta: (n, d) row-major, columns named -> (n,) natural log-likelihoods; -inf allowed, NaN not.
using LogLikelihoodFunction = std::function<absl::StatusOr<std::vector<double>>(
    absl::Span<const double> theta, const std::vector<std::string>& columns)>;

struct RoundOptions {
  PriorAgainst prior;
  double target_effective_size = 0;  // 0: the server's default
  int64_t max_points = 0;            // 0: the server's default
  int64_t round_size = 0;            // 0: chosen by the server
  std::optional<uint64_t> seed;
  std::vector<double> log_likelihood;  // values of points 0.. known before, to go on from; needs the seed used then
};

// What the rounds came to: the last response, and every point with its value, in order.
template <typename Response>
struct Rounds {
  Response response;
  std::vector<double> theta;           // (n, d) row-major, without those whose values were given
  std::vector<double> log_likelihood;  // (n)
};

// log Z by importance sampling; calls `log_likelihood` until the target or the budget is reached.
absl::StatusOr<Rounds<v1::EvidenceResponse>> ImportanceEvidence(const Model& model,
                                                                const LogLikelihoodFunction& log_likelihood,
                                                                const RoundOptions& options = {});

// Weights that turn the model's posterior into the one of `log_likelihood`.
absl::StatusOr<Rounds<v1::ReweightResponse>> Reweight(const Model& model, const LogLikelihoodFunction& log_likelihood,
                                                      const RoundOptions& options = {});

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_ANALYSES_H_
