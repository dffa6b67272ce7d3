#include "models/plan/fused/fused_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "models/plan/fused/base.h"
#include "models/plan/fused/gradient_kernels.h"
#include "models/plan/fused/kernels.h"
#include "models/plan/gradient.h"
#include "models/plan/interpreter.h"
#include "models/plan/row_status.h"
#include "models/random.h"
#include "models/scratch.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Rows that are worth a small tile, and a large one, rather than several of the next smaller shape.
constexpr int64_t kEnoughForFew = 5;
constexpr int64_t kEnoughForMany = 33;

template <template <typename> class Memory, typename T>
size_t MemoryBytes(const PackedPlan<T>& plan) {
  return std::max({Memory<T>::Bytes(plan, 1), Memory<T>::Bytes(plan, kTileOfFew), Memory<T>::Bytes(plan, kTileOfMany)});
}

template <template <typename> class Memory, typename T>
Memory<T> MakeMemory(const PackedPlan<T>& plan, int64_t tile, void* memory) {
  return Memory<T>(plan, tile, memory);
}

// theta: (rows, d) -> y and log |det dy/dtheta|, in the memory's state and total.
template <typename T>
void ToLayers(const ColumnMaps& maps, const PackedPlan<T>& plan, const double* theta, int64_t rows, int64_t tile,
              KernelMemory<T>& memory) {
  if (tile == 1) {
    maps.ForwardOne(theta, memory.state, memory.ladj);
    std::fill(memory.state + plan.d, memory.state + plan.padded_d, 0.0);
    *memory.total = 0;
    for (int64_t j = 0; j < plan.d; ++j) *memory.total += memory.ladj[j];
  } else {
    maps.Forward(theta, rows, tile, memory.state, memory.total);
  }
}

// theta: (rows, d) -> z of the base and log p, in the memory's state and total.
template <typename T>
void ToBase(const ColumnMaps& maps, const PackedPlan<T>& plan, const double* theta, int64_t rows, int64_t tile,
            KernelMemory<T>& memory) {
  ToLayers(maps, plan, theta, rows, tile, memory);
  RunForward(plan, tile, memory);
}

// A log-density that the kernels vouch for: finite, or minus infinity.
bool IsTrusted(double log_prob) { return log_prob < kInfinity; }

}  // namespace

// Rounding is amplified by sharp networks, one layer after the other; how much is simplest to try.
FusedPlan::Packed FusedPlan::ChoosePrecision(const Plan& plan) {
  constexpr int64_t kRows = 256;
  constexpr double kMostLost = 1e-6;  // a tenth of what is promised, for rows rarer than one in 256
  if (!FitsFloat32(plan)) return PackedPlan<double>(plan);
  const FusedPlan wide(plan, PackedPlan<double>(plan));
  const FusedPlan narrow(plan, PackedPlan<float>(plan));
  std::vector<double> u(kRows * plan.d());
  std::vector<double> theta(u.size());
  std::vector<double> in_float64(kRows);
  std::vector<double> in_float32(kRows);
  RandomStream(0, RandomPurpose::kSample).Uniforms(0, kRows, plan.d(), u.data());
  const StopToken never;
  if (!wide.Inverse(u, absl::MakeSpan(theta), never).ok() ||
      !wide.LogProb(theta, absl::MakeSpan(in_float64), never).ok() ||
      !narrow.LogProb(theta, absl::MakeSpan(in_float32), never).ok()) {
    return wide.packed_;
  }
  for (int64_t i = 0; i < kRows; ++i) {
    const double most = kMostLost * std::max(1.0, std::abs(in_float64[i]));
    if (in_float32[i] != in_float64[i] && !(std::abs(in_float32[i] - in_float64[i]) <= most)) return wide.packed_;
  }
  return narrow.packed_;
}

FusedPlan::FusedPlan(const Plan& plan) : FusedPlan(plan, ChoosePrecision(plan)) {}

FusedPlan::FusedPlan(const Plan& plan, Packed packed)
    : plan_(plan),
      maps_(plan.columns),
      packed_(std::move(packed)),
      memory_bytes_(maps_.memory_bytes() +
                    std::visit([](const auto& packed) { return packed.memory_bytes(); }, packed_)),
      scratch_bytes_(std::visit([](const auto& packed) { return MemoryBytes<KernelMemory>(packed); }, packed_)),
      gradient_scratch_bytes_(
          std::visit([](const auto& packed) { return MemoryBytes<GradientMemory>(packed); }, packed_)) {}

template <template <typename> class Memory, typename Run>
absl::Status FusedPlan::ForEachTile(size_t bytes, int64_t n, int64_t smallest, const StopToken& stop,
                                    const Run& run) const {
  const Scratch scratch(bytes);
  return std::visit(
      [&](const auto& packed) -> absl::Status {
        for (int64_t row = 0; row < n;) {
          ABSL_RETURN_IF_ERROR(stop.Check());  // a tile of a large network takes a tenth of a second
          const int64_t rest = n - row;
          const int64_t tile = rest >= kEnoughForMany ? kTileOfMany : rest >= kEnoughForFew ? kTileOfFew : smallest;
          auto memory = MakeMemory<Memory>(packed, tile, scratch.data());
          ABSL_RETURN_IF_ERROR(run(packed, memory, Tile{row, std::min(rest, tile), tile}));
          row += tile;
        }
        return absl::OkStatus();
      },
      packed_);
}

