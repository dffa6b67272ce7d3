// Priors as people type them: `omegam~uniform(0, 1)`, `h~normal(.7, .02)`, `rs~loguniform(1, 100)`.
#ifndef CREAMERY_CLIENT_CPP_PRIOR_TEXT_H_
#define CREAMERY_CLIENT_CPP_PRIOR_TEXT_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "creamery/v1/dataset.pb.h"

namespace creamery {

// `uniform(lower, upper)`, `normal(mean, stddev)` or `loguniform(lower, upper)`. INVALID_ARGUMENT for anything else,
// and for numbers that make no density.
absl::StatusOr<v1::Prior> ParsePrior(absl::string_view text);

// Several `name~prior`, by name. INVALID_ARGUMENT for a name given twice.
absl::StatusOr<std::map<std::string, v1::Prior>> ParsePriors(const std::vector<std::string>& texts);

// The inverse of ParsePrior; empty for a prior without density.
std::string PriorToText(const v1::Prior& prior);

// `Z,ERR`: the natural log-evidence and its standard error.
absl::StatusOr<v1::LogEvidence> ParseLogEvidence(absl::string_view text);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_PRIOR_TEXT_H_
