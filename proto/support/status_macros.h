// Early return on errors, under the names newer Abseil gives them, so that this file can go one day.
#ifndef CREAMERY_PROTO_SUPPORT_STATUS_MACROS_H_
#define CREAMERY_PROTO_SUPPORT_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#ifndef ABSL_RETURN_IF_ERROR
#define ABSL_RETURN_IF_ERROR(expr)                                        \
  do {                                                                    \
    if (absl::Status creamery_status_ = (expr); !creamery_status_.ok()) { \
      return creamery_status_;                                            \
    }                                                                     \
  } while (false)
#endif

#ifndef ABSL_ASSIGN_OR_RETURN
#define CREAMERY_CONCAT_INNER_(a, b) a##b
#define CREAMERY_CONCAT_(a, b) CREAMERY_CONCAT_INNER_(a, b)
#define ABSL_ASSIGN_OR_RETURN(lhs, expr) CREAMERY_ASSIGN_OR_RETURN_(CREAMERY_CONCAT_(creamery_or_, __LINE__), lhs, expr)
#define CREAMERY_ASSIGN_OR_RETURN_(name, lhs, expr) \
  auto name = (expr);                               \
  if (!name.ok()) return std::move(name).status();  \
  lhs = *std::move(name)
#endif

#endif  // CREAMERY_PROTO_SUPPORT_STATUS_MACROS_H_
