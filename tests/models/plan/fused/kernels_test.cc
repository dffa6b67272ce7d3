// The incremental inverse against the one it saves the work of, and the memory that kernels and densities work in.
#include "models/plan/fused/kernels.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>
#include <vector>

#include "absl/base/attributes.h"
#include "models/densities/density_tree.h"
#include "models/random.h"
#include "models/scratch.h"
#include "tests/models/densities/random_tree.h"
#include "tests/models/plan/random_plan.h"
#include "tests/status_matchers.h"

namespace {
std::atomic<int64_t> allocations{0};

void* Count(size_t bytes, size_t alignment) {
  ++allocations;
  void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

// Where only one of a pair is inlined, GCC warns of memory that does not belong to it.
ABSL_ATTRIBUTE_NOINLINE void* operator new(size_t bytes) { return Count(bytes, 16); }
ABSL_ATTRIBUTE_NOINLINE void* operator new(size_t bytes, std::align_val_t alignment) {
  return Count(bytes, static_cast<size_t>(alignment));
}
ABSL_ATTRIBUTE_NOINLINE void operator delete(void* memory) noexcept { std::free(memory); }
ABSL_ATTRIBUTE_NOINLINE void operator delete(void* memory, size_t) noexcept { std::free(memory); }
ABSL_ATTRIBUTE_NOINLINE void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
ABSL_ATTRIBUTE_NOINLINE void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace creamery {
namespace {

using Kind = AutoregressiveLayer::Kind;

// One affine layer and nothing else.
Plan OneLayer(int64_t d) {
  Plan plan = SizedPlan(Kind::kAffine, d, {1, {17, 33}, 0, 0.4, 0.3}, 7);
  plan.whitening.clear();
  return plan;
}

// The same layer with a network that says `mu` and `alpha` of each column, whatever the inputs.
Plan Constant(const Plan& plan, const std::vector<float>& mu, const std::vector<float>& alpha) {
  Plan constant = plan;
  AutoregressiveLayer& layer = constant.layers[0];
  for (Linear& linear : layer.network) {
    std::fill(linear.weight.begin(), linear.weight.end(), 0.0f);
    std::fill(linear.bias.begin(), linear.bias.end(), 0.0f);
  }
  for (size_t i = 0; i < layer.order.size(); ++i) {
    layer.network.back().bias[2 * i] = mu[layer.order[i]];
    layer.network.back().bias[2 * i + 1] = alpha[layer.order[i]];
  }
  return constant;
}

template <typename T>
std::vector<double> InverseOf(const PackedPlan<T>& plan, const std::vector<double>& z) {
  const ScratchArray<char> bytes(KernelMemory<T>::Bytes(plan, kTileOfFew));
  KernelMemory<T> memory(plan, kTileOfFew, bytes.data());
  for (int64_t i = 0; i < plan.d * kTileOfFew; ++i) memory.state[i] = z[i / kTileOfFew];
  RunInverse(plan, kTileOfFew, memory);
  std::vector<double> y;
  for (int64_t j = 0; j < plan.d; ++j) y.push_back(memory.state[j * kTileOfFew]);
  return y;
}

// What the whole network says of a row: mu, then alpha, by column.
template <typename T>
std::vector<float> NetworkOf(const PackedPlan<T>& plan, const std::vector<double>& y) {
  const ScratchArray<char> bytes(KernelMemory<T>::Bytes(plan, 1));
  KernelMemory<T> memory(plan, 1, bytes.data());
  std::fill(memory.state, memory.state + plan.padded_d, 0.0);
  std::copy(y.begin(), y.end(), memory.state);
  *memory.total = 0;
  RunForward(plan, 1, memory);
  std::vector<float> numbers;
  for (int k = 0; k < 2; ++k) {
    for (int64_t j = 0; j < plan.d; ++j) numbers.push_back(static_cast<float>(memory.raw[k * plan.padded_d + j]));
  }
  return numbers;
}

TEST(IncrementalInverseTest, HasTheBitsOfTheInverseThatTakesAWholePassForEachColumn) {
  for (const int64_t d : {1, 2, 3, 6, 26}) {
    const Plan plan = OneLayer(d);
    const PackedPlan<float> packed(plan);
    const RandomStream random(3, RandomPurpose::kStatistics);
    for (int64_t row = 0; row < 5; ++row) {
      std::vector<double> z;
      for (int64_t j = 0; j < d; ++j) z.push_back(random.Normal(row, static_cast<uint32_t>(j)));
      std::vector<double> y(d, 0.0);  // of positions not reached yet: not seen by those reached
      for (int64_t i = 0; i < d; ++i) {
        const std::vector<float> numbers = NetworkOf(packed, y);
        const Plan constant =
            Constant(plan, {numbers.begin(), numbers.begin() + d}, {numbers.begin() + d, numbers.end()});
        const int64_t column = plan.layers[0].order[i];
        y[column] = InverseOf(PackedPlan<float>(constant), z)[column];
      }
      EXPECT_EQ(InverseOf(packed, z), y) << "d " << d << ", row " << row;
    }
  }
}

TEST(ScratchTest, CallsWithinCallsHaveMemoryOfTheirOwnThatIsUsedAgain) {
  void* first = nullptr;
  {
    const Scratch outer(1000);
    first = outer.data();
    const Scratch inner(5000);
    EXPECT_NE(inner.data(), outer.data());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(inner.data()) % 64, 0u);
    const Scratch deeper(100);
    EXPECT_EQ(outer.data(), first);
  }
  const int64_t before = allocations;
  const Scratch again(1000);
  const Scratch inner(4000);
  EXPECT_EQ(again.data(), first);
  EXPECT_EQ(allocations, before);
}

class AllocationTest : public ::testing::TestWithParam<NamedTree> {};

TEST_P(AllocationTest, AWarmThreadAnswersWithoutAllocating) {
  const std::unique_ptr<Density> density = MakeDensity(GetParam().tree);
  const int64_t d = density->num_parameters();
  std::vector<double> u(100 * d), theta(100 * d), log_prob(100), gradient(100 * d);
  RandomStream(8, RandomPurpose::kStatistics).Uniforms(0, 100, d, u.data());
  const StopToken stop;
  int64_t before = 0;
  for (int round = 0; round < 2; ++round) {
    before = allocations;
    for (const size_t rows : {1, 100}) {
      const size_t numbers = rows * d;
      const absl::Span<double> draws = absl::MakeSpan(theta).first(numbers);
      EXPECT_TRUE(density->PriorTransform(absl::MakeSpan(u).first(numbers), draws, stop).ok());
      EXPECT_TRUE(density->LogProb(draws, absl::MakeSpan(log_prob).first(rows), stop).ok());
      EXPECT_TRUE(density
                      ->LogProbGradient(draws, absl::MakeSpan(log_prob).first(rows),
                                        absl::MakeSpan(gradient).first(numbers), stop)
                      .ok());
      EXPECT_TRUE(density->InversePriorTransform(draws, absl::MakeSpan(u).first(numbers), stop).ok());
    }
  }
  EXPECT_EQ(allocations - before, 0);
}

// All but kernel densities, which take milliseconds.
std::vector<NamedTree> Trees() {
  const auto flow = [](Kind kind, int64_t d, uint64_t seed) { return FlowTree(RandomPlan(kind, d, seed)); };
  std::vector<NamedTree> trees;
  trees.push_back({"Affine", flow(Kind::kAffine, 2, 1)});
  trees.push_back({"Spline", flow(Kind::kSpline, 3, 2)});
  trees.push_back({"Mixture", MakeMixture({0.6, 0.4}, {flow(Kind::kSpline, 2, 3), flow(Kind::kSpline, 2, 4)})});
  trees.push_back({"Product", MakeProduct({{2}, {0, 1}}, {flow(Kind::kSpline, 1, 5), flow(Kind::kAffine, 2, 6)})});
  trees.push_back({"Deep", MakeMixture({0.5, 0.5}, {trees.back().tree, trees.back().tree})});
  return trees;
}
INSTANTIATE_TEST_SUITE_P(Trees, AllocationTest, testing::ValuesIn(Trees()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace creamery
