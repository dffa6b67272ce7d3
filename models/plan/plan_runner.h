// The forward and inverse passes of a plan over blocks of rows: the inside of the interpreter and of its gradient.
#ifndef CREAMERY_MODELS_PLAN_PLAN_RUNNER_H_
#define CREAMERY_MODELS_PLAN_PLAN_RUNNER_H_

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "models/plan/column_map.h"
#include "models/plan/layer_spline.h"
#include "models/plan/masked_network.h"
#include "models/plan/plan.h"
#include "proto/support/status_macros.h"
#include "proto/support/stop_token.h"

namespace creamery {

// What reverse mode needs of a forward pass, for each layer. Arrays are (layer, ..., lane).
struct ForwardRecord {
  std::vector<std::vector<double>> inputs;   // (d) by position
  std::vector<std::vector<double>> outputs;  // (d, outputs_per_position)
};

// Runs B rows at a time, a lane each, with the same operations in every lane: the bits do not depend on B.
// Arrays are (column, lane). Not thread-safe.
template <int B>
class PlanRunner {
 public:
  static constexpr int64_t kLanes = B;

  explicit PlanRunner(const Plan& plan) : plan_(plan), d_(plan.d()), y_(d_ * B), inputs_(d_ * B) {
    for (const AutoregressiveLayer& layer : plan.layers) networks_.emplace_back(layer);
  }

  // theta: (B, d) -> log_prob: (B,). Fills `record`, if there is one.
  void LogProb(const double* theta, double* log_prob, ForwardRecord* record = nullptr) {
    std::array<double, B> sum{};
    ToBase(theta, sum, record);
    if (plan_.layers[0].kind == AutoregressiveLayer::Kind::kAffine) {
      for (int64_t j = 0; j < d_; ++j) {
        for (int b = 0; b < B; ++b) sum[b] += NormalLogDensity(y_[j * B + b]);
      }
    }
    // So far out that float64 overflows, the density is zero.
    for (int b = 0; b < B; ++b) log_prob[b] = std::isfinite(sum[b]) ? sum[b] : -std::numeric_limits<double>::infinity();
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

  // After LogProb: the base's z, (d, B), and the networks with their hidden units.
  const std::vector<double>& base() const { return y_; }
  const MaskedNetwork<B>& network(size_t layer) const { return networks_[layer]; }

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
  void ToBase(const double* theta, std::array<double, B>& sum, ForwardRecord* record = nullptr) {
    for (int64_t j = 0; j < d_; ++j) {
      for (int b = 0; b < B; ++b) {
        const MappedValue mapped = MapForward(plan_.columns[j], theta[b * d_ + j]);
        y_[j * B + b] = mapped.y;
        sum[b] += mapped.ladj;
      }
    }
    Whiten(sum);
    for (size_t l = 0; l < networks_.size(); ++l) {
      double* outputs = record == nullptr ? nullptr : record->outputs[l].data();
      Advance(plan_.layers[l], networks_[l], sum, outputs);
      if (record != nullptr) record->inputs[l] = inputs_;
    }
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

  void Advance(const AutoregressiveLayer& layer, MaskedNetwork<B>& network, std::array<double, B>& sum,
               double* outputs) {
    const int64_t count = layer.outputs_per_position() * B;
    for (int64_t i = 0; i < d_; ++i) std::copy_n(&y_[layer.order[i] * B], B, &inputs_[i * B]);
    for (int64_t i = 0; i < d_; ++i) {
      network.AdvanceHidden(i, inputs_.data());
      const double* out = network.Outputs(i, inputs_.data());
      if (outputs != nullptr) std::copy_n(out, count, outputs + i * count);
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

// Calls run(runner, first row) for blocks of 16 rows, then for the rest one by one.
// Runner<B>: made from the plan.
template <template <int> class Runner, typename Run>
absl::Status RunRows(const Plan& plan, int64_t n, const StopToken& stop, const Run& run) {
  constexpr int64_t kRowsPerBlock = 16;
  int64_t row = 0;
  if (n >= kRowsPerBlock) {
    Runner<kRowsPerBlock> block(plan);
    for (; row + kRowsPerBlock <= n; row += kRowsPerBlock) {
      ABSL_RETURN_IF_ERROR(stop.Check());
      ABSL_RETURN_IF_ERROR(run(block, row));
    }
  }
  if (row == n) return absl::OkStatus();
  ABSL_RETURN_IF_ERROR(stop.Check());
  Runner<1> single(plan);
  for (; row < n; ++row) ABSL_RETURN_IF_ERROR(run(single, row));
  return absl::OkStatus();
}

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_PLAN_RUNNER_H_
