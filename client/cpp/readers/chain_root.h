// Which files a sampler wrote for one run, found by what its names look like; nothing but names is looked at.
#ifndef CREAMERY_CLIENT_CPP_READERS_CHAIN_ROOT_H_
#define CREAMERY_CLIENT_CPP_READERS_CHAIN_ROOT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace creamery {

enum class Sampler {
  kGetDist,      // root.txt or root_1.txt, root_2.txt, …; CosmoMC
  kCobaya,       // root.1.txt, root.2.txt, …
  kMontePython,  // root__1.txt, …, beside log.param
  kPolyChord,    // root_dead-birth.txt, root.txt
  kMultiNest,    // rootdead-birth.txt, root.txt
};

struct ChainFile {
  int64_t chain = 0;
  bool numbered = false;  // the name ends in the number of the chain
  std::string path;
};

struct ChainRoot {
  Sampler sampler = Sampler::kGetDist;
  std::string root;               // what the names of all files begin with: root + ".paramnames"
  std::string dead_birth;         // the dead points of a nested-sampling run; empty: `chains` are to be read
  std::vector<ChainFile> chains;  // by number
};

// The run of a root (`chains/run`), of one of its files, or of a folder with one run. Given one of several numbered
// files, the first stands for all of them, another for itself alone. NOT_FOUND if there is none; INVALID_ARGUMENT for a
// folder with several, and for a run that the command line cannot read: names the call of Python that reads it.
absl::StatusOr<ChainRoot> FindChains(const std::string& path);

// `creamery.read_chains("root")`, for messages.
std::string PythonCall(absl::string_view root);

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_READERS_CHAIN_ROOT_H_
