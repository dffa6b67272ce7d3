#include "models/statistics/joint_average.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Over-training is a matter of per cent; a temperature beyond these says that held-out rows and draws are of different
// things, which no temperature mends.
constexpr double kLeastTemperature = 0.8;
constexpr double kMostTemperature = 1.1;

double MeanOverMembers(absl::Span<const double> member, size_t members, size_t n, size_t i) {
  double sum = 0;
  for (size_t m = 0; m < members; ++m) sum += member[m * n + i];
  const double mean = sum / static_cast<double>(members);
  return mean < kInfinity ? mean : -kInfinity;  // a NaN of -inf and +inf is no density either
}

double LogMixture(absl::Span<const double> member, size_t members, size_t n, size_t i) {
  double largest = -kInfinity;
  for (size_t m = 0; m < members; ++m) largest = std::max(largest, member[m * n + i]);
  if (largest == -kInfinity) return -kInfinity;
  double sum = 0;
  for (size_t m = 0; m < members; ++m) sum += std::exp(member[m * n + i] - largest);
  return largest + std::log(sum / static_cast<double>(members));
}

// The mean of a function over draws, freed of its regression on the control, and its standard error.
struct MeanWithError {
  double mean;
  double error;
};
MeanWithError ControlledMean(const std::vector<double>& value, const std::vector<double>& control) {
  const double n = static_cast<double>(value.size());
  double mean = 0;
  double of_control = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    mean += value[i] / n;
    if (!control.empty()) of_control += control[i] / n;
  }
  double variance = 0;
  double both = 0;
  double squares = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    variance += (value[i] - mean) * (value[i] - mean) / n;
    if (control.empty()) continue;
    both += (value[i] - mean) * (control[i] - of_control) / n;
    squares += (control[i] - of_control) * (control[i] - of_control) / n;
  }
  const double slope = squares > 0 ? both / squares : 0;
  return {mean - slope * of_control, std::sqrt(std::max(variance - slope * both, 0.0) / n)};
}

class Fit {
 public:
  Fit(const AverageInput& input, const std::vector<double>& mean_log, const std::vector<double>& log_mixture)
      : held_out_(input.held_out_log_prob),
        control_(input.whole ? input.control : std::vector<double>()),
        mean_log_(mean_log),
        log_mixture_(log_mixture) {}

  double LogWeight(double t, size_t i) const {
    return mean_log_[i] == -kInfinity ? -kInfinity : t * mean_log_[i] - log_mixture_[i];
  }

  // Mean of the weights at temperature t, scaled by exp(-held_out (t - 1)) to stay near 1.
  MeanWithError Norm(double t) const {
    std::vector<double> value(mean_log_.size());
    for (size_t i = 0; i < value.size(); ++i) value[i] = Weight(t, i);
    return ControlledMean(value, control_);
  }

  // Mean of weight times (mean log P_m - held-out mean), which is 0 at the right temperature; falls with -log P's
  // width.
  MeanWithError Excess(double t) const {
    std::vector<double> value(mean_log_.size());
    for (size_t i = 0; i < value.size(); ++i) {
      const double weight = Weight(t, i);
      value[i] = weight > 0 ? weight * (mean_log_[i] - held_out_) : 0;
    }
    return ControlledMean(value, control_);
  }

  double held_out() const { return held_out_; }

 private:
  double Weight(double t, size_t i) const { return std::exp(LogWeight(t, i) - held_out_ * (t - 1)); }

  double held_out_;
  std::vector<double> control_;
  const std::vector<double>& mean_log_;
  const std::vector<double>& log_mixture_;
};

// Excess rises with t: a higher power is narrower and has the larger mean log P.
double Temperature(const Fit& fit) {
  double low = kLeastTemperature;
  double high = kMostTemperature;
  if (fit.Excess(low).mean >= 0) return low;
  if (fit.Excess(high).mean <= 0) return high;
  for (int i = 0; i < 40; ++i) (fit.Excess((low + high) / 2).mean < 0 ? low : high) = (low + high) / 2;
  return (low + high) / 2;
}

}  // namespace

double MemberAverage::LogProb(const std::vector<double>& member, size_t members, size_t n, size_t i) const {
  const double mean = MeanOverMembers(member, members, n, i);
  return mean == -kInfinity ? -kInfinity : temperature * mean - log_norm;
}

absl::StatusOr<MemberAverage> FitAverage(const AverageInput& input, std::vector<double>& log_prob,
                                         std::vector<double>& log_weight) {
  const size_t members = static_cast<size_t>(input.members);
  const size_t n = input.member.size() / members;
  std::vector<double> mean_log(n);
  std::vector<double> log_mixture(n);
  for (size_t i = 0; i < n; ++i) {
    mean_log[i] = MeanOverMembers(input.member, members, n, i);
    log_mixture[i] = LogMixture(input.member, members, n, i);
  }
  const Fit fit(input, mean_log, log_mixture);
  MemberAverage average;
  average.temperature = Temperature(fit);
  const double t = average.temperature;
  const MeanWithError norm = fit.Norm(t);
  if (!(norm.mean > 0)) return absl::FailedPreconditionError("the members of a model do not overlap");
  const MeanWithError excess = fit.Excess(t);
  const double step = 1e-3;
  const double slope = (fit.Excess(t + step).mean - fit.Excess(t - step).mean) / (2 * step);
  average.temperature_error = slope > 0 ? excess.error / slope : 0;
  average.mean_log_prob = fit.held_out() + excess.mean / norm.mean;
  average.log_norm = std::log(norm.mean) + fit.held_out() * (t - 1);
  average.log_norm_error = norm.error / norm.mean;
  log_prob.resize(n);
  log_weight.resize(n);
  for (size_t i = 0; i < n; ++i) {
    log_prob[i] = mean_log[i] == -kInfinity ? -kInfinity : t * mean_log[i] - average.log_norm;
    log_weight[i] = fit.LogWeight(t, i);
  }
  return average;
}

}  // namespace creamery
