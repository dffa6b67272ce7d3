// The family's own options of CompleteSpec: each default written out, each option in its range.
#ifndef CREAMERY_MODELS_COMPLETE_FAMILY_H_
#define CREAMERY_MODELS_COMPLETE_FAMILY_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "creamery/v1/estimator_spec.pb.h"

namespace creamery {

// INVALID_ARGUMENT "maf.transforms is 65, expected 1 to 64".
absl::Status CheckRange(absl::string_view option, int64_t given, int64_t lowest, int64_t highest);

// Completes the family of `spec` for these parameters. What is chosen from the data and was not given stays unset:
// the pieces and the units of a piece, the blocks found and the layers and bins of each by its size, the candidates.
// INVALID_ARGUMENT naming the option, what was given and what was expected.
absl::Status CompleteFamily(absl::Span<const std::string> parameters, v1::EstimatorSpec& spec);

}  // namespace creamery

#endif  // CREAMERY_MODELS_COMPLETE_FAMILY_H_
