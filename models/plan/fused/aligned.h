// Arrays that begin where a widest vector may be loaded.
#ifndef CREAMERY_MODELS_PLAN_FUSED_ALIGNED_H_
#define CREAMERY_MODELS_PLAN_FUSED_ALIGNED_H_

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace creamery {

// Bytes of the widest vector and of a cache line.
inline constexpr size_t kAlignment = 64;

template <typename T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <typename U>
  AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT(google-explicit-constructor): what allocators are

  T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(kAlignment))); }
  void deallocate(T* p, size_t) { ::operator delete(p, std::align_val_t(kAlignment)); }
  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
  friend bool operator!=(const AlignedAllocator&, const AlignedAllocator&) { return false; }
};

template <typename T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

// n rounded up to whole vectors of T.
template <typename T>
constexpr int64_t Padded(int64_t n) {
  constexpr int64_t kPerVector = kAlignment / sizeof(T);
  return (n + kPerVector - 1) / kPerVector * kPerVector;
}

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_FUSED_ALIGNED_H_
