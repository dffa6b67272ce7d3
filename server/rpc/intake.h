// What a server lets in: calls while it does not drain, lasting streams up to a number for each connection, requests
// that arrive in time, and bytes of requests up to a budget over all calls. A call enters before anything of it is
// read.
#ifndef CREAMERY_SERVER_RPC_INTAKE_H_
#define CREAMERY_SERVER_RPC_INTAKE_H_

#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proto/support/mutex.h"

struct grpc_call;

namespace creamery {

// Thread-safe.
class Intake {
 public:
  struct Options {
    int64_t max_message_bytes = int64_t{64} << 20;        // of any one message
    int64_t max_request_bytes = int64_t{512} << 20;       // of all requests held at a time, parsed and unparsed
    int max_calls = 8192;                                 // at a time
    int max_lasting_streams = 256;                        // of one connection
    absl::Duration request_patience = absl::Seconds(60);  // from the beginning of a call until its request is there
  };

  // One call. Enter ... Leave; the intake holds its address in between.
  class Guest {
   public:
    explicit Guest(grpc_call* call) : call_(call) {}
    virtual ~Guest() = default;
    // Ends a call that still waits for its request. Called at most once, and then EndWaiting is false for ever.
    virtual void Expel(const absl::Status& why) = 0;

   private:
    friend class Intake;
    grpc_call* const call_;
    Guest* previous_ = nullptr;  // those that have entered, oldest first
    Guest* next_ = nullptr;
    absl::Time since_;  // when the request was first waited for
    bool entered_ = false;
    bool waiting_ = false;
    int64_t bytes_ = 0;
    std::string lasting_;  // the connection it counts for
  };

  explicit Intake(const Options& options);
  ~Intake();

  const Options& options() const { return options_; }

  // UNAVAILABLE while the server drains, RESOURCE_EXHAUSTED above a number.
  absl::Status Enter(Guest* guest);
  // The guest is a lasting stream of this connection. RESOURCE_EXHAUSTED if there are too many.
  absl::Status Last(Guest* guest, const std::string& connection);
  void Leave(Guest* guest);

  // Between the two, the guest may be expelled: too slow, or the server drains.
  void BeginWaiting(Guest* guest);
  // The request is there. False if the guest was expelled meanwhile: do not touch the call.
  bool EndWaiting(Guest* guest);

  // Counts `bytes` for the guest in place of what was counted before. UNAVAILABLE when they do not fit now,
  // RESOURCE_EXHAUSTED when they never do.
  absl::Status Charge(Guest* guest, int64_t bytes);

  // Lets nobody in any more, and expels those that wait.
  void Close();
  // Ends every call with UNAVAILABLE, whatever it does.
  void EndAll();
  // True once everybody has left.
  bool AwaitEmpty(absl::Time deadline);

 private:
  void Watch();
  // Those whose wait began before `limit`, no longer waiting.
  std::vector<Guest*> TakeWaiting(absl::Time limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  Mutex mu_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  Guest* oldest_ ABSL_GUARDED_BY(mu_) = nullptr;
  Guest* newest_ ABSL_GUARDED_BY(mu_) = nullptr;
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, int> lasting_ ABSL_GUARDED_BY(mu_);
  std::thread watch_;
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_INTAKE_H_
