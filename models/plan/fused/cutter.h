// How one piece of memory becomes the arrays of a kernel.
#ifndef CREAMERY_MODELS_PLAN_FUSED_CUTTER_H_
#define CREAMERY_MODELS_PLAN_FUSED_CUTTER_H_

#include <cstdint>

#include "models/plan/fused/aligned.h"

namespace creamery {

// Hands out aligned arrays one behind the other; from null it counts bytes.
class Cutter {
 public:
  explicit Cutter(void* memory) : next_(static_cast<char*>(memory)) {}

  template <typename T>
  void Cut(int64_t count, T** array) {
    const int64_t bytes = Padded<T>(count) * static_cast<int64_t>(sizeof(T));
    if (next_ != nullptr) *array = reinterpret_cast<T*>(next_ + bytes_);
    bytes_ += bytes;
  }
  int64_t bytes() const { return bytes_; }

 private:
  char* next_;
  int64_t bytes_ = 0;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_FUSED_CUTTER_H_
