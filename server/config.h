// The server's configuration: a text file, overridden by flags, checked as a whole. See config.proto for every setting.
#ifndef CREAMERY_SERVER_CONFIG_H_
#define CREAMERY_SERVER_CONFIG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/config.pb.h"

namespace creamery {

// Reads a text file. NOT_FOUND without it, INVALID_ARGUMENT with line and column for anything that is not a setting.
absl::StatusOr<ServerConfig> ReadConfig(const std::string& path);

// Fills in what depends on other settings (the socket, the worker's program), and refuses what cannot work:
// INVALID_ARGUMENT for a setting out of range; FAILED_PRECONDITION for an address beyond loopback without TLS and
// tokens, saying what to give.
absl::Status CompleteConfig(ServerConfig* config);

// True for 127.0.0.0/8, ::1 and localhost; `listen` is host:port.
bool IsLoopback(const std::string& listen);

}  // namespace creamery

#endif  // CREAMERY_SERVER_CONFIG_H_
