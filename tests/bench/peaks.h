// The most that one core can do of what a flow is made of, in the widest vectors it has.
#ifndef CREAMERY_TESTS_BENCH_PEAKS_H_
#define CREAMERY_TESTS_BENCH_PEAKS_H_

namespace creamery::bench {

// Adds the cases "peak/multiply_adds" and "peak/tanhs", whose counter `per_second` is a rate of float32 numbers: of
// multiply-adds on numbers in registers, none waiting for another, and of the kernels' tanh on numbers in the nearest
// cache. Says in the context which vectors they ran with.
void AddPeakCases();

}  // namespace creamery::bench

#endif  // CREAMERY_TESTS_BENCH_PEAKS_H_
