// What a question to a density is made of, checked: points in the model's order, and what to say of the answer.
#ifndef CREAMERY_SERVER_SERVICES_QUESTIONS_H_
#define CREAMERY_SERVER_SERVICES_QUESTIONS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "creamery/v1/array.pb.h"
#include "creamery/v1/precision.pb.h"
#include "creamery/v1/warning.pb.h"
#include "google/protobuf/repeated_field.h"
#include "server/served_models.h"
#include "server/services/limits.h"

namespace creamery {

// Rows that an array claims to have: what its cost is estimated from before it is checked.
int64_t ClaimedRows(const v1::Array& array);

// FAILED_PRECONDITION listing the abilities it has, if the model is not a density.
absl::StatusOr<const Density*> DensityOf(const ServedModel& model);

// INVALID_ARGUMENT for a number that names no precision.
absl::Status CheckPrecision(v1::Precision precision);

// What answers a question: `density`, and what it is made of beside the loaded model.
struct Answering {
  const Density* density = nullptr;
  std::unique_ptr<const Density> in_double_precision;
  std::unique_ptr<const Density> mixture;  // with the prior
};
// `density`, one of `model`, in the asked arithmetic and with a share of the prior. The errors of CheckPrecision and
// MixWithPrior.
absl::StatusOr<Answering> AnswerWith(const Density& density, const ServedModel& model, v1::Precision precision,
                                     double prior_fraction);

// INVALID_ARGUMENT if x was given: no family so far is conditional.
absl::Status CheckContext(const ServedModel& model, bool has_x);

// The model's parameters, in its order.
std::vector<std::string> ParameterNames(const ServedModel& model);

// Points of a question, (n, d) row-major, in the model's order: as they were sent if that will do, else a copy.
struct Points {
  absl::Span<const double> values;
  std::vector<double> copy;
};

// theta (n, d), columns in the order of `names()`, which is called only if columns or an error need them.
// INVALID_ARGUMENT for shapes, names, NaN and infinity, RESOURCE_EXHAUSTED for too many rows; the reply has
// `reply_bytes_per_row`. Good as long as `theta` lives.
absl::StatusOr<Points> ReadTheta(int64_t d, absl::FunctionRef<std::vector<std::string>()> names, const v1::Array& theta,
                                 const google::protobuf::RepeatedPtrField<std::string>& columns, const Limits& limits,
                                 int64_t reply_bytes_per_row);
// u (n, d) strictly inside the unit hypercube.
absl::StatusOr<Points> ReadUnitPoints(int64_t d, const v1::Array& u, const Limits& limits, int64_t reply_bytes_per_row);

// OUTSIDE_SUPPORT if a log-density is -inf; OUTSIDE_TRAINING_REGION if a finite one is below the lowest that training
// saw.
std::vector<v1::Warning> WarningsOf(const ServedModel& model, absl::Span<const double> log_prob);

}  // namespace creamery

#endif  // CREAMERY_SERVER_SERVICES_QUESTIONS_H_
