// What the programs of this folder share: a command line, and how often and in what order cases run.
#ifndef CREAMERY_TESTS_BENCH_BENCH_MAIN_H_
#define CREAMERY_TESTS_BENCH_BENCH_MAIN_H_

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

namespace creamery::bench {

// True if --quick was given: the smallest cases, once, to see that they run. Their times mean nothing.
bool Quick();

// Reads the command line: --quick, and what Google Benchmark understands. Ends the program with 2 if it is wrong.
// Cases run seven times each, in random order, unless the command line says otherwise.
void Initialize(int argc, char** argv);

[[noreturn]] void Die(const std::string& message);

// Adds a case, measured by the clock on the wall. `name`: "what/.../who", so that those which differ in who alone are
// compared with each other.
benchmark::internal::Benchmark* Case(const std::string& name, std::function<void(benchmark::State&)> run);

// Values in order; `share` of them lie below: 0.5 is the median.
double Quantile(std::vector<double> values, double share);

}  // namespace creamery::bench

#endif  // CREAMERY_TESTS_BENCH_BENCH_MAIN_H_
