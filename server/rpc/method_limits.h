// How much one call of a method may bring, in one table for all methods: most need 64 KiB.
#ifndef CREAMERY_SERVER_RPC_METHOD_LIMITS_H_
#define CREAMERY_SERVER_RPC_METHOD_LIMITS_H_

#include <cstdint>

#include "google/protobuf/descriptor.h"

namespace creamery {

// Most structure_bytes of any method.
inline constexpr int64_t kMostStructureBytes = int64_t{64} << 20;

struct MethodLimits {
  int64_t message_bytes = int64_t{64} << 10;   // of one message as it travels
  int64_t structure_bytes = int64_t{2} << 20;  // what its fields add once it is parsed (wire_cost.h)
  bool lasting = false;                        // stays open for as long as the client likes
};

// `max_message_bytes` is the most that any message may have.
MethodLimits LimitsOf(const google::protobuf::MethodDescriptor& method, int64_t max_message_bytes);

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_METHOD_LIMITS_H_
