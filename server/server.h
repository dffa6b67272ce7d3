// START HERE for server/: everything of one running server, put together. registry -> directory and cache -> services,
// two pools for their work, the job board and its local workers, and gRPC around it.
#ifndef CREAMERY_SERVER_SERVER_H_
#define CREAMERY_SERVER_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/channel_arguments.h"
#include "server/config.pb.h"

namespace creamery {

class Registry;
class ServedModels;

// Thread-safe.
class Server {
 public:
  // Serves when it returns; `config` as CompleteConfig leaves it. NOT_FOUND for a file that is not there, UNAVAILABLE
  // if the address is in use, and the errors of Registry::Open and Authenticator.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerConfig& config);
  // Drains, if nobody has yet.
  virtual ~Server() = default;

  // Health says NOT_SERVING; workers checkpoint and give their jobs back; then new calls are answered UNAVAILABLE, and
  // calls in flight finish, or are ended with UNAVAILABLE after drain_seconds. Returns when all is over; the port goes
  // on refusing calls until the server is destroyed. Later calls do nothing.
  virtual void Drain() = 0;
  // After Drain: closes what is stored, for a process that ends next and lets the system close its connections. gRPC's
  // own shutdown would end calls that arrive meanwhile as CANCELLED, which clients must not repeat. False if calls were
  // still under way: then only the end of the process closes anything. Nothing but the end may follow.
  virtual bool Close() = 0;

  // The bound address, `host:port`.
  virtual const std::string& address() const = 0;
  // A channel without a network, for tests.
  virtual std::shared_ptr<grpc::Channel> InProcessChannel(const grpc::ChannelArguments& arguments) = 0;
  // For tests.
  virtual Registry& registry() = 0;
  virtual ServedModels& models() = 0;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_SERVER_H_
