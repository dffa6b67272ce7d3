#include "models/scratch.h"

#include <vector>

#include "models/plan/fused/aligned.h"

namespace creamery {
namespace {

struct Stack {
  std::vector<AlignedVector<char>> levels;
  size_t depth = 0;
};

thread_local Stack stack;

}  // namespace

Scratch::Scratch(size_t bytes) {
  if (stack.depth == stack.levels.size()) stack.levels.emplace_back();
  AlignedVector<char>& level = stack.levels[stack.depth++];
  if (level.size() < bytes) {
    level.clear();  // nothing to be copied
    level.resize(bytes);
  }
  data_ = level.data();
}

Scratch::~Scratch() { --stack.depth; }

}  // namespace creamery
