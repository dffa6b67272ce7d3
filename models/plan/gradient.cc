#include "models/plan/gradient.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "models/plan/plan_runner.h"
#include "models/plan/row_status.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// B rows at a time, a lane each. Arrays are (column, lane) unless said otherwise; "adjoint" of a quantity is the
// derivative of log_prob by it. Not thread-safe.
template <int B>
class GradientRunner {
 public:
  explicit GradientRunner(const Plan& plan) : plan_(plan), d_(plan.d()), runner_(plan), adjoint_(d_ * B) {
    for (const AutoregressiveLayer& layer : plan.layers) {
      record_.inputs.emplace_back(d_ * B);
      record_.outputs.emplace_back(d_ * layer.outputs_per_position() * B);
    }
  }

  // theta: (B, d) -> log_prob: (B,), gradient: (B, d).
  void Run(const double* theta, double* log_prob, double* gradient) {
    runner_.LogProb(theta, log_prob, &record_);
    const bool normal = plan_.layers[0].kind == AutoregressiveLayer::Kind::kAffine;
    for (int64_t i = 0; i < d_ * B; ++i) adjoint_[i] = normal ? -runner_.base()[i] : 0;
    for (size_t l = plan_.layers.size(); l-- > 0;) BackThroughLayer(l);
    BackThroughWhitening();
    for (int64_t j = 0; j < d_; ++j) {
      for (int b = 0; b < B; ++b) {
        double& out = gradient[b * d_ + j];
        out = 0;
        if (log_prob[b] == -std::numeric_limits<double>::infinity()) continue;
        const MappedSlope mapped = MapForwardSlope(plan_.columns[j], theta[b * d_ + j]);
        out = adjoint_[j * B + b] * mapped.slope + mapped.ladj_slope;
        if (std::isnan(out)) out = 0;  // beyond float64, within a rounding of a bound
      }
    }
  }

 private:
  // adjoint_ of the layer's output becomes that of its input.
  void BackThroughLayer(size_t l) {
    const AutoregressiveLayer& layer = plan_.layers[l];
    const int64_t count = layer.outputs_per_position();
    output_adjoint_.resize(d_ * count * B);
    input_adjoint_.resize(d_ * B);
    for (int64_t i = 0; i < d_; ++i) {
      const double* inputs = &record_.inputs[l][i * B];
      const double* outputs = &record_.outputs[l][i * count * B];
      double* output_adjoint = &output_adjoint_[i * count * B];
      for (int b = 0; b < B; ++b) {
        const double z_adjoint = adjoint_[layer.order[i] * B + b];
        double& input_adjoint = input_adjoint_[i * B + b];
        if (layer.kind == AutoregressiveLayer::Kind::kAffine) {
          const double scaled = z_adjoint * std::exp(-outputs[B + b]);
          input_adjoint = scaled;
          output_adjoint[b] = -scaled;
          output_adjoint[B + b] = -scaled * (inputs[b] - outputs[b]) - 1;
        } else {
          FillSpline(outputs + b, B, layer.bins, spline_);
          input_adjoint = SplineAdjoint(outputs + b, B, spline_, inputs[b], z_adjoint, output_adjoint + b);
        }
      }
    }
    BackThroughNetwork(layer, runner_.network(l));
    for (int64_t i = 0; i < d_; ++i) std::copy_n(&input_adjoint_[i * B], B, &adjoint_[layer.order[i] * B]);
  }

  // Adds to input_adjoint_ what the inputs do through the network.
  void BackThroughNetwork(const AutoregressiveLayer& layer, const MaskedNetwork<B>& network) {
    const int64_t count = layer.outputs_per_position();
    const size_t num_hidden = layer.degrees.size();
    if (num_hidden == 0) {
      for (int64_t row = 0; row < d_ * count; ++row) {
        AddRow(layer.network[0], row, row / count, output_adjoint_, input_adjoint_);
      }
      return;
    }
    hidden_adjoint_.assign(layer.degrees.back().size() * B, 0);
    for (int64_t row = 0; row < d_ * count; ++row) {
      AddRow(layer.network.back(), row, network.Known(num_hidden - 1, row / count), output_adjoint_, hidden_adjoint_);
    }
    for (size_t h = num_hidden; h-- > 0;) {
      const std::vector<double>& value = network.hidden(h);
      for (size_t i = 0; i < value.size(); ++i) hidden_adjoint_[i] *= 1 - value[i] * value[i];  // tanh' = 1 - tanh^2
      const std::vector<int64_t>& degrees = layer.degrees[h];
      if (h > 0) below_adjoint_.assign(layer.degrees[h - 1].size() * B, 0);
      for (size_t unit = 0; unit < degrees.size(); ++unit) {
        const int64_t seen = h > 0 ? network.Known(h - 1, degrees[unit]) : degrees[unit];
        AddRow(layer.network[h], static_cast<int64_t>(unit), seen, hidden_adjoint_,
               h > 0 ? below_adjoint_ : input_adjoint_);
      }
      if (h > 0) hidden_adjoint_.swap(below_adjoint_);
    }
  }

  // Of the linear map's output `row`, to the first `seen` inputs: the others have weight 0.
  static void AddRow(const Linear& linear, int64_t row, int64_t seen, const std::vector<double>& out_adjoint,
                     std::vector<double>& in_adjoint) {
    const double* from = &out_adjoint[row * B];
    double adjoint[B];
    for (int b = 0; b < B; ++b) adjoint[b] = from[b];
    const float* weight = linear.weight.data() + row * linear.in;
    double* to = in_adjoint.data();
    for (int64_t k = 0; k < seen; ++k) {
      const double w = weight[k];
      for (int b = 0; b < B; ++b) to[k * B + b] += w * adjoint[b];
    }
  }

  void BackThroughWhitening() {
    if (plan_.whitening.empty()) return;
    for (int64_t j = 0; j < d_; ++j) {  // y_j enters y'_j and later ones
      for (int b = 0; b < B; ++b) {
        double sum = 0;
        for (int64_t i = j; i < d_; ++i) sum += plan_.whitening[i * d_ + j] * adjoint_[i * B + b];
        adjoint_[j * B + b] = sum;
      }
    }
  }

  const Plan& plan_;
  const int64_t d_;
  PlanRunner<B> runner_;
  ForwardRecord record_;
  std::vector<double> adjoint_;
  std::vector<double> input_adjoint_;   // (position, lane)
  std::vector<double> output_adjoint_;  // (position, output, lane)
  std::vector<double> hidden_adjoint_;
  std::vector<double> below_adjoint_;
  SplineKnots spline_;
};

}  // namespace

absl::Status PlanLogProbGradient(const Plan& plan, absl::Span<const double> theta, absl::Span<double> log_prob,
                                 absl::Span<double> gradient, const StopToken& stop) {
  const int64_t n = static_cast<int64_t>(log_prob.size());
  const int64_t d = plan.d();
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("gradient", gradient.size(), n, d));
  return RunRows<GradientRunner>(plan, n, stop, [&](auto& runner, int64_t row) {
    runner.Run(theta.data() + row * d, log_prob.data() + row, gradient.data() + row * d);
    return absl::OkStatus();
  });
}

}  // namespace creamery
