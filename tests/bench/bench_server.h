// What the benchmark asks: a creamery-server with one trained model, and a server whose only handler is empty.
// Both are processes of their own on loopback, ended with the object.
#ifndef CREAMERY_TESTS_BENCH_BENCH_SERVER_H_
#define CREAMERY_TESTS_BENCH_BENCH_SERVER_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "creamery/v1/job.pb.h"

namespace grpc {
class Channel;
}

namespace creamery::bench {

// A child process. Ended with SIGTERM, and SIGKILL after ten seconds.
class Child {
 public:
  explicit Child(const std::vector<std::string>& argv);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  // Resident memory, MiB.
  double ResidentMib() const;

 private:
  pid_t pid_;
};

// Answers ProjectService.GetProject with an empty message, with nothing of ours in between. Runs until it is killed.
// Writes its address to `port_file`.
[[noreturn]] void ServeEmptyHandler(const std::string& port_file);

// Waits until `port_file` has an address and returns it. Ends the program if that takes more than 30 seconds.
std::string WaitForAddress(const std::string& port_file);

std::shared_ptr<grpc::Channel> Connect(const std::string& address);

// Uploads (n, d) normal rows as `projects/bench/datasets/{id}`; returns the bytes sent.
int64_t Upload(grpc::Channel& channel, const std::string& id, int64_t n, int64_t d);

// Trains a maf of 6 transforms of 50 x 50 on a dataset and waits; returns the job, with its last progress while it ran.
v1::Job Train(grpc::Channel& channel, const std::string& dataset_id, const std::string& model_id);

}  // namespace creamery::bench

#endif  // CREAMERY_TESTS_BENCH_BENCH_SERVER_H_
