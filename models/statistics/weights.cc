#include "models/statistics/weights.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "models/random.h"
#include "models/statistics/scale.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Longer series are summed in blocks, which keeps their total and its variance, so that the lags stay affordable.
constexpr int64_t kLongestSeries = 1 << 15;

double WeightOf(absl::Span<const double> weight, size_t i) { return weight.empty() ? 1 : weight[i]; }

// The series of every chain, in blocks of `block` rows.
std::vector<std::vector<double>> SeriesByChain(const std::vector<double>& deviation, absl::Span<const int64_t> chain,
                                               size_t block) {
  std::map<int64_t, std::vector<double>> rows;
  for (size_t i = 0; i < deviation.size(); ++i) rows[chain.empty() ? 0 : chain[i]].push_back(deviation[i]);
  std::vector<std::vector<double>> series;
  for (const auto& entry : rows) {
    series.emplace_back();
    for (size_t i = 0; i < entry.second.size(); ++i) {
      if (i % block == 0) series.back().push_back(0);
      series.back().back() += entry.second[i];
    }
  }
  return series;
}

// sum over chains and rows of g_i g_{i + lag}.
double LaggedSum(const std::vector<std::vector<double>>& series, size_t lag) {
  double sum = 0;
  for (const std::vector<double>& g : series) {
    for (size_t i = 0; i + lag < g.size(); ++i) sum += g[i] * g[i + lag];
  }
  return sum;
}

}  // namespace

double KishSize(absl::Span<const double> weight) {
  if (const int exponent = ScaleExponent(weight); exponent != 0) return KishSize(TakeOut(exponent, weight));
  double sum = 0;
  double squares = 0;
  for (const double w : weight) {
    sum += w;
    squares += w * w;
  }
  return squares > 0 ? sum * sum / squares : 0;
}

WeightedMoments Moments(absl::Span<const double> value, absl::Span<const double> weight) {
  WeightedMoments moments;
  if (const int of_weight = ScaleExponent(weight); of_weight != 0) return Moments(value, TakeOut(of_weight, weight));
  if (const int of_value = ScaleExponent(value, weight); of_value != 0) {
    const WeightedMoments scaled = Moments(TakeOut(of_value, value), weight);
    moments.mean = std::ldexp(scaled.mean, of_value);
    moments.variance = std::ldexp(scaled.variance, 2 * of_value);
    moments.deviation = std::ldexp(scaled.deviation, of_value);
    return moments;
  }
  double total = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    if (WeightOf(weight, i) == 0) continue;  // however large the value is
    total += WeightOf(weight, i);
    moments.mean += WeightOf(weight, i) * value[i];
  }
  if (!(total > 0)) return {};
  moments.mean /= total;
  for (size_t i = 0; i < value.size(); ++i) {
    if (WeightOf(weight, i) == 0) continue;
    const double deviation = value[i] - moments.mean;
    moments.variance += WeightOf(weight, i) * deviation * deviation;
  }
  moments.variance /= total;
  moments.deviation = std::sqrt(moments.variance);
  return moments;
}

double ChainError(absl::Span<const double> value, absl::Span<const double> weight, absl::Span<const int64_t> chain) {
  if (const int exponent = ScaleExponent(weight); exponent != 0) {
    return ChainError(value, TakeOut(exponent, weight), chain);
  }
  if (const int exponent = ScaleExponent(value, weight); exponent != 0) {
    return std::ldexp(ChainError(TakeOut(exponent, value), weight, chain), exponent);
  }
  const double mean = Moments(value, weight).mean;
  double total = 0;
  std::vector<double> deviation(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    total += WeightOf(weight, i);
    deviation[i] = WeightOf(weight, i) * (value[i] - mean);
  }
  if (!(total > 0)) return 0;
  const size_t block = (value.size() + kLongestSeries - 1) / kLongestSeries;
  const std::vector<std::vector<double>> series = SeriesByChain(deviation, chain, std::max<size_t>(block, 1));
  size_t longest = 0;
  for (const auto& g : series) longest = std::max(longest, g.size());
  const double at_zero = LaggedSum(series, 0);
  double variance = -at_zero;
  double last_pair = kInfinity;
  for (size_t lag = 0; lag < longest; lag += 2) {
    const double even = lag == 0 ? at_zero : LaggedSum(series, lag);
    const double pair = std::min(even + LaggedSum(series, lag + 1), last_pair);
    if (pair <= 0) break;
    variance += 2 * pair;
    last_pair = pair;
  }
  // Anticorrelated rows: never below a hundredth of what independent rows would give.
  return std::sqrt(std::max(variance, 0.01 * at_zero)) / total;
}

double AutocorrelationSize(absl::Span<const double> value, absl::Span<const double> weight,
                           absl::Span<const int64_t> chain) {
  const double error = ChainError(value, weight, chain);
  if (!(error > 0)) return 0;
  const double ratio = Moments(value, weight).deviation / error;
  return ratio * ratio;
}

