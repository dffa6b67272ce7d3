// Streams that would stay open for as long as their clients like: when the server drains, it asks them to end.
#ifndef CREAMERY_SERVER_RPC_OPEN_STREAMS_H_
#define CREAMERY_SERVER_RPC_OPEN_STREAMS_H_

#include <map>
#include <memory>

#include "proto/support/mutex.h"

namespace creamery {

// One of them.
class OpenStream {
 public:
  virtual ~OpenStream() = default;
  // Answers what has been read, then ends with UNAVAILABLE. Does not block; called at most once, and perhaps after the
  // stream has ended by itself.
  virtual void Drain() = 0;
};

// Thread-safe.
class OpenStreams {
 public:
  // False if the server drains already: the stream must end at once.
  bool Add(const std::shared_ptr<OpenStream>& stream);
  void Remove(OpenStream* stream);
  // Asks all of them to end, and lets no more in.
  void Drain();

 private:
  Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  std::map<OpenStream*, std::weak_ptr<OpenStream>> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_RPC_OPEN_STREAMS_H_
