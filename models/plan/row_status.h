// The two ways in which rows handed to a density can be wrong for it.
#ifndef CREAMERY_MODELS_PLAN_ROW_STATUS_H_
#define CREAMERY_MODELS_PLAN_ROW_STATUS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace creamery {

// INVALID_ARGUMENT unless `given` numbers are n rows of d parameters.
inline absl::Status CheckRowShape(absl::string_view what, size_t given, int64_t n, int64_t d) {
  if (static_cast<int64_t>(given) == n * d) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " has ", given, " numbers, expected ", n, " rows of ", d, " parameters"));
}

// INVALID_ARGUMENT: no point of the unit hypercube leads to this row.
inline absl::Status OutsideSupport(int64_t row) {
  return absl::InvalidArgumentError(
      absl::StrCat("theta lies outside the support of the density in row ", row, ", expected rows inside it"));
}

}  // namespace creamery

#endif  // CREAMERY_MODELS_PLAN_ROW_STATUS_H_
