#include <algorithm>
#include <cstddef>

#include "models/plan/fused/cutter.h"
#include "models/plan/fused/gradient_kernels.h"

namespace creamery {
namespace {

template <typename T>
int64_t Cut(const PackedPlan<T>& plan, int64_t rows, void* from, GradientMemory<T>* memory) {
  const bool one = rows == 1;
  const auto layers = static_cast<int64_t>(plan.layers.size());
  size_t hidden_maps = 0;
  for (const PackedLayer<T>& layer : plan.layers) hidden_maps = std::max(hidden_maps, layer.network.size() - 1);
  const int64_t outputs = plan.d * plan.most_outputs;
  memory->state_size = one ? plan.padded_d : plan.d * rows;
  memory->hidden_size = one ? static_cast<int64_t>(hidden_maps) * plan.most_lanes : plan.most_hidden * rows;
  memory->raw_size = one ? plan.most_lanes : outputs * rows;

  const int64_t forward = KernelMemory<T>::Bytes(plan, rows);
  if (from != nullptr) memory->forward = KernelMemory<T>(plan, rows, from);
  Cutter cutter(from == nullptr ? nullptr : static_cast<char*>(from) + forward);
  cutter.Cut(memory->state_size, &memory->adjoint);
  cutter.Cut(layers * memory->state_size, &memory->states);
  cutter.Cut(layers * memory->hidden_size, &memory->hidden);
  cutter.Cut(layers * memory->raw_size, &memory->raw);
  cutter.Cut(memory->raw_size, &memory->raw_adjoint);
  cutter.Cut(outputs, &memory->row_adjoint);
  for (T*& adjoint : memory->hidden_adjoint) cutter.Cut(one ? plan.most_lanes : plan.most_hidden * rows, &adjoint);
  cutter.Cut(plan.d * rows, &memory->input_adjoint);
  return forward + cutter.bytes();
}

}  // namespace

template <typename T>
GradientMemory<T>::GradientMemory(const PackedPlan<T>& plan, int64_t rows, void* memory) {
  Cut(plan, rows, memory, this);
}

template <typename T>
int64_t GradientMemory<T>::Bytes(const PackedPlan<T>& plan, int64_t rows) {
  GradientMemory none;
  return Cut(plan, rows, nullptr, &none);
}

template struct GradientMemory<float>;
template struct GradientMemory<double>;

}  // namespace creamery
