// Problems of any dimension whose evidence is known and whose posterior is not a product: a normal density, sheared.
#ifndef CREAMERY_TESTS_MODELS_STATISTICS_SHEARED_PROBLEM_H_
#define CREAMERY_TESTS_MODELS_STATISTICS_SHEARED_PROBLEM_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/statistics_service.pb.h"
#include "models/estimator.h"
#include "models/statistics/marginal.h"
#include "models/training/trainer.h"

namespace creamery {

// x ~ N(center, sigma) in d dimensions; theta_0 = x_0, theta_j = x_j + slope theta_{j-1}, for odd j also
// + bend (theta_{j-1}^2 - sigma^2): a normal density, correlated or in every pair bent like a banana. A shear keeps
// volumes, so the density of theta is that of x, and as a likelihood over a box (-10, 10)^d that holds all of it log Z
// = -d log 20.
struct ShearedProblem {
  int64_t d = 2;
  double slope = 0;
  double bend = 0;
  double sigma = 1;
  double center = 0;

  double Shear(int64_t j, double before) const;  // theta_j - x_j
  std::vector<double> log_likelihood(absl::Span<const double> theta) const;
  double log_z() const;
  MarginalPrior prior() const;
  // n exact draws with their log-likelihoods, for a training of `family`, maf or nsf: independent rows, or with a
  // correlation rho between neighbours four Markov chains, autoregressive in x.
  TrainingInput Input(int64_t n, const std::string& family, uint64_t seed, double rho = 0) const;
};

// The same model with its members moved on by one: every fold is answered by a member that has seen it.
class MembersThatHaveSeen final : public Estimator {
 public:
  explicit MembersThatHaveSeen(const Estimator& model);  // must outlive this

  const v1::ModelVersion& description() const override { return model_.description(); }
  int64_t memory_bytes() const override { return 0; }
  const Density* density() const override { return model_.density(); }
  absl::Span<const Density* const> members() const override { return members_; }

 private:
  const Estimator& model_;
  std::vector<const Density*> members_;
};

// Importance sampling with a client that answers every round with `log_likelihood`.
absl::StatusOr<v1::EvidenceResponse> SampleEvidence(
    const Estimator& model, const MarginalPrior& prior, v1::ImportanceSampling request, uint64_t seed,
    const std::function<std::vector<double>(absl::Span<const double> theta)>& log_likelihood);

}  // namespace creamery

#endif  // CREAMERY_TESTS_MODELS_STATISTICS_SHEARED_PROBLEM_H_
