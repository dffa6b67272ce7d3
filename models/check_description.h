// What a version says of itself, held against what it may say: descriptions come with artifacts, and artifacts come
// from anybody. One judge for imports, for loading and for the end of a training.
#ifndef CREAMERY_MODELS_CHECK_DESCRIPTION_H_
#define CREAMERY_MODELS_CHECK_DESCRIPTION_H_

#include "absl/status/status.h"
#include "creamery/v1/model.pb.h"
#include "proto/support/parameters.h"

namespace creamery {

// INVALID_ARGUMENT naming the field, what it is and what was expected. Older formats leave fields out, which is fine;
// what is there must be right:
//   signature     parameters as CheckSchema wants those of a dataset; known abilities, no context, names marginalised
//                 over that are no parameters, a prior model's name
//   spec          a family, every option in its range, maps and blocks of the signature's parameters
//   training      counts at least 0 that fit together, members as many as the spec's with one of them answering, known
//                 row kind and warnings, a digest or none
//   held-out      finite numbers within 1e60, whose squares' squares are numbers still; variances and errors at least 0
//   log_evidence  finite, its error at least 0
// and every text of what arrives free of control characters.
absl::Status CheckDescription(const v1::ModelVersion& description, TextOrigin origin);

}  // namespace creamery

#endif  // CREAMERY_MODELS_CHECK_DESCRIPTION_H_
