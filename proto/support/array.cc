#include "proto/support/array.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Arrays travel little-endian and are used as they lie.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes would have to be swapped");

// No string keeps this many bytes inside itself, where they may lie at any address.
constexpr size_t kSurelyAllocated = 64;

bool IsAligned(const void* address) { return reinterpret_cast<uintptr_t>(address) % alignof(double) == 0; }

// "(n, 2)": -1 is shown as n.
std::string ExpectedToString(absl::Span<const int64_t> shape) {
  const auto format = [](std::string* out, int64_t axis) { *out += axis < 0 ? "n" : absl::StrCat(axis); };
  return absl::StrCat("(", absl::StrJoin(shape, ", ", format), shape.size() == 1 ? ",)" : ")");
}

absl::Status CheckShape(absl::string_view what, const v1::Array& array, absl::Span<const int64_t> expected) {
  bool same = array.shape_size() == static_cast<int>(expected.size());
  for (int i = 0; same && i < array.shape_size(); ++i) same = expected[i] < 0 || expected[i] == array.shape(i);
  if (same) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " has shape ", ShapeToString(array.shape()), ", expected ", ExpectedToString(expected)));
}

// The bytes of a proto are not aligned, so numbers are copied out one by one; compilers make this a plain copy.
template <typename Wire, typename T>
std::vector<T> Decode(const std::string& data) {
  std::vector<T> values(data.size() / sizeof(Wire));
  for (size_t i = 0; i < values.size(); ++i) {
    Wire value;
    std::memcpy(&value, data.data() + i * sizeof(Wire), sizeof(Wire));
    values[i] = static_cast<T>(value);
  }
  return values;
}

template <typename T>
v1::Array Encode(v1::DType dtype, absl::Span<const T> values, absl::Span<const int64_t> shape) {
  v1::Array array;
  array.set_dtype(dtype);
  array.mutable_shape()->Add(shape.begin(), shape.end());
  array.set_data(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return array;
}

}  // namespace

int64_t DTypeSize(v1::DType dtype) {
  switch (dtype) {
    case v1::FLOAT32:
      return 4;
    case v1::FLOAT64:
    case v1::INT64:
      return 8;
    case v1::UINT8:
      return 1;
    default:
      return 0;
  }
}

std::string DTypeName(v1::DType dtype) {
  const std::string& name = v1::DType_Name(dtype);
  return name.empty() ? absl::StrCat("type ", static_cast<int>(dtype)) : name;
}

std::string ShapeToString(absl::Span<const int64_t> shape) {
  return absl::StrCat("(", absl::StrJoin(shape, ", "), shape.size() == 1 ? ",)" : ")");
}

absl::StatusOr<int64_t> CheckArray(absl::string_view what, const v1::Array& array) {
  const int64_t size = DTypeSize(array.dtype());
  if (size == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has dtype ", DTypeName(array.dtype()), ", expected FLOAT32, FLOAT64, INT64 or UINT8"));
  }
  int64_t count = 1;
  for (const int64_t axis : array.shape()) {
    if (axis < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " has shape ", ShapeToString(array.shape()), ", expected no negative axis"));
    }
    // Bounding the bytes and not only the count keeps the product below free of overflow.
    if (axis != 0 && count > std::numeric_limits<int64_t>::max() / size / axis) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " has shape ", ShapeToString(array.shape()), ", which is larger than memory can be"));
    }
    count *= axis;
  }
  if (array.data().size() != static_cast<uint64_t>(count * size)) {
    return absl::InvalidArgumentError(absl::StrCat(what, " has ", array.data().size(), " bytes, expected ",
                                                   count * size, " for shape ", ShapeToString(array.shape()), " of ",
                                                   DTypeName(array.dtype())));
  }
  return count;
}

absl::StatusOr<std::vector<double>> ToDoubles(absl::string_view what, const v1::Array& array,
                                              absl::Span<const int64_t> shape) {
  ABSL_RETURN_IF_ERROR(CheckArray(what, array).status());
  ABSL_RETURN_IF_ERROR(CheckShape(what, array, shape));
  switch (array.dtype()) {
    case v1::FLOAT32:
      return Decode<float, double>(array.data());
    case v1::INT64:
      return Decode<int64_t, double>(array.data());
    case v1::UINT8:
      return Decode<uint8_t, double>(array.data());
    default:
      return Decode<double, double>(array.data());
  }
}

