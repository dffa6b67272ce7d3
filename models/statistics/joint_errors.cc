#include "models/statistics/joint_errors.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/types/span.h"
#include "models/statistics/joint_mixture.h"
#include "models/statistics/weights.h"

namespace creamery {
namespace {

// Most rows times models times squared parameters of the linear response.
constexpr int64_t kMostProducts = 2000000000;

// Averages of a function h against 1, g and g^2, g being the deviation of log L, over weighted rows.
struct Averages {
  double one = 0;
  double g = 0;
  double g2 = 0;
};

// Rows with what is averaged over them: weight / sum(weight), times 1, g and g^2.
class Weights {
 public:
  Weights(absl::Span<const double> weight, absl::Span<const double> log_l) {
    const WeightedMoments moments = Moments(log_l, weight);
    variance_ = moments.variance;
    double total = 0;
    for (const double w : weight) total += w;
    for (size_t i = 0; i < weight.size(); ++i) {
      const double g = log_l[i] - moments.mean;
      one_.push_back(weight[i] / total);
      g_.push_back(one_.back() * g);
      g2_.push_back(g_.back() * g);
    }
  }
  size_t n() const { return one_.size(); }
  double variance() const { return variance_; }
  void Add(size_t i, double h, Averages& averages) const {
    averages.one += one_[i] * h;
    averages.g += g_[i] * h;
    averages.g2 += g2_[i] * h;
  }

 private:
  std::vector<double> one_;
  std::vector<double> g_;
  std::vector<double> g2_;
  double variance_ = 0;
};

double DimensionalityResponse(const Averages& h, double variance) { return 2 * (h.g2 - variance * h.one + 2 * h.g); }

// The responses to h from its averages over the joint posterior and over the model.
ByStatistic Respond(const Averages& joint, double joint_variance, const Averages& own, double own_variance) {
  ByStatistic response{};
  response[kLogR] = joint.one;
  response[kLogS] = joint.g + joint.one - own.g;
  response[kInformation] = own.g - joint.g;
  response[kJointKl] = joint.g;
  response[kJointDimensionality] = DimensionalityResponse(joint, joint_variance);
  response[kDimensionality] = DimensionalityResponse(own, own_variance) - response[kJointDimensionality];
  return response;
}

// Averages of z and z z' - 1 over rows x (n, stride), whose columns `columns` are the model's.
struct Features {
  std::vector<Averages> linear;     // (d)
  std::vector<Averages> quadratic;  // (d, d), lower triangle
};

Features FeaturesOf(absl::Span<const double> x, int64_t stride, const std::vector<int>& columns,
                    const std::vector<double>& mean, const std::vector<double>& lower, const Weights& weights,
                    size_t rows) {
  const int64_t d = static_cast<int64_t>(columns.size());
  Features features;
  features.linear.resize(d);
  features.quadratic.resize(d * d);
  std::vector<double> z(d);
  for (size_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < d; ++j) z[j] = x[i * stride + columns[j]] - mean[j];
    SolveLower(lower, d, z.data());
    for (int64_t j = 0; j < d; ++j) {
      weights.Add(i, z[j], features.linear[j]);
      for (int64_t l = 0; l <= j; ++l) {
        weights.Add(i, z[j] * z[l] - (j == l ? 1 : 0), features.quadratic[j * d + l]);
      }
    }
  }
  return features;
}

// Variances of the statistics, and the covariance of log S and d.
struct Variances {
  ByStatistic of{};
  double log_s_dimensionality = 0;

