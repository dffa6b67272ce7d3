#include "tests/models/statistics/exact_gaussian.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "models/data_preparation.h"
#include "models/plan/column_map.h"
#include "models/random.h"
#include "models/statistics/held_out.h"
#include "models/statistics/joint_mixture.h"
#include "models/statistics/weights.h"
#include "proto/support/rows.h"

namespace creamery {
namespace {

constexpr double kLogTwoPi = 1.8378770664093454836;
constexpr int64_t kMembers = 4;

class GaussianDensity final : public Density {
 public:
  GaussianDensity(std::vector<double> mean, const std::vector<double>& covariance)
      : d_(static_cast<int64_t>(mean.size())), mean_(std::move(mean)), lower_(Cholesky(covariance, d_)) {
    inverse_ = InverseOf(covariance, d_);
    log_norm_ = -0.5 * static_cast<double>(d_) * kLogTwoPi;
    for (int64_t j = 0; j < d_; ++j) log_norm_ -= std::log(lower_[j * d_ + j]);
  }

  int64_t num_parameters() const override { return d_; }
  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                       const StopToken& stop) const override {
    std::vector<double> z(d_);
    for (size_t i = 0; i < log_prob.size(); ++i) {
      for (int64_t j = 0; j < d_; ++j) z[j] = theta[i * d_ + j] - mean_[j];
      SolveLower(lower_, d_, z.data());
      log_prob[i] = log_norm_;
      for (const double value : z) log_prob[i] -= 0.5 * value * value;
    }
    return stop.Check();
  }
  absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                              const StopToken& stop) const override {
    for (size_t i = 0; i < u.size() / d_; ++i) {
      for (int64_t j = 0; j < d_; ++j) {
        theta[i * d_ + j] = mean_[j];
        for (int64_t k = 0; k <= j; ++k) theta[i * d_ + j] += lower_[j * d_ + k] * NormalQuantile(u[i * d_ + k]);
      }
    }
    return stop.Check();
  }
  absl::Status LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob, absl::Span<double> gradient,
                               const StopToken& stop) const override {
    for (size_t i = 0; i < log_prob.size(); ++i) {
      for (int64_t j = 0; j < d_; ++j) {
        gradient[i * d_ + j] = 0;
        for (int64_t k = 0; k < d_; ++k) {
          gradient[i * d_ + j] -= inverse_[j * d_ + k] * (theta[i * d_ + k] - mean_[k]);
        }
      }
    }
    return LogProb(theta, log_prob, stop);
  }
  absl::Status InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                     const StopToken& stop) const override {
    std::vector<double> z(d_);
    for (size_t i = 0; i < theta.size() / d_; ++i) {
      for (int64_t j = 0; j < d_; ++j) z[j] = theta[i * d_ + j] - mean_[j];
      SolveLower(lower_, d_, z.data());
      for (int64_t j = 0; j < d_; ++j) u[i * d_ + j] = NormalCdf(z[j]);
    }
    return stop.Check();
  }

 private:
  int64_t d_;
  std::vector<double> mean_;
  std::vector<double> lower_;
  std::vector<double> inverse_;
  double log_norm_;
};

