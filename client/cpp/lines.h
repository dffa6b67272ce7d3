// Calls that stay open between small questions: over one, a question and its answer take two thirds of the time of a
// call of their own. Internal: gRPC is in it.
#ifndef CREAMERY_CLIENT_CPP_LINES_H_
#define CREAMERY_CLIENT_CPP_LINES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "creamery/v1/inference_service.pb.h"
#include "proto/support/mutex.h"

namespace creamery {

class Connection;

// Thread-safe: each line carries one question at a time, and a question that finds none free opens one.
class Lines {
 public:
  // `connection` must outlive this.
  explicit Lines(const Connection& connection);
  ~Lines();

  // The answer to a question whose model is the full name of a version. Repeated while the server is UNAVAILABLE;
  // DEADLINE_EXCEEDED after the connection's timeout or, over a line that was open, after half of it at the earliest.
  absl::StatusOr<v1::LogProbResponse> Ask(const v1::LogProbStreamRequest& request);

 private:
  struct Line;

  std::unique_ptr<Line> Dial(const std::string& version) const;
  // A free line to the version; null without one.
  std::unique_ptr<Line> Take(const std::string& version);
  void Keep(std::unique_ptr<Line> line);

  const Connection& connection_;
  Mutex mu_;
  std::vector<std::unique_ptr<Line>> free_ ABSL_GUARDED_BY(mu_);  // the one used last at the end
};

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_LINES_H_