  void AddSquares(const ByStatistic& value, double scale) {
    for (int s = 0; s < kNumStatistics; ++s) of[s] += scale * value[s] * value[s];
    log_s_dimensionality += scale * value[kLogS] * value[kDimensionality];
  }
};

// Squared error of log R from a tail that few rows have shaped. As many of them would be effective, were the chain
// reweighted to the joint posterior, as n exp(-m'(2 - S)^-1 m), m and S the whitened mean and covariance of the latter:
// the relative error of a density there is at least one over the root. And where they are few the family decides how
// tails go on: then the difference from a Gaussian's tail counts, by half where they are kFewLocalRows.
double TailVariance(const Features& joint, const std::vector<float>& log_prob, const std::vector<double>& lower,
                    const Weights& weights, double n, double& local) {
  const int64_t d = static_cast<int64_t>(joint.linear.size());
  double square = 0;    // |m|^2
  double along = 0;     // m' (S + m m' - 1) m
  double distance = 0;  // E_J |z|^2
  double log_norm = -0.5 * static_cast<double>(d) * std::log(2 * M_PI);
  for (int64_t j = 0; j < d; ++j) {
    square += joint.linear[j].one * joint.linear[j].one;
    distance += joint.quadratic[j * d + j].one + 1;
    log_norm -= std::log(lower[j * d + j]);
    for (int64_t l = 0; l <= j; ++l) {
      along += (l == j ? 1 : 2) * joint.quadratic[j * d + l].one * joint.linear[j].one * joint.linear[l].one;
    }
  }
  local = n;
  if (!(square > 0)) return 0;
  const double width = std::clamp(along / square + 1 - square, 0.0, 1.0);
  const double log_local = std::log(n) - square / (2 - width);
  local = std::exp(log_local);
  Averages mean;
  for (size_t i = 0; i < weights.n(); ++i) weights.Add(i, log_prob[i], mean);
  const double from_gaussian = mean.one - (log_norm - 0.5 * distance);
  const double tail = from_gaussian * kFewLocalRows / (kFewLocalRows + local);
  // 1 / local where there are such rows; where there are none it grows as the distance squared, no faster.
  return (log_local < -30 ? -log_local : std::log1p(1 / local)) + tail * tail;
}

// Variances from the finite chain, by the Gaussian linear response; `tail`: TailVariance.
Variances ChainVariance(const JointModel& model, const ModelDraws& draws, const JointSample& sample, int64_t stride,
                        const Weights& joint, const Weights& own, const std::vector<float>& log_prob, double& tail,
                        double& local) {
  const int64_t d = model.d();
  const std::vector<double> lower = Cholesky(draws.covariance, d);
  std::vector<int> identity(d);
  for (int64_t j = 0; j < d; ++j) identity[j] = static_cast<int>(j);
  const Features of_joint = FeaturesOf(sample.x, stride, model.columns, draws.mean, lower, joint, joint.n());
  const Features of_own = FeaturesOf(draws.x, d, identity, draws.mean, lower, own, own.n());
  const double n = model.held_out().effective_size();
  tail = TailVariance(of_joint, log_prob, lower, joint, n, local);
  Variances variance;
  for (int64_t j = 0; j < d; ++j) {
    variance.AddSquares(Respond(of_joint.linear[j], joint.variance(), of_own.linear[j], own.variance()), 1 / n);
    for (int64_t l = 0; l <= j; ++l) {
      const int64_t e = j * d + l;
      variance.AddSquares(Respond(of_joint.quadratic[e], joint.variance(), of_own.quadratic[e], own.variance()),
                          (j == l ? 0.5 : 1) / n);
    }
  }
  return variance;
}

// How members differ: the variance over them of every statistic, and the mean square of h over the joint posterior and
// over the model.
struct MemberSpread {
  Variances variance;
  double square_at_joint = 0;
  double square_at_own = 0;
};

MemberSpread SpreadOf(size_t members, const ModelDraws& draws, const std::vector<float>& difference, size_t rows,
                      const Weights& joint, const Weights& own) {
  MemberSpread spread;
  std::vector<ByStatistic> responses;
  for (size_t m = 0; m < members; ++m) {
    Averages at_joint;
    Averages at_own;
    Averages square_joint;
    Averages square_own;
    for (size_t i = 0; i < joint.n(); ++i) {
      const double h = difference[m * rows + i];
      joint.Add(i, h, at_joint);
      joint.Add(i, h * h, square_joint);
    }
    for (size_t i = 0; i < own.n(); ++i) {
      const double h = draws.member[m * own.n() + i] - draws.log_prob[i];
      if (!std::isfinite(h)) continue;
      own.Add(i, h, at_own);
      own.Add(i, h * h, square_own);
    }
    spread.square_at_joint += square_joint.one / static_cast<double>(members);
    spread.square_at_own += square_own.one / static_cast<double>(members);
    // D_k and d_k are not averages over this density but cross-fitted: their members' part is their own.
    at_own = Averages();
    responses.push_back(Respond(at_joint, joint.variance(), at_own, 0));
  }
  ByStatistic mean{};
  const double count = static_cast<double>(members);
  for (const ByStatistic& response : responses) {
    for (int s = 0; s < kNumStatistics; ++s) mean[s] += response[s] / count;
  }
  for (ByStatistic& response : responses) {
    for (int s = 0; s < kNumStatistics; ++s) response[s] -= mean[s];
    spread.variance.AddSquares(response, 1 / (count - 1));
  }
  return spread;
}

// Averages over the rows themselves, from a finite number of draws.
Variances MonteCarloVariance(const JointSample& sample, const std::vector<ModelDraws>& draws) {
  const WeightedMoments moments = Moments(sample.log_l, sample.weight);
  Variances variance;
  for (int64_t i = 0; i < sample.n(); ++i) {
    const double w = sample.weight[i];
    const double g = sample.log_l[i] - moments.mean;
    ByStatistic influence{};
    influence[kLogR] = w - 1;
    influence[kLogS] = w * g;
    influence[kJointKl] = w * g - (w - 1);
    influence[kInformation] = influence[kJointKl];
    influence[kJointDimensionality] = 2 * w * (g * g - moments.variance);
    influence[kDimensionality] = influence[kJointDimensionality];
    variance.AddSquares(influence, 1 / (static_cast<double>(sample.n()) * static_cast<double>(sample.n())));
  }
  // log R and log L shift together with each norm, which cancels in all but log R and log S.
  for (const ModelDraws& model : draws) {
    variance.of[kLogR] += model.average.log_norm_error * model.average.log_norm_error;
    variance.of[kLogS] += model.average.log_norm_error * model.average.log_norm_error;
  }
  return variance;
}

}  // namespace

