// A Gaussian problem whose evidence is known, and a model of it as good or bad as a test wants.
#ifndef CREAMERY_TESTS_MODELS_STATISTICS_EVIDENCE_PROBLEM_H_
#define CREAMERY_TESTS_MODELS_STATISTICS_EVIDENCE_PROBLEM_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "creamery/v1/array.pb.h"
#include "creamery/v1/dataset.pb.h"
#include "models/estimator.h"
#include "models/statistics/marginal.h"
#include "proto/support/rows.h"

namespace creamery {

// Prior N(0, 1), likelihood N(data; theta, sigma), both of d independent parameters p0, p1, ...
struct GaussianProblem {
  int64_t d = 2;
  double data = 0.5;
  double sigma = 0.3;

  double log_likelihood(const double* theta) const;
  std::vector<double> log_likelihood(absl::Span<const double> theta) const;
  double log_z() const;  // d log N(data; 0, sqrt(1 + sigma^2))
  double posterior_mean() const;
  double posterior_sd() const;
  MarginalPrior prior() const;
  v1::Dataset dataset() const;  // independent rows with log-likelihoods
  // n exact draws from the posterior.
  RowBlock Rows(int64_t n, uint64_t seed) const;
};

// d independent normals of one mean and standard deviation.
class NormalDensity final : public Density {
 public:
  NormalDensity(int64_t d, double mean, double sd) : d_(d), mean_(mean), sd_(sd) {}

  int64_t num_parameters() const override { return d_; }
  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                       const StopToken& stop) const override;
  absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                              const StopToken& stop) const override;
  absl::Status LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob, absl::Span<double> gradient,
                               const StopToken& stop) const override;
  absl::Status InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                     const StopToken& stop) const override;
  absl::Status ContractedLogProb(absl::Span<const double> theta, double temperature, absl::Span<double> log_prob,
                                 const StopToken& stop) const override;

 private:
  int64_t d_;
  double mean_;
  double sd_;
};

// An estimator with one density for all of its members.
class FakeModel final : public Estimator {
 public:
  FakeModel(v1::ModelVersion description, std::unique_ptr<Density> density)
      : description_(std::move(description)),
        density_(std::move(density)),
        members_(description_.spec().training().members(), density_.get()) {}

  const v1::ModelVersion& description() const override { return description_; }
  v1::ModelVersion& mutable_description() { return description_; }
  int64_t memory_bytes() const override { return 0; }
  const Density* density() const override { return density_.get(); }
  absl::Span<const Density* const> members() const override { return members_; }

 private:
  v1::ModelVersion description_;
  std::unique_ptr<Density> density_;
  std::vector<const Density*> members_;
};

// A model of the problem's posterior, shifted by `shift` and widened by `width` posterior standard deviations, said to
// be trained on `rows` rows with 4 members and seed 3.
std::unique_ptr<FakeModel> MakeModel(const GaussianProblem& problem, double shift, double width, int64_t rows = 0);

// (n,) values for a request, and the (n, d) values of an answer.
v1::Array ToArray(const std::vector<double>& values);
std::vector<double> FromArray(const v1::Array& array);

// A budget of bytes that no test reaches.
inline constexpr int64_t kPlenty = int64_t{1} << 30;

}  // namespace creamery

#endif  // CREAMERY_TESTS_MODELS_STATISTICS_EVIDENCE_PROBLEM_H_