absl::Status FusedPlan::LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                                const StopToken& stop) const {
  const int64_t d = plan_.d();
  const auto n = static_cast<int64_t>(log_prob.size());
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  return ForEachTile<KernelMemory>(scratch_bytes_, n, 1, stop, [&](const auto& packed, auto& memory, const Tile& tile) {
    ToBase(maps_, packed, &theta[tile.row * d], tile.rows, tile.lanes, memory);
    for (int64_t r = 0; r < tile.rows; ++r) {
      const int64_t row = tile.row + r;
      log_prob[row] = memory.total[r];
      if (IsTrusted(memory.total[r])) continue;
      ABSL_RETURN_IF_ERROR(PlanLogProb(plan_, theta.subspan(row * d, d), log_prob.subspan(row, 1), StopToken()));
    }
    return absl::OkStatus();
  });
}

absl::Status FusedPlan::LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob,
                                        absl::Span<double> gradient, const StopToken& stop) const {
  const int64_t d = plan_.d();
  const auto n = static_cast<int64_t>(log_prob.size());
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("gradient", gradient.size(), n, d));
  const auto run = [&](const auto& packed, auto& memory, const Tile& tile) -> absl::Status {
    const double* rows = &theta[tile.row * d];
    double* slopes = &gradient[tile.row * d];
    ToLayers(maps_, packed, rows, tile.rows, tile.lanes, memory.forward);
    RunGradient(packed, tile.lanes, memory);
    if (tile.lanes == 1) {
      maps_.GradientOne(rows, memory.adjoint, slopes);
    } else {
      maps_.Gradient(rows, memory.adjoint, tile.rows, tile.lanes, slopes);
    }
    for (int64_t r = 0; r < tile.rows; ++r) {
      const int64_t row = tile.row + r;
      const double total = memory.forward.total[r];
      const bool is_finite = memory.forward.size[r] == 0;
      if (!IsTrusted(total) || (std::isfinite(total) && !is_finite)) {
        ABSL_RETURN_IF_ERROR(PlanLogProbGradient(plan_, theta.subspan(row * d, d), log_prob.subspan(row, 1),
                                                 gradient.subspan(row * d, d), StopToken()));
        if (!IsTrusted(total)) continue;
      }
      log_prob[row] = total;
      if (total == -kInfinity) std::fill_n(slopes + r * d, d, 0.0);
    }
    return absl::OkStatus();
  };
  return ForEachTile<GradientMemory>(gradient_scratch_bytes_, n, 1, stop, run);
}

absl::Status FusedPlan::Inverse(absl::Span<const double> u, absl::Span<double> theta, const StopToken& stop) const {
  const int64_t d = plan_.d();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  return ForEachTile<KernelMemory>(
      scratch_bytes_, n, kTileOfFew, stop, [&](const auto& packed, auto& memory, const Tile& tile) {
        UnitToBase(&u[tile.row * d], d, tile.rows, tile.lanes, packed.is_normal, memory.state);
        RunInverse(packed, tile.lanes, memory);
        maps_.Inverse(memory.state, tile.rows, tile.lanes, &theta[tile.row * d]);
        for (int64_t r = 0; r < tile.rows; ++r) {
          const int64_t row = tile.row + r;
          if (IsTrusted(memory.total[r])) continue;
          ABSL_RETURN_IF_ERROR(PlanInverse(plan_, u.subspan(row * d, d), theta.subspan(row * d, d), StopToken()));
        }
        return absl::OkStatus();
      });
}

absl::Status FusedPlan::Forward(absl::Span<const double> theta, absl::Span<double> u, const StopToken& stop) const {
  const int64_t d = plan_.d();
  const int64_t n = static_cast<int64_t>(u.size()) / d;
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), n, d));
  return ForEachTile<KernelMemory>(scratch_bytes_, n, 1, stop, [&](const auto& packed, auto& memory, const Tile& tile) {
    ToBase(maps_, packed, &theta[tile.row * d], tile.rows, tile.lanes, memory);
    BaseToUnit(memory.state, d, tile.rows, tile.lanes, packed.is_normal, &u[tile.row * d]);
    for (int64_t r = 0; r < tile.rows; ++r) {
      const int64_t row = tile.row + r;
      if (std::isfinite(memory.total[r])) continue;
      if (IsTrusted(memory.total[r]) ||
          !PlanForward(plan_, theta.subspan(row * d, d), u.subspan(row * d, d), StopToken()).ok()) {
        return OutsideSupport(row);
      }
    }
    return absl::OkStatus();
  });
}

}  // namespace creamery
