// Threads that must not stand in the way of answers.
#ifndef CREAMERY_SERVER_LOW_PRIORITY_H_
#define CREAMERY_SERVER_LOW_PRIORITY_H_

#include <sys/resource.h>

namespace creamery {

// The calling thread gives way to the others of this machine from now on. On Linux a nice value is a thread's own.
inline void RunAtLowPriority() {
  constexpr int kNice = 10;
  setpriority(PRIO_PROCESS, 0, kNice);
}

}  // namespace creamery

#endif  // CREAMERY_SERVER_LOW_PRIORITY_H_
