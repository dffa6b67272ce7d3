// What is asked over loopback: creamery-server, and a server whose only handler is empty. Both are processes of their
// own, ended with their objects. Programs are taken from the folder of the one that runs.
#ifndef CREAMERY_TESTS_BENCH_BENCH_SERVER_H_
#define CREAMERY_TESTS_BENCH_BENCH_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/cpp/client.h"
#include "models/plan/plan.h"
#include "tests/support/child_process.h"
#include "tests/support/scratch_directory.h"

namespace grpc {
class Channel;
}

namespace creamery::bench {

// Answers ProjectService.GetProject with an empty message, with nothing of ours in between: no interceptor, no check,
// no copy.
class EmptyServer {
 public:
  EmptyServer();
  const std::string& address() const { return address_; }
  ChildProcess& process() { return process_; }

 private:
  const ScratchDirectory directory_;
  ChildProcess process_;
  std::string address_;
};

// To be called first in main: runs the empty server, and does not return, if this is the process that EmptyServer
// started.
void MaybeServeEmptyHandler(int argc, char** argv);

class CreameryServer {
 public:
  explicit CreameryServer(int local_workers = 0);
  const std::string& address() const { return address_; }
  ChildProcess& process() { return process_; }
  Client& client() { return *client_; }

 private:
  const ScratchDirectory directory_;
  ChildProcess process_;
  std::string address_;
  std::unique_ptr<Client> client_;
};

// A connection that it shares with no other.
std::shared_ptr<grpc::Channel> Connect(const std::string& address);

// The artifact of a flow as an import takes it.
std::string FlowArtifact(const Plan& plan);

// Ends the program with the message if there is no value.
template <typename T>
T Must(absl::StatusOr<T> value);
void MustBeOk(const absl::Status& status);

// Memory of a process in MiB: resident now, and the most since it started or since ResetPeak.
double ResidentMib(pid_t pid);
double PeakMib(pid_t pid);
void ResetPeak(pid_t pid);
// Seconds of processor time that it has used.
double ProcessorSeconds(pid_t pid);

// ---- inside ----

template <typename T>
T Must(absl::StatusOr<T> value) {
  MustBeOk(value.status());
  return *std::move(value);
}

}  // namespace creamery::bench

#endif  // CREAMERY_TESTS_BENCH_BENCH_SERVER_H_
