// What a serialised message will cost in memory, found by walking its bytes before it is parsed: two bytes of the wire
// can become an object of hundreds.
#ifndef CREAMERY_SERVER_RPC_WIRE_COST_H_
#define CREAMERY_SERVER_RPC_WIRE_COST_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/zero_copy_stream.h"

namespace creamery {

// Bytes that a message of `type` takes once parsed beyond those that it brings: objects, headers of strings, pointers.
// An estimate from above. RESOURCE_EXHAUSTED as soon as it exceeds `most`, INVALID_ARGUMENT for bytes that are no such
// message or are nested deeper than 100.
absl::StatusOr<int64_t> StructureBytes(const google::protobuf::Descriptor& type,
                                       google::protobuf::io::ZeroCopyInputStream* bytes, int64_t most);

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_WIRE_COST_H_
