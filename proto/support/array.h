// creamery.v1.Array to and from spans of numbers.
#ifndef CREAMERY_PROTO_SUPPORT_ARRAY_H_
#define CREAMERY_PROTO_SUPPORT_ARRAY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "creamery/v1/array.pb.h"

namespace creamery {

// Bytes of one number; 0 for DTYPE_UNSPECIFIED and unknown values.
int64_t DTypeSize(v1::DType dtype);
// "FLOAT64", as in the .proto file.
std::string DTypeName(v1::DType dtype);
// "(2, 3)"; "()" for a scalar.
std::string ShapeToString(absl::Span<const int64_t> shape);

// product(shape); INVALID_ARGUMENT for a negative axis, an overflow, an unknown dtype or a wrong number of bytes.
// `what` names the array in the message ("theta").
absl::StatusOr<int64_t> CheckArray(absl::string_view what, const v1::Array& array);

// Numbers of any dtype as float64, in row-major order.
// `shape`: the expected one; -1 fits any length, and the message shows it as n.
// INVALID_ARGUMENT, e.g. "theta has shape (2, 3), expected (n, 2)".
absl::StatusOr<std::vector<double>> ToDoubles(absl::string_view what, const v1::Array& array,
                                              absl::Span<const int64_t> shape);
// The same without a copy where the numbers can be used as they lie: FLOAT64, and aligned. Else they are converted into
// `storage`. The view is good as long as `array` and `storage` are left alone.
absl::StatusOr<absl::Span<const double>> ViewDoubles(absl::string_view what, const v1::Array& array,
                                                     absl::Span<const int64_t> shape, std::vector<double>* storage);
// As ToDoubles for INT64 arrays; any other dtype is INVALID_ARGUMENT.
absl::StatusOr<std::vector<int64_t>> ToInt64s(absl::string_view what, const v1::Array& array,
                                              absl::Span<const int64_t> shape);

// INVALID_ARGUMENT naming the first row with a NaN or an infinity: "theta has nan in row 17, column 2 (omegam)".
// values: (n, d) row-major; `columns`: d names, or empty. `first_row` is added to the row in the message.
absl::Status CheckFinite(absl::string_view what, absl::Span<const double> values, int64_t d,
                         absl::Span<const std::string> columns = {}, int64_t first_row = 0);

// FLOAT64 array of the given shape; product(shape) must be values.size().
v1::Array FromDoubles(absl::Span<const double> values, absl::Span<const int64_t> shape);
// Makes `array` a FLOAT64 array of the given shape and returns its numbers, zeros, to be filled in place.
absl::Span<double> MutableDoubles(absl::Span<const int64_t> shape, v1::Array* array);
v1::Array FromInt64s(absl::Span<const int64_t> values, absl::Span<const int64_t> shape);

// For every entry of `wanted` its index in `given`; all of `wanted` must be there once, and nothing else.
// Empty `given` means the same order. INVALID_ARGUMENT lists the right names.
absl::StatusOr<std::vector<int>> MatchColumns(absl::Span<const std::string> given,
                                              absl::Span<const std::string> wanted);

}  // namespace creamery

#endif  // CREAMERY_PROTO_SUPPORT_ARRAY_H_
