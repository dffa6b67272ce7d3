// A training on the server, which goes on whether somebody holds this handle or not.
#ifndef CREAMERY_CLIENT_CPP_JOB_H_
#define CREAMERY_CLIENT_CPP_JOB_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/analyses.h"
#include "client/cpp/model.h"
#include "creamery/v1/job.pb.h"

namespace creamery {

class Connection;

// True for SUCCEEDED, FAILED and CANCELLED.
bool HasEnded(v1::JobState state);

// The error a job ended with: OK for SUCCEEDED, CANCELLED, or the code and the words of its failure.
absl::Status JobStatus(const v1::Job& job);

// Cheap to copy, thread-safe.
class Job {
 public:
  Job(std::shared_ptr<Connection> connection, std::string name)
      : connection_(std::move(connection)), name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  absl::StatusOr<v1::Job> Get() const;
  // Asks it to stop; returns at once.
  absl::StatusOr<v1::Job> Cancel() const;
  // Returns the job once it has ended, whatever its end; calls `progress` at every change before. Goes on over
  // restarts of the server, and gives up with UNAVAILABLE after `patience` without it.
  absl::StatusOr<v1::Job> Wait(const std::function<void(const v1::Job&)>& progress = nullptr,
                               absl::Duration patience = absl::Minutes(5)) const;
  // Waits, then returns the version it made, or the error it ended with.
  absl::StatusOr<Model> Result(const std::function<void(const v1::Job&)>& progress = nullptr) const;
  // The same for the job of a joint posterior: its statistics and samples.
  absl::StatusOr<JointAnswer> JointResult(const std::function<void(const v1::Job&)>& progress = nullptr) const;

 private:
  std::shared_ptr<Connection> connection_;
  std::string name_;
};

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_JOB_H_