absl::StatusOr<absl::Span<const double>> ViewDoubles(absl::string_view what, const v1::Array& array,
                                                     absl::Span<const int64_t> shape, std::vector<double>* storage) {
  const std::string& data = array.data();
  if (array.dtype() != v1::FLOAT64 || !IsAligned(data.data())) {
    ABSL_ASSIGN_OR_RETURN(*storage, ToDoubles(what, array, shape));
    return absl::MakeConstSpan(*storage);
  }
  ABSL_RETURN_IF_ERROR(CheckArray(what, array).status());
  ABSL_RETURN_IF_ERROR(CheckShape(what, array, shape));
  return absl::MakeConstSpan(reinterpret_cast<const double*>(data.data()), data.size() / sizeof(double));
}

absl::StatusOr<std::vector<int64_t>> ToInt64s(absl::string_view what, const v1::Array& array,
                                              absl::Span<const int64_t> shape) {
  ABSL_RETURN_IF_ERROR(CheckArray(what, array).status());
  if (array.dtype() != v1::INT64) {
    return absl::InvalidArgumentError(absl::StrCat(what, " has dtype ", DTypeName(array.dtype()), ", expected INT64"));
  }
  ABSL_RETURN_IF_ERROR(CheckShape(what, array, shape));
  return Decode<int64_t, int64_t>(array.data());
}

absl::Status CheckFinite(absl::string_view what, absl::Span<const double> values, int64_t d,
                         absl::Span<const std::string> columns, int64_t first_row) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    const int64_t row = static_cast<int64_t>(i) / d;
    const int64_t column = static_cast<int64_t>(i) % d;
    const char* value = std::isnan(values[i]) ? "nan" : (values[i] > 0 ? "inf" : "-inf");
    std::string message = absl::StrCat(what, " has ", value, " in row ", first_row + row);
    if (!columns.empty()) {
      absl::StrAppend(&message, ", column ", column, " (", columns[column], ")");
    } else if (d > 1) {
      absl::StrAppend(&message, ", column ", column);
    }
    return absl::InvalidArgumentError(absl::StrCat(message, ", expected finite numbers"));
  }
  return absl::OkStatus();
}

v1::Array FromDoubles(absl::Span<const double> values, absl::Span<const int64_t> shape) {
  return Encode(v1::FLOAT64, values, shape);
}

absl::Span<double> MutableDoubles(absl::Span<const int64_t> shape, v1::Array* array) {
  int64_t count = 1;
  for (const int64_t axis : shape) count *= axis;
  array->set_dtype(v1::FLOAT64);
  array->mutable_shape()->Assign(shape.begin(), shape.end());
  std::string& data = *array->mutable_data();
  data.clear();
  if (!IsAligned(data.data())) data.reserve(kSurelyAllocated);
  data.resize(count * sizeof(double));
  return absl::MakeSpan(reinterpret_cast<double*>(&data[0]), count);
}

v1::Array FromInt64s(absl::Span<const int64_t> values, absl::Span<const int64_t> shape) {
  return Encode(v1::INT64, values, shape);
}

absl::StatusOr<std::vector<int>> MatchColumns(absl::Span<const std::string> given,
                                              absl::Span<const std::string> wanted) {
  std::vector<int> index(wanted.size());
  if (given.empty()) {
    for (size_t i = 0; i < wanted.size(); ++i) index[i] = static_cast<int>(i);
    return index;
  }
  const auto refuse = [&](const std::string& problem) {
    return absl::InvalidArgumentError(
        absl::StrCat("columns: ", problem, "; expected each of ", absl::StrJoin(wanted, ", "), " once, in any order"));
  };
  for (size_t j = 0; j < given.size(); ++j) {
    if (std::find(wanted.begin(), wanted.end(), given[j]) == wanted.end()) {
      return refuse(absl::StrCat("'", given[j], "' is not one of them"));
    }
    if (std::find(given.begin(), given.begin() + j, given[j]) != given.begin() + j) {
      return refuse(absl::StrCat("'", given[j], "' is given twice"));
    }
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto found = std::find(given.begin(), given.end(), wanted[i]);
    if (found == given.end()) return refuse(absl::StrCat("'", wanted[i], "' is missing"));
    index[i] = static_cast<int>(found - given.begin());
  }
  return index;
}

}  // namespace creamery
