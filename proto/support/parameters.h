// What the parameters of a dataset or of a model must obey, wherever they are read.
#ifndef CREAMERY_PROTO_SUPPORT_PARAMETERS_H_
#define CREAMERY_PROTO_SUPPORT_PARAMETERS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "creamery/v1/dataset.pb.h"
#include "google/protobuf/repeated_field.h"
#include "proto/support/rows.h"

namespace creamery {

// Rules of text grew stricter: what was stored before them is not held against them.
enum class TextOrigin { kArriving, kStored };

// INVALID_ARGUMENT for no parameters or more than 4096, a malformed or repeated name, text that CheckText refuses in
// labels and units, a prior with bad numbers or beside `derived`, bounds that are infinite, the wrong way round or not
// the prior's. `what` names the list.
absl::Status CheckParameters(absl::string_view what,
                             const google::protobuf::RepeatedPtrField<v1::Parameter>& parameters,
                             TextOrigin origin = TextOrigin::kArriving);
// INVALID_ARGUMENT unless `name` has 1 to 128 bytes and is one word, as CheckText says.
absl::Status CheckParameterName(absl::string_view what, absl::string_view name,
                                TextOrigin origin = TextOrigin::kArriving);
// INVALID_ARGUMENT unless `text` is a line of at most 1024 bytes, as CheckText says.
absl::Status CheckShortText(absl::string_view what, absl::string_view text);

// INVALID_ARGUMENT for more than 4096 names integrated out, a malformed or repeated one, or one of `parameters`.
absl::Status CheckMarginalised(const google::protobuf::RepeatedPtrField<std::string>& marginalised,
                               const google::protobuf::RepeatedPtrField<v1::Parameter>& parameters,
                               TextOrigin origin = TextOrigin::kArriving);

// Rows of `block` with a parameter on or outside its bounds.
int64_t CountRowsOutside(const v1::Dataset& schema, const RowBlock& block);

}  // namespace creamery

#endif  // CREAMERY_PROTO_SUPPORT_PARAMETERS_H_
