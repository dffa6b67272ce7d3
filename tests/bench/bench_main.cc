#include "tests/bench/bench_main.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <utility>

namespace creamery::bench {
namespace {

bool quick = false;

}  // namespace

bool Quick() { return quick; }

void Die(const std::string& message) {
  std::cerr << std::filesystem::canonical("/proc/self/exe").filename().string() << ": " << message << std::endl;
  std::exit(1);
}

void Initialize(int argc, char** argv) {
  static std::vector<std::string> arguments;  // Google Benchmark keeps the program's name where it is
  arguments.assign(argv, argv + argc);
  const auto is_quick = std::remove(arguments.begin(), arguments.end(), "--quick");
  quick = is_quick != arguments.end();
  arguments.erase(is_quick, arguments.end());
  std::vector<std::string> defaults = {"--benchmark_enable_random_interleaving=true"};
  if (quick) {
    defaults.insert(defaults.end(), {"--benchmark_repetitions=1", "--benchmark_min_time=0.001"});
  } else {
    defaults.insert(defaults.end(), {"--benchmark_repetitions=7", "--benchmark_min_time=0.05"});
  }
  arguments.insert(arguments.begin() + 1, defaults.begin(), defaults.end());
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) std::exit(2);
  benchmark::AddCustomContext("compiler", __VERSION__);
}

benchmark::internal::Benchmark* Case(const std::string& name, std::function<void(benchmark::State&)> run) {
  return benchmark::RegisterBenchmark(name.c_str(), std::move(run))->UseRealTime()->Unit(benchmark::kMicrosecond);
}

double Quantile(std::vector<double> values, double share) {
  if (values.empty()) return std::nan("");
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const size_t below = static_cast<size_t>(at);
  if (below + 1 == values.size()) return values.back();
  return values[below] + (at - static_cast<double>(below)) * (values[below + 1] - values[below]);
}

}  // namespace creamery::bench
