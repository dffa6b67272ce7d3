// Points into messages and answers out of them, without memory of their own where the message or the answer has some
// from before. Internal.
#ifndef CREAMERY_CLIENT_CPP_POINTS_MESSAGE_H_
#define CREAMERY_CLIENT_CPP_POINTS_MESSAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "client/cpp/answer.h"
#include "creamery/v1/array.pb.h"
#include "creamery/v1/inference_service.pb.h"

namespace creamery {

// Bytes of points in one message, about.
inline constexpr int64_t kBytesPerQuestion = 256 << 10;
// Rows of d numbers in a message of `bytes`; at least 1.
int64_t RowsPerMessage(int64_t bytes, int64_t d);

// How many rows of d columns `points` are. INVALID_ARGUMENT if they are not.
absl::StatusOr<int64_t> CountRows(absl::string_view what, absl::Span<const double> points, int64_t d);

// FLOAT64 of shape (points.size() / d, d).
void SetPoints(absl::Span<const double> points, int64_t d, v1::Array* array);

// Adds the numbers of an answer to `numbers`. INTERNAL unless they are FLOAT64 of the shape.
absl::Status AppendNumbers(absl::string_view what, const v1::Array& array, absl::Span<const int64_t> shape,
                           std::vector<double>* numbers);

// Adds those that are not there yet.
void AddWarnings(const google::protobuf::RepeatedField<int>& given, std::vector<v1::Warning>* warnings);

// Everything but the model and the points.
v1::LogProbRequest MakeLogProbRequest(const std::vector<std::string>& columns, const LogProbOptions& options);
// Adds an answer about `rows` points of d columns to `answer`.
absl::Status AppendLogProb(const v1::LogProbRequest& request, const v1::LogProbResponse& response, int64_t rows,
                           int64_t d, Answer* answer);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_POINTS_MESSAGE_H_