// The equal mixture of Gaussians; u_0 tells which.
class MixtureDensity final : public Density {
 public:
  explicit MixtureDensity(const std::vector<GaussianPosterior>& parts) {
    for (const GaussianPosterior& part : parts) parts_.emplace_back(part.mean, part.covariance);
  }
  int64_t num_parameters() const override { return parts_[0].num_parameters(); }
  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                       const StopToken& stop) const override {
    std::vector<double> sum(log_prob.size(), -std::numeric_limits<double>::infinity());
    for (const GaussianDensity& part : parts_) {
      const absl::Status status = part.LogProb(theta, log_prob, stop);
      if (!status.ok()) return status;
      for (size_t i = 0; i < sum.size(); ++i) {
        const double high = std::max(sum[i], log_prob[i]);
        sum[i] = high + std::log1p(std::exp(std::min(sum[i], log_prob[i]) - high));
      }
    }
    for (size_t i = 0; i < sum.size(); ++i) log_prob[i] = sum[i] - std::log(static_cast<double>(parts_.size()));
    return absl::OkStatus();
  }
  absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                              const StopToken& stop) const override {
    const size_t d = static_cast<size_t>(num_parameters());
    for (size_t i = 0; i < u.size() / d; ++i) {
      std::vector<double> within(u.begin() + i * d, u.begin() + (i + 1) * d);
      const double place = within[0] * static_cast<double>(parts_.size());
      const size_t k = std::min(static_cast<size_t>(place), parts_.size() - 1);
      within[0] = std::clamp(place - static_cast<double>(k), 1e-15, 1 - 1e-15);
      const absl::Status status = parts_[k].PriorTransform(within, theta.subspan(i * d, d), stop);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  absl::Status LogProbGradient(absl::Span<const double>, absl::Span<double>, absl::Span<double>,
                               const StopToken&) const override {
    return absl::UnimplementedError("not asked of this one");
  }
  absl::Status InversePriorTransform(absl::Span<const double>, absl::Span<double>, const StopToken&) const override {
    return absl::UnimplementedError("not asked of this one");
  }

 private:
  std::vector<GaussianDensity> parts_;
};

class GaussianModel final : public Estimator {
 public:
  GaussianModel(v1::ModelVersion description, std::vector<std::unique_ptr<Density>> members)
      : description_(std::move(description)), owned_(std::move(members)) {
    for (const auto& member : owned_) members_.push_back(member.get());
  }
  const v1::ModelVersion& description() const override { return description_; }
  v1::ModelVersion& description() { return description_; }
  int64_t memory_bytes() const override { return 1000; }
  const Density* density() const override { return members_[0]; }
  absl::Span<const Density* const> members() const override { return members_; }

 private:
  v1::ModelVersion description_;
  std::vector<std::unique_ptr<Density>> owned_;
  std::vector<const Density*> members_;
};

v1::ModelVersion Describe(const GaussianPosterior& posterior, const std::vector<v1::Prior>& priors) {
  v1::ModelVersion description;
  for (size_t j = 0; j < posterior.names.size(); ++j) {
    v1::Parameter& parameter = *description.mutable_signature()->add_parameters();
    parameter.set_name(posterior.names[j]);
    if (j < priors.size() && priors[j].density_case() != v1::Prior::DENSITY_NOT_SET) {
      *parameter.mutable_prior() = priors[j];
    }
  }
  description.mutable_training()->set_row_kind(v1::INDEPENDENT);
  return description;
}

double LogDeterminant(const std::vector<double>& matrix, int64_t d) {
  const std::vector<double> lower = Cholesky(matrix, d);
  double sum = 0;
  for (int64_t j = 0; j < d; ++j) sum += 2 * std::log(lower[j * d + j]);
  return sum;
}

// -E[log N] of a d-dimensional Gaussian.
double Entropy(const std::vector<double>& covariance, int64_t d) {
  return 0.5 * (static_cast<double>(d) * (kLogTwoPi + 1) + LogDeterminant(covariance, d));
}

}  // namespace

v1::Prior UniformPriorOf(double lower, double upper) {
  v1::Prior prior;
  prior.mutable_uniform()->set_lower(lower);
  prior.mutable_uniform()->set_upper(upper);
  return prior;
}

v1::Prior NormalPriorOf(double mean, double stddev) {
  v1::Prior prior;
  prior.mutable_normal()->set_mean(mean);
  prior.mutable_normal()->set_stddev(stddev);
  return prior;
}

std::vector<double> Correlated(int64_t d, double rho, double scale) {
  std::vector<double> covariance(d * d);
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t j = 0; j < d; ++j) covariance[i * d + j] = scale * scale * std::pow(rho, std::llabs(i - j));
  }
  return covariance;
}

std::unique_ptr<Estimator> ExactModel(const GaussianPosterior& posterior, const std::vector<v1::Prior>& priors,
                                      int64_t rows) {
  v1::ModelVersion description = Describe(posterior, priors);
  const double d = static_cast<double>(posterior.d());
  v1::HeldOutStatistics& held_out = *description.mutable_training()->mutable_held_out();
  const double mean = -Entropy(posterior.covariance, posterior.d());
  held_out.set_out_of_fold_log_prob(mean);
  held_out.set_in_sample_log_prob(mean);
  held_out.set_log_prob_variance(d / 2);
  held_out.set_log_prob_covariance(d / 2);
  held_out.set_chain_error(std::sqrt(d / 2 / static_cast<double>(rows)));
  held_out.set_variance_chain_error(std::sqrt((d * d / 2 + 3 * d) / static_cast<double>(rows)));
  held_out.set_effective_size(static_cast<double>(rows));
  held_out.set_kish_size(static_cast<double>(rows));
  held_out.set_log_prob_floor(mean - 20);
  std::vector<std::unique_ptr<Density>> members;
  members.push_back(std::make_unique<GaussianDensity>(posterior.mean, posterior.covariance));
  return std::make_unique<GaussianModel>(std::move(description), std::move(members));
}

