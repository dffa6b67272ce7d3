// The one place where LibTorch's exceptions end: no exception leaves models/.
#ifndef CREAMERY_MODELS_TRAINING_GUARD_TORCH_H_
#define CREAMERY_MODELS_TRAINING_GUARD_TORCH_H_

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace creamery {

// Calls `work`, which returns a Status or a StatusOr; what it throws becomes RESOURCE_EXHAUSTED (memory, a device's
// too) or INTERNAL.
template <typename Work>
auto GuardTorch(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const c10::OutOfMemoryError& error) {
    return absl::ResourceExhaustedError(absl::StrCat("LibTorch: ", error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("training ran out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("training: ", error.what()));
  }
}

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_GUARD_TORCH_H_