absl::StatusOr<NestedRun> NestedRun::Create(absl::Span<const double> log_likelihood,
                                            absl::Span<const double> log_likelihood_birth) {
  const size_t n = log_likelihood.size();
  if (n == 0 || log_likelihood_birth.size() != n) {
    return absl::InvalidArgumentError(absl::StrCat("a nested-sampling run needs log_likelihood and ",
                                                   "log_likelihood_birth of equal, positive length; given ", n, " and ",
                                                   log_likelihood_birth.size()));
  }
  for (size_t i = 0; i < n; ++i) {
    if (log_likelihood_birth[i] <= log_likelihood[i] && log_likelihood[i] < kInfinity) continue;
    return absl::InvalidArgumentError(absl::StrCat("row ", i, " has log_likelihood ", log_likelihood[i],
                                                   " and log_likelihood_birth ", log_likelihood_birth[i],
                                                   "; a point is born below the likelihood it dies at"));
  }
  NestedRun run;
  run.log_likelihood_.assign(log_likelihood.begin(), log_likelihood.end());
  run.order_.resize(n);
  std::iota(run.order_.begin(), run.order_.end(), int64_t{0});
  std::stable_sort(run.order_.begin(), run.order_.end(),
                   [&](int64_t a, int64_t b) { return log_likelihood[a] < log_likelihood[b]; });
  std::vector<double> births(log_likelihood_birth.begin(), log_likelihood_birth.end());
  std::sort(births.begin(), births.end());
  size_t born = 0;
  for (size_t i = 0; i < n; ++i) {
    // Alive as point i dies: born below its contour (or drawn from the whole prior), not dead yet.
    const double contour = log_likelihood[run.order_[i]];
    while (born < n && (births[born] < contour || births[born] == -kInfinity)) ++born;
    run.live_.push_back(born > i ? static_cast<double>(born - i) : 1);
  }
  return run;
}

std::vector<double> NestedRun::FromVolumes(const std::vector<double>& log_x) const {
  const size_t n = log_x.size();
  std::vector<double> log_weight(n);
  for (size_t i = 0; i < n; ++i) {
    const double before = i == 0 ? 0 : log_x[i - 1];
    const double after = i + 1 == n ? -kInfinity : log_x[i + 1];
    log_weight[order_[i]] = log_likelihood_[order_[i]] + before + std::log1p(-std::exp(after - before)) - std::log(2.0);
  }
  return log_weight;
}

std::vector<double> NestedRun::LogWeights() const {
  std::vector<double> log_x(live_.size());
  double sum = 0;
  for (size_t i = 0; i < live_.size(); ++i) log_x[i] = sum += std::log(live_[i] / (live_[i] + 1));
  return FromVolumes(log_x);
}

std::vector<double> NestedRun::LogWeights(uint64_t seed, uint64_t realisation) const {
  const RandomStream random(seed, RandomPurpose::kVolumes);
  std::vector<double> log_x(live_.size());
  double sum = 0;
  for (size_t i = 0; i < live_.size(); ++i) {
    log_x[i] = sum += std::log(random.Uniform(i, static_cast<uint32_t>(realisation))) / live_[i];
  }
  return FromVolumes(log_x);
}

NestedRun::Summary NestedRun::Summarize() const {
  const std::vector<double> log_weight = LogWeights();
  const double largest = *std::max_element(log_weight.begin(), log_weight.end());
  double sum = 0;
  for (const double w : log_weight) sum += std::exp(w - largest);
  Summary summary;
  summary.log_z = largest + std::log(sum);
  const std::vector<double> weight = MeanOneWeights(log_weight);
  std::vector<double> value;
  std::vector<double> kept;
  for (size_t i = 0; i < weight.size(); ++i) {
    if (weight[i] == 0) continue;  // log L may be -inf there
    value.push_back(log_likelihood_[i] - summary.log_z);
    kept.push_back(weight[i]);
  }
  const WeightedMoments moments = Moments(value, kept);
  summary.kl = moments.mean;
  summary.dimensionality = 2 * moments.variance;
  return summary;
}

std::vector<double> MeanOneWeights(absl::Span<const double> log_weight) {
  std::vector<double> weight(log_weight.size(), 0);
  if (log_weight.empty()) return weight;
  const double largest = *std::max_element(log_weight.begin(), log_weight.end());
  if (!std::isfinite(largest)) return weight;
  double sum = 0;
  for (size_t i = 0; i < weight.size(); ++i) sum += weight[i] = std::exp(log_weight[i] - largest);
  const double scale = static_cast<double>(weight.size()) / sum;
  for (double& w : weight) w *= scale;
  return weight;
}

}  // namespace creamery