std::unique_ptr<Estimator> ExactMixture(const std::vector<GaussianPosterior>& parts,
                                        const std::vector<v1::Prior>& priors) {
  std::vector<std::unique_ptr<Density>> members;
  members.push_back(std::make_unique<MixtureDensity>(parts));
  v1::ModelVersion description = Describe(parts[0], priors);
  // The mean of log P, as a perfect training would have stored it, from draws.
  std::vector<double> theta(100000 * parts[0].d());
  std::vector<double> log_p(100000);
  if (!Sample(*members[0], 1, 0, absl::MakeSpan(theta), StopToken()).ok()) return nullptr;
  if (!members[0]->LogProb(theta, absl::MakeSpan(log_p), StopToken()).ok()) return nullptr;
  const WeightedMoments moments = Moments(log_p, {});
  v1::HeldOutStatistics& held_out = *description.mutable_training()->mutable_held_out();
  held_out.set_out_of_fold_log_prob(moments.mean);
  held_out.set_in_sample_log_prob(moments.mean);
  held_out.set_log_prob_variance(moments.variance);
  held_out.set_log_prob_covariance(moments.variance);
  held_out.set_effective_size(10000);
  held_out.set_chain_error(std::sqrt(moments.variance / 10000));
  held_out.set_log_prob_floor(moments.mean - 20);
  return std::make_unique<GaussianModel>(std::move(description), std::move(members));
}

std::unique_ptr<Estimator> FittedModel(const GaussianPosterior& posterior, const std::vector<v1::Prior>& priors,
                                       int64_t rows, uint64_t seed) {
  const int64_t d = posterior.d();
  const GaussianDensity exact(posterior.mean, posterior.covariance);
  std::vector<double> theta(rows * d);
  if (!Sample(exact, seed, 0, absl::MakeSpan(theta), StopToken()).ok()) return nullptr;
  const std::vector<int64_t> fold = AssignFolds(v1::INDEPENDENT, rows, {}, kMembers, seed);
  std::vector<std::unique_ptr<Density>> members;
  std::vector<double> log_q(kMembers * rows);
  for (int64_t m = 0; m < kMembers; ++m) {
    std::vector<double> weight(rows);
    for (int64_t i = 0; i < rows; ++i) weight[i] = fold[i] == m ? 0 : 1;
    MeanAndCovariance moments = MomentsOfRows(theta, d, weight);
    members.push_back(std::make_unique<GaussianDensity>(std::move(moments.mean), moments.covariance));
    if (!members[m]->LogProb(theta, absl::MakeSpan(log_q).subspan(m * rows, rows), StopToken()).ok()) return nullptr;
  }
  v1::ModelVersion description = Describe(posterior, priors);
  HeldOutInput input;
  input.members = kMembers;
  input.log_q = log_q;
  input.fold = fold;
  auto held_out = ComputeHeldOut(input);
  if (!held_out.ok()) return nullptr;
  *description.mutable_training()->mutable_held_out() = *std::move(held_out);
  return std::make_unique<GaussianModel>(std::move(description), std::move(members));
}

v1::ModelVersion& DescriptionOf(Estimator& model) { return static_cast<GaussianModel&>(model).description(); }

JointTruth TruthOf(const std::vector<GaussianPosterior>& posteriors, const std::vector<std::string>& names,
                   const std::vector<double>& log_volume) {
  const int64_t d = static_cast<int64_t>(names.size());
  std::vector<double> precision(d * d, 0);
  std::vector<double> pull(d, 0);
  JointTruth truth;
  double log_volumes = 0;
  for (const GaussianPosterior& p : posteriors) {
    const int64_t own = p.d();
    const std::vector<double> inverse = InverseOf(p.covariance, own);
    truth.log_r -= 0.5 * (static_cast<double>(own) * kLogTwoPi + LogDeterminant(p.covariance, own));
    truth.information -= Entropy(p.covariance, own);
    truth.dimensionality += static_cast<double>(own);
    for (int64_t i = 0; i < own; ++i) {
      const int64_t a = std::find(names.begin(), names.end(), p.names[i]) - names.begin();
      log_volumes += log_volume[a];
      for (int64_t j = 0; j < own; ++j) {
        const int64_t b = std::find(names.begin(), names.end(), p.names[j]) - names.begin();
        precision[a * d + b] += inverse[i * own + j];
        pull[a] += inverse[i * own + j] * p.mean[j];
        truth.log_r -= 0.5 * p.mean[i] * inverse[i * own + j] * p.mean[j];
      }
    }
  }
  truth.covariance = InverseOf(precision, d);
  truth.mean.assign(d, 0);
  double once = 0;
  for (int64_t i = 0; i < d; ++i) {
    once += log_volume[i];
    for (int64_t j = 0; j < d; ++j) truth.mean[i] += truth.covariance[i * d + j] * pull[j];
    truth.log_r += 0.5 * pull[i] * truth.mean[i];
  }
  truth.log_r += 0.5 * (static_cast<double>(d) * kLogTwoPi + LogDeterminant(truth.covariance, d)) + log_volumes - once;
  truth.joint_kl = once - Entropy(truth.covariance, d);
  truth.information += log_volumes - truth.joint_kl;
  truth.dimensionality -= static_cast<double>(d);
  return truth;
}

}  // namespace creamery
