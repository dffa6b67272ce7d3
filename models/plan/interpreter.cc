#include "models/plan/interpreter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "models/plan/column_map.h"
#include "models/plan/masked_network.h"
#include "models/plan/row_status.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kRowsPerBlock = 16;
constexpr int64_t kRowsPerCheck = 256;

double Softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

// Knots from K unconstrained numbers; the ends are exactly 0 and 1.
void FillKnots(const double* raw, int64_t stride, int64_t bins, std::vector<double>& knots) {
  knots.resize(bins + 1);
  double largest = raw[0];
  for (int64_t k = 1; k < bins; ++k) largest = std::max(largest, raw[k * stride]);
  double total = 0;
  for (int64_t k = 0; k < bins; ++k) {
    knots[k + 1] = std::exp(raw[k * stride] - largest);
    total += knots[k + 1];
  }
  const double spread = 1 - static_cast<double>(bins) * AutoregressiveLayer::kMinBin;
  knots[0] = 0;
  for (int64_t k = 0; k < bins; ++k) {
    knots[k + 1] = knots[k] + AutoregressiveLayer::kMinBin + spread * (knots[k + 1] / total);
  }
  knots[bins] = 1;
}

// raw: 3 K + 1 numbers, `stride` apart.
void FillSpline(const double* raw, int64_t stride, int64_t bins, SplineKnots& spline) {
  static const double kSlopeOffset = std::log(std::expm1(1 - AutoregressiveLayer::kMinSlope));
  FillKnots(raw, stride, bins, spline.x);
  FillKnots(raw + bins * stride, stride, bins, spline.y);
  spline.slope.resize(bins + 1);
  for (int64_t k = 0; k <= bins; ++k) {
    spline.slope[k] = AutoregressiveLayer::kMinSlope + Softplus(raw[(2 * bins + k) * stride] + kSlopeOffset);
  }
}

// Runs B rows at a time, a lane each, with the same operations in every lane: the bits do not depend on B.
// Arrays are (column, lane).
template <int B>
class PlanRunner {
 public:
  static constexpr int64_t kLanes = B;

  explicit PlanRunner(const Plan& plan) : plan_(plan), d_(plan.d()), y_(d_ * B), inputs_(d_ * B) {
    for (const AutoregressiveLayer& layer : plan.layers) networks_.emplace_back(layer);
  }

  void LogProb(const double* theta, double* log_prob) {
    std::array<double, B> sum{};
    ToBase(theta, sum);
    if (plan_.layers[0].kind == AutoregressiveLayer::Kind::kAffine) {
      for (int64_t j = 0; j < d_; ++j) {
        for (int b = 0; b < B; ++b) sum[b] += NormalLogDensity(y_[j * B + b]);
      }
    }
    // So far out that float64 overflows, the density is zero.
    for (int b = 0; b < B; ++b) log_prob[b] = std::isfinite(sum[b]) ? sum[b] : -kInfinity;
  }

  // The first lane outside the support, where `u` is of no use; B if there is none.
  int64_t Forward(const double* theta, double* u) {
    std::array<double, B> sum{};
    ToBase(theta, sum);
    const bool normal = plan_.layers[0].kind == AutoregressiveLayer::Kind::kAffine;
    for (int64_t j = 0; j < d_; ++j) {
      for (int b = 0; b < B; ++b) {
        const double z = y_[j * B + b];
        if (normal) sum[b] += NormalLogDensity(z);
        u[b * d_ + j] = std::clamp(normal ? NormalCdf(z) : z, std::numeric_limits<double>::min(), 1 - 0x1p-53);
      }
    }
    for (int b = 0; b < B; ++b) {
      if (!std::isfinite(sum[b])) return b;
    }
    return B;
  }

  void Inverse(const double* u, double* theta) {
    const bool normal = plan_.layers[0].kind == AutoregressiveLayer::Kind::kAffine;
    for (int64_t j = 0; j < d_; ++j) {
      for (int b = 0; b < B; ++b) {
        const double inside = std::clamp(u[b * d_ + j], std::numeric_limits<double>::min(), 1 - 0x1p-53);
        y_[j * B + b] = normal ? NormalQuantile(inside) : inside;
      }
    }
    for (size_t l = networks_.size(); l-- > 0;) Backward(plan_.layers[l], networks_[l]);
    Unwhiten();
    for (int64_t j = 0; j < d_; ++j) {
      for (int b = 0; b < B; ++b) theta[b * d_ + j] = MapInverse(plan_.columns[j], y_[j * B + b]);
    }
  }

 private:
  // theta to the base's z, in y_; adds log |det dz/dtheta| to `sum`.
  void ToBase(const double* theta, std::array<double, B>& sum) {
    for (int64_t j = 0; j < d_; ++j) {
      for (int b = 0; b < B; ++b) {
        const MappedValue mapped = MapForward(plan_.columns[j], theta[b * d_ + j]);
        y_[j * B + b] = mapped.y;
        sum[b] += mapped.ladj;
      }
    }
    Whiten(sum);
    for (size_t l = 0; l < networks_.size(); ++l) Advance(plan_.layers[l], networks_[l], sum);
  }

