// What a question to a density is made of, checked: points in the model's order, and what to say of the answer.
#ifndef CREAMERY_SERVER_SERVICES_QUESTIONS_H_
#define CREAMERY_SERVER_SERVICES_QUESTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "creamery/v1/array.pb.h"
#include "creamery/v1/warning.pb.h"
#include "server/served_models.h"
#include "server/services/limits.h"

namespace creamery {

// Rows that an array claims to have: what its cost is estimated from before it is checked.
int64_t ClaimedRows(const v1::Array& array);

// FAILED_PRECONDITION listing the abilities it has, if the model is not a density.
absl::StatusOr<const Density*> DensityOf(const ServedModel& model);

// INVALID_ARGUMENT if x was given: no family so far is conditional.
absl::Status CheckContext(const ServedModel& model, bool has_x);

// The model's parameters, in its order.
std::vector<std::string> ParameterNames(const ServedModel& model);

// theta (n, d), columns in the order of `names`. INVALID_ARGUMENT for shapes, names, NaN and infinity,
// RESOURCE_EXHAUSTED for too many rows; the reply has `reply_bytes_per_row`.
absl::StatusOr<std::vector<double>> ReadTheta(const std::vector<std::string>& names, const v1::Array& theta,
                                              const std::vector<std::string>& columns, const Limits& limits,
                                              int64_t reply_bytes_per_row);
// u (n, d) strictly inside the unit hypercube.
absl::StatusOr<std::vector<double>> ReadUnitPoints(const ServedModel& model, const v1::Array& u, const Limits& limits,
                                                   int64_t reply_bytes_per_row);

// OUTSIDE_SUPPORT if a log-density is -inf; OUTSIDE_TRAINING_REGION if a finite one is below the lowest that training
// saw.
std::vector<v1::Warning> WarningsOf(const ServedModel& model, absl::Span<const double> log_prob);

}  // namespace creamery

#endif  // CREAMERY_SERVER_SERVICES_QUESTIONS_H_
