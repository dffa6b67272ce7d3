#include "tests/bench/peaks.h"

#include "models/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/peaks.cc"
#include <hwy/foreach_target.h>  // compiles this file once per instruction set
#include <hwy/highway.h>

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "models/plan/fused/math_inl.h"
#include "tests/bench/bench_main.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// Twelve sums: two units that each need four cycles keep eight busy; AVX2 has sixteen registers.
int64_t MultiplyAdds(int64_t rounds, float* sink) {
  const hn::ScalableTag<float> lanes;
  const auto a = hn::Set(lanes, 0.5f);
  const auto b = hn::Set(lanes, *sink);
  // Each starts elsewhere, or the compiler would keep only one.
  auto s0 = b, s1 = hn::Add(s0, a), s2 = hn::Add(s1, a), s3 = hn::Add(s2, a), s4 = hn::Add(s3, a), s5 = hn::Add(s4, a);
  auto s6 = hn::Add(s5, a), s7 = hn::Add(s6, a), s8 = hn::Add(s7, a), s9 = hn::Add(s8, a), s10 = hn::Add(s9, a);
  auto s11 = hn::Add(s10, a);
  for (int64_t i = 0; i < rounds; ++i) {
    s0 = hn::MulAdd(s0, a, b);
    s1 = hn::MulAdd(s1, a, b);
    s2 = hn::MulAdd(s2, a, b);
    s3 = hn::MulAdd(s3, a, b);
    s4 = hn::MulAdd(s4, a, b);
    s5 = hn::MulAdd(s5, a, b);
    s6 = hn::MulAdd(s6, a, b);
    s7 = hn::MulAdd(s7, a, b);
    s8 = hn::MulAdd(s8, a, b);
    s9 = hn::MulAdd(s9, a, b);
    s10 = hn::MulAdd(s10, a, b);
    s11 = hn::MulAdd(s11, a, b);
  }
  const auto sum =
      hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)),
              hn::Add(hn::Add(hn::Add(s4, s5), hn::Add(s6, s7)), hn::Add(hn::Add(s8, s9), hn::Add(s10, s11))));
  *sink = hn::GetLane(sum);
  return 12 * rounds * static_cast<int64_t>(hn::Lanes(lanes));
}

void TanhInPlace(float* numbers, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) Store(Tanh(Load(numbers + i)), numbers + i);
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace creamery {

HWY_EXPORT(MultiplyAdds);
HWY_EXPORT(TanhInPlace);

namespace bench {
namespace {

void PeakMultiplyAdds(benchmark::State& state) {
  int64_t count = 0;
  float sink = 0.25f;
  for (auto _ : state) count += HWY_DYNAMIC_DISPATCH(MultiplyAdds)(1000, &sink);
  benchmark::DoNotOptimize(sink);
  state.counters["per_second"] = benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsRate);
}

void PeakTanhs(benchmark::State& state) {
  constexpr int kCount = 2048;
  alignas(64) float numbers[kCount];
  for (int i = 0; i < kCount; ++i) numbers[i] = 0.002f * static_cast<float>(i - kCount / 2);
  for (auto _ : state) {
    HWY_DYNAMIC_DISPATCH(TanhInPlace)(numbers, kCount);
    benchmark::ClobberMemory();
  }
  state.counters["per_second"] =
      benchmark::Counter(kCount * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

}  // namespace

void AddPeakCases() {
  const int64_t compiled = HWY_TARGETS & hwy::SupportedTargets();
  benchmark::AddCustomContext("highway", absl::StrCat(HWY_MAJOR, ".", HWY_MINOR, ".", HWY_PATCH));
  benchmark::AddCustomContext("vectors", hwy::TargetName(compiled & -compiled));  // the lowest bit is the best
  Case("peak/multiply_adds", PeakMultiplyAdds);
  Case("peak/tanhs", PeakTanhs);
}

}  // namespace bench
}  // namespace creamery
#endif  // HWY_ONCE
