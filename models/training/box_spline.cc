#include "models/training/box_spline.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int kSteps = 300;
constexpr double kFirstStep = 0.1;
constexpr int64_t kPoints = 1000;
constexpr double kRowsPerBin = 100;

struct Points {
  std::vector<double> u;
  std::vector<double> weight;  // sums to 1
};

// Neighbours merged into at most about kPoints points of equal weight: far finer than any bin.
Points Compress(absl::Span<const double> u, absl::Span<const double> weight) {
  std::vector<size_t> order(u.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return u[a] < u[b]; });
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  Points points;
  double sum = 0;
  double moment = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    sum += weight[order[i]];
    moment += weight[order[i]] * u[order[i]];
    if (sum * kPoints < total && i + 1 < order.size()) continue;
    if (sum > 0) {
      points.u.push_back(std::clamp(moment / sum, 0.0, 1.0));
      points.weight.push_back(sum / total);
    }
    sum = moment = 0;
  }
  return points;
}

// The spline of unconstrained numbers, as AutoregressiveLayer says: widths, heights and slopes.
struct Spline {
  Spline(const std::vector<double>& raw, int64_t bins) : bins(bins) {
    Sizes(raw, 0, width_share, width);
    Sizes(raw, bins, height_share, height);
    const double offset = std::log(std::expm1(1 - AutoregressiveLayer::kMinSlope));
    for (int64_t k = 0; k <= bins; ++k) {
      const double e = std::exp(raw[2 * bins + k] + offset);
      slope.push_back(AutoregressiveLayer::kMinSlope + std::log1p(e));
      sigmoid.push_back(e / (1 + e));
    }
    x = Ends(width);
    y = Ends(height);
  }

  int64_t bins;
  std::vector<double> width_share, height_share;  // softmax
  std::vector<double> width, height, slope;
  std::vector<double> sigmoid;  // derivative of the slopes
  std::vector<double> x, y;     // knots, the ends exactly 0 and 1

 private:
  static constexpr double kMinBin = AutoregressiveLayer::kMinBin;

  void Sizes(const std::vector<double>& raw, int64_t first, std::vector<double>& share,
             std::vector<double>& size) const {
    double total = 0;
    for (int64_t k = 0; k < bins; ++k) total += std::exp(raw[first + k]);
    for (int64_t k = 0; k < bins; ++k) {
      share.push_back(std::exp(raw[first + k]) / total);
      size.push_back(kMinBin + (1 - static_cast<double>(bins) * kMinBin) * share.back());
    }
  }

  static std::vector<double> Ends(const std::vector<double>& size) {
    std::vector<double> knots{0};
    for (const double s : size) knots.push_back(knots.back() + s);
    knots.back() = 1;
    return knots;
  }
};

// Gradient of a function of softmax's results, times what they are multiplied with -> of its arguments.
void SoftmaxGradient(const std::vector<double>& share, const std::vector<double>& of_size, double* gradient) {
  const double scale = 1 - static_cast<double>(share.size()) * AutoregressiveLayer::kMinBin;
  const double mean = std::inner_product(share.begin(), share.end(), of_size.begin(), 0.0);
  for (size_t k = 0; k < share.size(); ++k) gradient[k] = scale * share[k] * (of_size[k] - mean);
}

// Gradient of -sum weight log dy/du with respect to the unconstrained numbers. With s = height / width, xi the place in
// the bin from 0 to 1 and p = xi (1 - xi), log dy/du = log(s^2 N / D^2) with D and N as in Durkan et al. 2019, eq. 5.
std::vector<double> Gradient(const Spline& spline, const Points& points) {
  const int64_t bins = spline.bins;
  std::vector<double> of_width(bins, 0.0);
  std::vector<double> of_x_end(bins, 0.0);
  std::vector<double> of_height(bins, 0.0);
  std::vector<double> gradient(3 * bins + 1, 0.0);
  double* of_slope = &gradient[2 * bins];
  int64_t k = 0;
  for (size_t i = 0; i < points.u.size(); ++i) {
    while (k + 1 < bins && points.u[i] >= spline.x[k + 1]) ++k;
    const double inverse_width = 1 / spline.width[k];
    const double s = spline.height[k] * inverse_width;
    const double xi = std::clamp((points.u[i] - spline.x[k + 1]) * inverse_width + 1, 0.0, 1.0);
    const double rest = 1 - xi;
    const double p = xi * rest;
    const double slope0 = spline.slope[k];
    const double slope1 = spline.slope[k + 1];
    const double curve = slope0 + slope1 - 2 * s;
    const double of_d = 2 * points.weight[i] / (s + curve * p);
    const double of_n = -points.weight[i] / (slope1 * xi * xi + 2 * s * p + slope0 * rest * rest);
    const double of_s = of_d * (1 - 2 * p) + 2 * of_n * p - 2 * points.weight[i] / s;
    const double of_p = of_d * curve + 2 * of_n * s;
    const double of_xi = 2 * of_n * (slope1 * xi - slope0 * rest) + of_p * (rest - xi);
    of_slope[k] += of_d * p + of_n * rest * rest;
    of_slope[k + 1] += of_d * p + of_n * xi * xi;
    of_height[k] += of_s * inverse_width;
    of_width[k] += (of_xi * rest - of_s * s) * inverse_width;
    of_x_end[k] -= of_xi * inverse_width;
  }
  double beyond = 0;  // a width moves the ends of its bin and of all bins after it
  for (int64_t j = bins - 1; j >= 0; --j) of_width[j] += beyond += of_x_end[j];
  SoftmaxGradient(spline.width_share, of_width, &gradient[0]);
  SoftmaxGradient(spline.height_share, of_height, &gradient[bins]);
  for (int64_t j = 0; j <= bins; ++j) of_slope[j] *= spline.sigmoid[j];
  return gradient;
}

}  // namespace

absl::StatusOr<SplineKnots> FitBoxSpline(absl::Span<const double> u, absl::Span<const double> weight,
                                         double effective_rows, const StopToken& stop) {
  const Points points = Compress(u, weight);
  const int64_t bins = static_cast<int64_t>(std::clamp(effective_rows / kRowsPerBin, 4.0, 16.0));
  const int64_t size = 3 * bins + 1;
  std::vector<double> raw(size, 0.0);
  std::vector<double> first(size, 0.0);
  std::vector<double> second(size, 0.0);
  for (int step = 1; step <= kSteps; ++step) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    const std::vector<double> gradient = Gradient(Spline(raw, bins), points);
    // The step falls to nothing along a cosine, so that the end is the optimum and not a walk around it.
    const double rate = kFirstStep * 0.5 * (1 + std::cos(M_PI * (step - 1) / kSteps));
    for (int64_t k = 0; k < size; ++k) {
      first[k] = 0.9 * first[k] + 0.1 * gradient[k];
      second[k] = 0.99 * second[k] + 0.01 * gradient[k] * gradient[k];
      const double scale = std::sqrt(second[k] / (1 - std::pow(0.99, step))) + 1e-8;
      raw[k] -= rate / (1 - std::pow(0.9, step)) * first[k] / scale;
    }
  }
  const Spline spline(raw, bins);
  return SplineKnots{spline.x, spline.y, spline.slope};
}

}  // namespace creamery
