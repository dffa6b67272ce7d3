// Weighted samples in memory, with the schema of the dataset they become or came from.
#ifndef CREAMERY_CLIENT_CPP_SAMPLES_H_
#define CREAMERY_CLIENT_CPP_SAMPLES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "creamery/v1/dataset.pb.h"
#include "proto/support/rows.h"

namespace creamery {

struct Samples {
  v1::Dataset schema;
  RowBlock rows;
};

// Samples as arrays of a C++ program; spans borrow for the call of MakeSamples.
struct SampleArrays {
  std::vector<std::string> names;                // d parameters
  absl::Span<const double> theta;                // (n, d), row-major
  absl::Span<const double> weight = {};          // (n,) or empty, as the next ones
  absl::Span<const int64_t> chain = {};          // id of the Markov chain; rows keep their order
  absl::Span<const double> log_likelihood = {};  // natural log of L
  absl::Span<const double> log_likelihood_birth = {};
  std::map<std::string, v1::Prior> priors = {};  // by parameter
  std::optional<v1::LogEvidence> log_evidence = std::nullopt;
  // Unspecified: NESTED_SAMPLING with birth likelihoods, MCMC with chain ids, else INDEPENDENT.
  v1::RowKind row_kind = v1::ROW_KIND_UNSPECIFIED;
};

// Copies the arrays. INVALID_ARGUMENT when lengths disagree or a prior names no parameter.
absl::StatusOr<Samples> MakeSamples(const SampleArrays& arrays);

// Sets has_weight and its siblings, and the row kind where it is unspecified, by what the rows carry.
void CompleteSchema(Samples& samples);

// Puts each prior with its parameter. INVALID_ARGUMENT lists the parameters if a name is not among them.
absl::Status SetPriors(const std::map<std::string, v1::Prior>& priors, v1::Dataset& schema);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_SAMPLES_H_
