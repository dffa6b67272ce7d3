#include <algorithm>

#include "models/plan/fused/cutter.h"
#include "models/plan/fused/kernels.h"

namespace creamery {
namespace {

template <typename T>
int64_t Cut(const PackedPlan<T>& plan, int64_t rows, void* from, KernelMemory<T>* memory) {
  Cutter cutter(from);
  const bool one = rows == 1;
  const int64_t state = one ? plan.padded_d : plan.d * rows;
  cutter.Cut(state, &memory->state);
  cutter.Cut(rows, &memory->total);
  cutter.Cut(state, &memory->ladj);
  cutter.Cut(one ? plan.padded_d : rows, &memory->size);
  cutter.Cut(plan.d * rows, &memory->input);
  cutter.Cut(one ? 2 * plan.most_lanes : plan.most_hidden * rows, &memory->hidden);
  cutter.Cut(one ? plan.most_lanes : std::max<int64_t>(4, plan.most_outputs) * rows, &memory->raw);
  return cutter.bytes();
}

}  // namespace

template <typename T>
KernelMemory<T>::KernelMemory(const PackedPlan<T>& plan, int64_t rows, void* memory) {
  Cut(plan, rows, memory, this);
}

template <typename T>
int64_t KernelMemory<T>::Bytes(const PackedPlan<T>& plan, int64_t rows) {
  KernelMemory none;
  return Cut(plan, rows, nullptr, &none);
}

template struct KernelMemory<float>;
template struct KernelMemory<double>;

}  // namespace creamery
