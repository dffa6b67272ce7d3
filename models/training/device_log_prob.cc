#include "models/training/device_log_prob.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/StreamGuard.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "models/training/device_runtime.h"
#include "models/training/flow_network.h"
#include "models/training/layer_space.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int64_t kRows = 8192;  // at a time: bounds the memory

}  // namespace

absl::Status DeviceLogProb(const Plan& plan, const std::string& device_name, absl::Span<const double> theta,
                           absl::Span<double> log_prob, const StopToken& stop) {
  const c10::Device device(device_name);
  const DeviceStream stream(device);
  const c10::StreamGuard guard(stream.get());
  at::NoGradGuard no_grad;
  const FlowNetwork network = FlowNetwork(plan.layers).On(device);
  const at::Tensor weights =
      at::from_blob(const_cast<float*>(network.initial_weights().data()), {network.num_weights()}, at::kFloat)
          .to(device, at::kDouble);
  const int64_t d = plan.d();
  const auto n = static_cast<int64_t>(log_prob.size());
  std::vector<double> ladj(std::min(n, kRows));
  for (int64_t begin = 0; begin < n; begin += kRows) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    const int64_t count = std::min(kRows, n - begin);
    // Columns are mapped here, in float64; the network's part, which grows with its size, is the device's.
    at::Tensor y = at::empty({count, d}, at::kDouble);
    for (int64_t i = 0; i < count; ++i) {
      ladj[i] = RowToLayerSpace(plan, &theta[(begin + i) * d], y.data_ptr<double>() + i * d);
    }
    const at::Tensor of_layers = network.LogProb(weights, y.to(device)).cpu();
    for (int64_t i = 0; i < count; ++i) {
      const double sum = of_layers.data_ptr<double>()[i] + ladj[i];
      log_prob[begin + i] = std::isfinite(sum) ? sum : -std::numeric_limits<double>::infinity();
    }
  }
  return absl::OkStatus();
}

}  // namespace creamery
