// The JSON header of a safetensors file, read event by event: no tree is built, so that a repeated key is seen
// and depth and memory stay bounded. Not thread-safe.
#ifndef CREAMERY_PROTO_SUPPORT_SAFETENSORS_JSON_H_
#define CREAMERY_PROTO_SUPPORT_SAFETENSORS_JSON_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/support/safetensors.h"

namespace creamery {

// The header with offsets as they are written, relative to the end of the header.
// DATA_LOSS for bad JSON, duplicate or unknown keys, unknown types and numbers that are not natural.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsJson(absl::string_view json);

}  // namespace creamery

#endif  // CREAMERY_PROTO_SUPPORT_SAFETENSORS_JSON_H_
