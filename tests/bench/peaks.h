// The most that one core can do of what a flow is made of, in the widest vectors it has.
#ifndef CREAMERY_TESTS_BENCH_PEAKS_H_
#define CREAMERY_TESTS_BENCH_PEAKS_H_

#include <cstdint>
#include <string>

namespace creamery::bench {

// Float32 multiply-adds on numbers in registers, none waiting for another; returns how many. `sink` receives a number,
// so that nothing is left out.
int64_t MultiplyAddBurst(int64_t rounds, float* sink);

// The tanh of the kernels, in place, on numbers in the nearest cache: `count`, a multiple of 64.
void TanhBurst(float* numbers, int64_t count);

// "AVX3", "AVX2" ...: what these ran with.
std::string VectorInstructions();
std::string HighwayVersion();

}  // namespace creamery::bench

#endif  // CREAMERY_TESTS_BENCH_PEAKS_H_
