#include "server/rpc/open_streams.h"

#include <utility>

namespace creamery {

bool OpenStreams::Add(const std::shared_ptr<OpenStream>& stream) {
  MutexLock lock(&mu_);
  if (!draining_) streams_[stream.get()] = stream;
  return !draining_;
}

void OpenStreams::Remove(OpenStream* stream) {
  MutexLock lock(&mu_);
  streams_.erase(stream);
}

void OpenStreams::Drain() {
  std::map<OpenStream*, std::weak_ptr<OpenStream>> streams;
  {
    MutexLock lock(&mu_);
    draining_ = true;
    streams.swap(streams_);
  }
  for (const auto& [address, weak] : streams) {
    if (const std::shared_ptr<OpenStream> stream = weak.lock()) stream->Drain();
  }
}

}  // namespace creamery