  void Whiten(std::array<double, B>& sum) {
    if (plan_.whitening.empty()) return;
    for (int64_t i = d_; i-- > 0;) {  // from the last row up, so that y' can take the place of y
      const double* row = &plan_.whitening[i * d_];
      const double log_diagonal = std::log(row[i]);
      for (int b = 0; b < B; ++b) {
        double value = 0;
        for (int64_t j = 0; j <= i; ++j) value += row[j] * y_[j * B + b];
        y_[i * B + b] = value;
        sum[b] += log_diagonal;
      }
    }
  }

  void Unwhiten() {
    if (plan_.whitening.empty()) return;
    for (int64_t i = 0; i < d_; ++i) {
      const double* row = &plan_.whitening[i * d_];
      for (int b = 0; b < B; ++b) {
        double value = y_[i * B + b];
        for (int64_t j = 0; j < i; ++j) value -= row[j] * y_[j * B + b];
        y_[i * B + b] = value / row[i];
      }
    }
  }

  void Advance(const AutoregressiveLayer& layer, MaskedNetwork<B>& network, std::array<double, B>& sum) {
    for (int64_t i = 0; i < d_; ++i) std::copy_n(&y_[layer.order[i] * B], B, &inputs_[i * B]);
    for (int64_t i = 0; i < d_; ++i) {
      network.AdvanceHidden(i, inputs_.data());
      const double* out = network.Outputs(i, inputs_.data());
      double* y = &y_[layer.order[i] * B];
      for (int b = 0; b < B; ++b) {
        if (layer.kind == AutoregressiveLayer::Kind::kAffine) {
          y[b] = (y[b] - out[b]) * std::exp(-out[B + b]);
          sum[b] -= out[B + b];
        } else {
          FillSpline(out + b, B, layer.bins, spline_);
          const MappedValue mapped = SplineForward(spline_, y[b]);
          y[b] = std::clamp(mapped.y, 0.0, 1.0);
          sum[b] += mapped.ladj;
        }
      }
    }
  }

  void Backward(const AutoregressiveLayer& layer, MaskedNetwork<B>& network) {
    for (int64_t i = 0; i < d_; ++i) {
      network.AdvanceHidden(i, inputs_.data());
      const double* out = network.Outputs(i, inputs_.data());
      double* y = &y_[layer.order[i] * B];
      for (int b = 0; b < B; ++b) {
        if (layer.kind == AutoregressiveLayer::Kind::kAffine) {
          y[b] = y[b] * std::exp(out[B + b]) + out[b];
          // Beyond float64: somewhere far out, where MapInverse still finds a place inside the bounds.
          if (!std::isfinite(y[b])) y[b] = std::isnan(y[b]) ? 0 : std::copysign(1e300, y[b]);
        } else {
          FillSpline(out + b, B, layer.bins, spline_);
          y[b] = std::clamp(SplineInverse(spline_, y[b]), 0.0, 1.0);
        }
        inputs_[i * B + b] = y[b];
      }
    }
  }

  const Plan& plan_;
  const int64_t d_;
  std::vector<MaskedNetwork<B>> networks_;
  std::vector<double> y_;
  std::vector<double> inputs_;  // of the layer at work, by position
  SplineKnots spline_;
};

// Calls run(runner, first row) for blocks of kRowsPerBlock rows, then for the rest one by one.
template <typename Run>
absl::Status RunRows(const Plan& plan, int64_t n, const StopToken& stop, const Run& run) {
  int64_t row = 0;
  if (n >= kRowsPerBlock) {
    PlanRunner<kRowsPerBlock> block(plan);
    for (; row + kRowsPerBlock <= n; row += kRowsPerBlock) {
      if (row % kRowsPerCheck == 0) ABSL_RETURN_IF_ERROR(stop.Check());
      ABSL_RETURN_IF_ERROR(run(block, row));
    }
  }
  if (row == n) return absl::OkStatus();
  ABSL_RETURN_IF_ERROR(stop.Check());
  PlanRunner<1> single(plan);
  for (; row < n; ++row) ABSL_RETURN_IF_ERROR(run(single, row));
  return absl::OkStatus();
}

}  // namespace

absl::Status PlanLogProb(const Plan& plan, absl::Span<const double> theta, absl::Span<double> log_prob,
                         const StopToken& stop) {
  const int64_t n = static_cast<int64_t>(log_prob.size());
  const int64_t d = plan.d();
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  return RunRows(plan, n, stop, [&](auto& runner, int64_t row) {
    runner.LogProb(theta.data() + row * d, log_prob.data() + row);
    return absl::OkStatus();
  });
}

absl::Status PlanInverse(const Plan& plan, absl::Span<const double> u, absl::Span<double> theta,
                         const StopToken& stop) {
  const int64_t d = plan.d();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  return RunRows(plan, n, stop, [&](auto& runner, int64_t row) {
    runner.Inverse(u.data() + row * d, theta.data() + row * d);
    return absl::OkStatus();
  });
}

absl::Status PlanForward(const Plan& plan, absl::Span<const double> theta, absl::Span<double> u,
                         const StopToken& stop) {
  const int64_t d = plan.d();
  const int64_t n = static_cast<int64_t>(u.size()) / d;
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), n, d));
  return RunRows(plan, n, stop, [&](auto& runner, int64_t row) {
    const int64_t lane = runner.Forward(theta.data() + row * d, u.data() + row * d);
    return lane == runner.kLanes ? absl::OkStatus() : OutsideSupport(row + lane);
  });
}

}  // namespace creamery
