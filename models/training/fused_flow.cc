#include "models/training/fused_flow.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "models/training/fused_kernels.h"

namespace creamery {
namespace {

constexpr size_t kAlignment = 64;

int64_t RowOf(const FusedRows& rows, int64_t i) { return rows.index != nullptr ? rows.index[i] : i; }

}  // namespace

FusedFlow::Workspace::Workspace(const FusedFlow& flow) {
  const size_t count = kTiles * flow.layout_.lines * kTileRows;
  tiles_.reset(static_cast<float*>(std::aligned_alloc(kAlignment, count * sizeof(float))));
  std::fill(tiles_.get(), tiles_.get() + count, 0.0f);
}

// Rows beyond the last are copies of the last of no weight.
void FusedFlow::SetRows(const FusedRows& rows, int64_t begin, float* tile) const {
  const int64_t d = layout_.d;
  float* input = tile + layout_.layers.front().input * kTileRows;
  float* scale = tile + layout_.scale * kTileRows;
  const auto count = static_cast<float>(rows.count);
  for (int64_t lane = 0; lane < kTileRows; ++lane) {
    const int64_t row = RowOf(rows, std::min(begin + lane, rows.count - 1));
    scale[lane] = begin + lane < rows.count ? rows.weight[row] / count : 0.0f;
    const float* y = rows.y + row * d;
    for (int64_t i = 0; i < d; ++i) input[i * kTileRows + lane] = y[layout_.first[i]];
  }
}

double FusedFlow::TileLoss(const FusedRows& rows, int64_t begin, const float* tile) const {
  const FusedLayer& last = layout_.layers.back();
  const float* ladj = tile + layout_.ladj * kTileRows;
  const float* z = tile + last.output * kTileRows;
  const bool normal = last.kind == AutoregressiveLayer::Kind::kAffine;
  const float log_norm = normal ? static_cast<float>(0.5 * std::log(2 * M_PI) * static_cast<double>(layout_.d)) : 0.0f;
  float square[kTileRows] = {};
  for (int64_t i = 0; normal && i < layout_.d; ++i) {
    for (int64_t lane = 0; lane < kTileRows; ++lane) square[lane] += z[i * kTileRows + lane] * z[i * kTileRows + lane];
  }
  double loss = 0;
  const int64_t used = std::min(kTileRows, rows.count - begin);
  for (int64_t lane = 0; lane < used; ++lane) {
    const float log_prob = ladj[lane] - 0.5f * square[lane] - log_norm;
    loss -= static_cast<double>(rows.weight[RowOf(rows, begin + lane)]) * static_cast<double>(log_prob);
  }
  return loss;
}

double FusedFlow::LossAndGradient(absl::Span<const float> weights, const FusedRows& rows, Workspace& workspace,
                                  absl::Span<float> gradient, const StopToken& stop) const {
  std::fill(gradient.begin(), gradient.end(), 0.0f);
  double loss = 0;
  for (int64_t begin = 0; begin < rows.count && !stop.stop_requested();) {
    int64_t tiles = 0;
    for (; tiles < kTiles && begin < rows.count; ++tiles, begin += kTileRows) {
      float* tile = Tile(workspace, tiles);
      SetRows(rows, begin, tile);
      FusedForward(layout_, weights.data(), tile, stop);
      loss += TileLoss(rows, begin, tile);
    }
    FusedBackward(layout_, weights.data(), workspace.tiles_.get(), tiles, gradient.data(), stop);
  }
  return loss / static_cast<double>(rows.count);
}

double FusedFlow::Loss(absl::Span<const float> weights, const FusedRows& rows, Workspace& workspace,
                       const StopToken& stop) const {
  double loss = 0;
  for (int64_t begin = 0; begin < rows.count && !stop.stop_requested(); begin += kTileRows) {
    float* tile = Tile(workspace, 0);
    SetRows(rows, begin, tile);
    FusedForward(layout_, weights.data(), tile, stop);
    loss += TileLoss(rows, begin, tile);
  }
  return loss / static_cast<double>(rows.count);
}

}  // namespace creamery
