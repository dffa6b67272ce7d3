// Memory of a call that the next call of the same thread uses again, so that answering allocates nothing once a thread
// is warm. Calls within calls (a mixture asks its children) get memory of their own.
#ifndef CREAMERY_MODELS_SCRATCH_H_
#define CREAMERY_MODELS_SCRATCH_H_

#include <cstddef>

namespace creamery {

// Lives on the stack of one thread; the last made is the first to go. What a thread ever took it keeps, so ask for
// blocks of rows, not for all of them.
class Scratch {
 public:
  explicit Scratch(size_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // Aligned for the widest vectors; holds whatever the last call left.
  void* data() const { return data_; }

 private:
  void* data_;
};

// `count` numbers of type T.
template <typename T>
class ScratchArray {
 public:
  explicit ScratchArray(size_t count) : scratch_(count * sizeof(T)) {}
  T* data() const { return static_cast<T*>(scratch_.data()); }
  T& operator[](size_t i) const { return data()[i]; }

 private:
  Scratch scratch_;
};

}  // namespace creamery

#endif  // CREAMERY_MODELS_SCRATCH_H_