JointErrors ErrorsOf(const JointProblem& problem, const std::vector<ModelDraws>& draws, const JointSample& sample) {
  const int64_t d = problem.d();
  const int64_t models = static_cast<int64_t>(problem.models.size());
  const int64_t most = std::max<int64_t>(kMostProducts / (models * d * d), 100);
  const size_t rows = static_cast<size_t>(std::min({sample.n(), sample.member_rows, most}));
  const Weights joint(absl::MakeSpan(sample.weight).subspan(0, rows), absl::MakeSpan(sample.log_l).subspan(0, rows));
  JointErrors errors;
  double over_trained = 0;
  double over_trained_there = 0;
  for (size_t k = 0; k < problem.models.size(); ++k) {
    const JointModel& model = problem.models[k];
    std::vector<double> log_l(draws[k].log_prob.size());
    for (size_t i = 0; i < log_l.size(); ++i) {
      const double value = draws[k].log_prob[i] - draws[k].log_prior[i];
      log_l[i] = std::isfinite(value) ? value : 0;
    }
    const Weights own(draws[k].weight, log_l);
    double tail = 0;
    double local = 0;
    const Variances chain =
        ChainVariance(model, draws[k], sample, d, joint, own, sample.model_log_prob[k], tail, local);
    errors.local_rows.push_back(local);
    for (int s = 0; s < kNumStatistics; ++s) errors.chain[s] += chain.of[s];
    errors.log_s_dimensionality += chain.log_s_dimensionality;
    const double gap = std::fabs(model.held_out().in_sample_log_prob() - model.held_out().out_of_fold_log_prob()) / 2;
    double ratio = 1;
    if (model.members.size() > 1) {
      const double m = static_cast<double>(model.members.size());
      const MemberSpread spread = SpreadOf(model.members.size(), draws[k], sample.member_difference[k],
                                           static_cast<size_t>(sample.member_rows), joint, own);
      if (spread.square_at_own > 0) ratio = spread.square_at_joint / spread.square_at_own;
      // Members leave out one fold each: of the chain's own variance their spread holds M / (M - 1)^2.
      const double of_chain = m / ((m - 1) * (m - 1));
      for (int s = 0; s < kNumStatistics; ++s) {
        errors.member[s] += std::max(spread.variance.of[s] - of_chain * chain.of[s], 0.0);
      }
      errors.log_s_dimensionality += spread.variance.log_s_dimensionality - of_chain * chain.log_s_dimensionality;
    }
    for (const JointStatistic s : {kLogR, kLogS}) errors.approximation[s] += gap * gap * ratio * ratio;
    for (const JointStatistic s : {kLogR, kLogS, kInformation, kJointKl}) errors.approximation[s] += tail;
    for (const JointStatistic s : {kJointDimensionality, kDimensionality}) errors.approximation[s] += 4 * tail;
    over_trained += 2 * gap;
    over_trained_there += 2 * gap * std::max(ratio, 1.0);
  }
  // Unlike D_k, the joint KL is an average of densities over their own product: no rows tell what part of it is
  // training. So the whole gap between rows seen and not seen counts, and adds up over models, being of one sign. Noise
  // of variance v in log L raises a KL by v / 2 and a dimensionality by 2 v.
  for (const JointStatistic s : {kLogS, kInformation, kJointKl}) {
    errors.approximation[s] += over_trained_there * over_trained_there;
  }
  for (const JointStatistic s : {kJointDimensionality, kDimensionality}) {
    errors.approximation[s] += 16 * over_trained * over_trained;
  }
  const Variances of_draws = MonteCarloVariance(sample, draws);
  errors.monte_carlo = of_draws.of;
  errors.log_s_dimensionality += of_draws.log_s_dimensionality;
  for (ByStatistic* part : {&errors.chain, &errors.member, &errors.approximation, &errors.monte_carlo}) {
    for (double& value : *part) value = std::sqrt(value);
  }
  return errors;
}

}  // namespace creamery
