#include "client/cpp/points_message.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "proto/support/array.h"
#include "proto/support/status_macros.h"

namespace creamery {

int64_t RowsPerMessage(int64_t bytes, int64_t d) {
  return std::max<int64_t>(1, bytes / (static_cast<int64_t>(sizeof(double)) * d));
}

absl::StatusOr<int64_t> CountRows(absl::string_view what, absl::Span<const double> points, int64_t d) {
  if (d == 0 || points.size() % d != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has ", points.size(), " numbers, expected a multiple of its ", d, " columns"));
  }
  return static_cast<int64_t>(points.size()) / d;
}

void SetPoints(absl::Span<const double> points, int64_t d, v1::Array* array) {
  array->set_dtype(v1::FLOAT64);
  array->clear_shape();
  array->add_shape(static_cast<int64_t>(points.size()) / d);
  array->add_shape(d);
  array->mutable_data()->assign(reinterpret_cast<const char*>(points.data()), points.size() * sizeof(double));
}

absl::Status AppendNumbers(absl::string_view what, const v1::Array& array, absl::Span<const int64_t> shape,
                           std::vector<double>* numbers) {
  int64_t count = 1;
  for (const int64_t axis : shape) count *= axis;
  const bool fits = array.dtype() == v1::FLOAT64 && array.data().size() == count * sizeof(double) &&
                    std::equal(shape.begin(), shape.end(), array.shape().begin(), array.shape().end());
  if (!fits) {
    return absl::InternalError(absl::StrCat(what, " came as ", DTypeName(array.dtype()), " of shape ",
                                            ShapeToString(array.shape()), ", expected FLOAT64 of shape ",
                                            ShapeToString(shape)));
  }
  const size_t begin = numbers->size();
  numbers->resize(begin + count);
  if (count > 0) std::memcpy(numbers->data() + begin, array.data().data(), array.data().size());
  return absl::OkStatus();
}

void AddWarnings(const google::protobuf::RepeatedField<int>& given, std::vector<v1::Warning>* warnings) {
  for (const int warning : given) AddWarning(static_cast<v1::Warning>(warning), warnings);
}

v1::LogProbRequest MakeLogProbRequest(const std::vector<std::string>& columns, const LogProbOptions& options) {
  v1::LogProbRequest request;
  for (const std::string& column : columns) request.add_columns(column);
  request.set_gradient(options.gradient);
  request.set_spread(options.spread);
  request.set_prior_fraction(options.prior_fraction);
  request.set_precision(options.precision);
  return request;
}

absl::Status AppendLogProb(const v1::LogProbRequest& request, const v1::LogProbResponse& response, int64_t rows,
                           int64_t d, Answer* answer) {
  ABSL_RETURN_IF_ERROR(AppendNumbers("log_prob", response.log_prob(), {rows}, &answer->values));
  if (request.gradient()) {
    ABSL_RETURN_IF_ERROR(AppendNumbers("gradient", response.gradient(), {rows, d}, &answer->gradient));
  }
  if (request.spread()) ABSL_RETURN_IF_ERROR(AppendNumbers("spread", response.spread(), {rows}, &answer->spread));
  answer->model_version = response.model_version();
  AddWarnings(response.warnings(), &answer->warnings);
  return absl::OkStatus();
}

}  // namespace creamery
