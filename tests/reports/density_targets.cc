#include "tests/reports/density_targets.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/random.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

double Square(double x) { return x * x; }

double TwoMoons(double x, double y) {
  return -0.5 * Square((std::hypot(x, y) - 2) / 0.2) - 0.5 * Square((std::abs(x) - 2) / 0.3) +
         std::log1p(std::exp(-4 * std::abs(x) / 0.09));
}

double Rings(double x, double y) {
  const double r = std::hypot(x, y);
  return std::log(std::exp(-0.5 * Square((r - 1) / 0.125)) + std::exp(-0.5 * Square((r - 2) / 0.125)));
}

double Circle(double x, double y) {
  const double width = 2.0 / 3 * std::sin(M_PI / 8);
  double sum = 0;
  for (int k = 0; k < 8; ++k) {
    sum += std::exp(
        -0.5 * (Square((x - 2 * std::cos(k * M_PI / 4)) / width) + Square((y - 2 * std::sin(k * M_PI / 4)) / width)));
  }
  return std::log(sum);
}

// y ~ N(0, 1), x ~ N(0, exp(y)): Neal's funnel with a neck that a square still holds.
double Funnel(double x, double y) { return -0.5 * y * y - y - 0.5 * Square(x * std::exp(-y)); }

constexpr double kTriesPerRow = 2000;

}  // namespace

absl::Span<const DensityTarget> DensityTargets() {
  static const DensityTarget kTargets[] = {
      {"two_moons", &TwoMoons, std::log(2.0), 4},
      {"rings", &Rings, std::log(2.0), 3.5},
      {"circle", &Circle, std::log(2.0), 4.5},
      {"funnel", &Funnel, 0, 0},
  };
  return kTargets;
}

std::vector<double> DrawRows(const DensityTarget& target, int64_t n, uint64_t seed) {
  const RandomStream stream(seed, RandomPurpose::kSample);
  std::vector<double> rows;
  if (target.half_width == 0) {  // the funnel, directly
    for (int64_t i = 0; i < n; ++i) {
      const double y = stream.Normal(i, 0);
      rows.push_back(std::exp(y) * stream.Normal(i, 1));
      rows.push_back(y);
    }
    return rows;
  }
  const auto tries = static_cast<int64_t>(kTriesPerRow * static_cast<double>(n));
  for (int64_t i = 0; i < tries && static_cast<int64_t>(rows.size()) < 2 * n; ++i) {
    const double x = target.half_width * (2 * stream.Uniform(i, 0) - 1);
    const double y = target.half_width * (2 * stream.Uniform(i, 1) - 1);
    if (std::log(stream.Uniform(i, 2)) + target.log_bound > target.log_density(x, y)) continue;
    rows.push_back(x);
    rows.push_back(y);
  }
  return rows;
}

double LogConstant(const DensityTarget& target) {
  if (target.half_width == 0) return std::log(2 * M_PI);
  constexpr int kPoints = 3000;
  const double step = 2 * target.half_width / kPoints;
  double sum = 0;
  for (int i = 0; i < kPoints; ++i) {
    for (int k = 0; k < kPoints; ++k) {
      sum += std::exp(target.log_density((i + 0.5) * step - target.half_width, (k + 0.5) * step - target.half_width));
    }
  }
  return std::log(sum * step * step);
}

TrainingInput TargetInput(const DensityTarget& target, int64_t n, const v1::EstimatorSpec& spec, uint64_t seed) {
  TrainingInput input;
  input.job.set_name("projects/p/jobs/1");
  input.dataset.set_row_kind(v1::INDEPENDENT);
  input.dataset.add_parameters()->set_name("x");
  input.dataset.add_parameters()->set_name("y");
  input.rows.theta = DrawRows(target, n, seed);
  input.rows.num_rows = static_cast<int64_t>(input.rows.theta.size()) / 2;
  input.dataset.set_num_rows(input.rows.num_rows);
  *input.job.mutable_training()->mutable_spec() = spec;
  return input;
}

Divergence TrueDivergence(const DensityTarget& target, absl::Span<const double> rows, absl::Span<const double> log_q) {
  const double log_constant = LogConstant(target);
  const auto n = static_cast<double>(log_q.size());
  double sum = 0;
  double squares = 0;
  for (size_t i = 0; i < log_q.size(); ++i) {
    const double difference = target.log_density(rows[2 * i], rows[2 * i + 1]) - log_constant - log_q[i];
    sum += difference;
    squares += difference * difference;
  }
  return {sum / n, std::sqrt((squares / n - Square(sum / n)) / n)};
}

absl::StatusOr<std::vector<double>> MixtureLogProb(absl::Span<const Density* const> members,
                                                   absl::Span<const double> rows) {
  std::vector<double> mixture;
  for (const Density* member : members) {
    std::vector<double> log_q(rows.size() / member->num_parameters());
    ABSL_RETURN_IF_ERROR(member->LogProb(rows, absl::MakeSpan(log_q), StopToken()));
    if (mixture.empty()) mixture.assign(log_q.size(), -std::numeric_limits<double>::infinity());
    for (size_t i = 0; i < log_q.size(); ++i) {
      const double larger = std::max(mixture[i], log_q[i]);
      if (std::isfinite(larger)) {
        mixture[i] = larger + std::log(std::exp(mixture[i] - larger) + std::exp(log_q[i] - larger));
      }
    }
  }
  for (double& value : mixture) value -= std::log(static_cast<double>(members.size()));
  return mixture;
}

}  // namespace creamery
