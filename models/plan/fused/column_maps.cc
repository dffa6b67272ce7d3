#include "models/plan/fused/column_maps.h"

#include "models/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/plan/fused/column_maps.cc"
#include <hwy/foreach_target.h>  // compiles this file once per instruction set
#include <hwy/highway.h>

#include <algorithm>

#include "models/plan/fused/column_maps_inl.h"
#include "models/plan/fused/normal64_inl.h"

HWY_BEFORE_NAMESPACE();
namespace creamery {
namespace HWY_NAMESPACE {

// Column `j` of (rows, d) numbers into a line, the last row again in the rest of `padded` rows.
HWY_INLINE void ReadLine(const double* numbers, int64_t d, int64_t j, int64_t rows, int64_t padded, double* line) {
  for (int64_t i = 0; i < rows; ++i) line[i] = numbers[i * d + j];
  for (int64_t i = rows; i < padded; ++i) line[i] = line[rows - 1];
}

void MapForwardTile(const ColumnBlocks& blocks, const double* theta, int64_t rows, int64_t stride, double* y,
                    double* ladj) {
  const auto d = static_cast<int64_t>(blocks.places.size());
  const auto padded = Padded<double>(rows);
  for (int64_t i = 0; i < padded; i += kLanes64) Store64(hn::Zero(Lanes64()), ladj + i);
  for (int64_t j = 0; j < d; ++j) {
    const OneColumn column(blocks.blocks[blocks.places[j].block], blocks.places[j].column);
    double* line = y + j * stride;
    ReadLine(theta, d, j, rows, padded, line);
    for (int64_t i = 0; i < padded; i += kLanes64) {
      const Mapped64 at = ForwardLanes<false>(column, Load64(line + i));
      Store64(at.y, line + i);
      Store64(hn::Add(Load64(ladj + i), at.ladj), ladj + i);
    }
  }
}

void MapInverseTile(const ColumnBlocks& blocks, const double* y, int64_t rows, int64_t stride, double* theta) {
  const auto d = static_cast<int64_t>(blocks.places.size());
  for (int64_t j = 0; j < d; ++j) {
    const OneColumn column(blocks.blocks[blocks.places[j].block], blocks.places[j].column);
    for (int64_t i = 0; i < rows; i += kLanes64) {
      double mapped[kLanes64];
      Store64(InverseLanes(column, Load64(y + j * stride + i)), mapped);
      for (int64_t k = 0; k < std::min(kLanes64, rows - i); ++k) theta[(i + k) * d + j] = mapped[k];
    }
  }
}

void MapGradientTile(const ColumnBlocks& blocks, const double* theta, const double* y_adjoint, int64_t rows,
                     int64_t stride, double* gradient) {
  const auto d = static_cast<int64_t>(blocks.places.size());
  for (int64_t j = 0; j < d; ++j) {
    const OneColumn column(blocks.blocks[blocks.places[j].block], blocks.places[j].column);
    for (int64_t i = 0; i < rows; i += kLanes64) {
      const int64_t count = std::min(kLanes64, rows - i);
      double line[kLanes64];
      ReadLine(theta + i * d, d, j, count, kLanes64, line);
      Store64(GradientLanes(column, Load64(line), Load64(y_adjoint + j * stride + i)), line);
      for (int64_t k = 0; k < count; ++k) gradient[(i + k) * d + j] = line[k];
    }
  }
}

// Calls run(maps, columns, count) for the columns of every block, a vector of them at a time.
template <typename Run>
HWY_INLINE void ForColumns(const ColumnBlocks& blocks, const Run& run) {
  for (const ColumnBlock& block : blocks.blocks) {
    const auto count = static_cast<int64_t>(block.columns.size());
    for (int64_t first = 0; first < count; first += kLanes64) {
      run(ManyColumns(block, first), &block.columns[first], std::min(kLanes64, count - first));
    }
  }
}

// The numbers of some columns, that of the first again in the rest of the vector.
HWY_INLINE Vector64 ReadColumns(const double* numbers, const int64_t* columns, int64_t count) {
  double lanes[kLanes64];
  for (int64_t k = 0; k < kLanes64; ++k) lanes[k] = numbers[columns[k < count ? k : 0]];
  return Load64(lanes);
}

HWY_INLINE void WriteColumns(Vector64 value, const int64_t* columns, int64_t count, double* numbers) {
  double lanes[kLanes64];
  Store64(value, lanes);
  for (int64_t k = 0; k < count; ++k) numbers[columns[k]] = lanes[k];
}

void MapForwardRow(const ColumnBlocks& blocks, const double* theta, double* y, double* ladj) {
  ForColumns(blocks, [&](const ManyColumns& maps, const int64_t* columns, int64_t count) HWY_ATTR {
    const Mapped64 at = ForwardLanes<false>(maps, ReadColumns(theta, columns, count));
    WriteColumns(at.y, columns, count, y);
    WriteColumns(at.ladj, columns, count, ladj);
  });
}

void MapInverseRow(const ColumnBlocks& blocks, const double* y, double* theta) {
  ForColumns(blocks, [&](const ManyColumns& maps, const int64_t* columns, int64_t count) HWY_ATTR {
    WriteColumns(InverseLanes(maps, ReadColumns(y, columns, count)), columns, count, theta);
  });
}

void MapGradientRow(const ColumnBlocks& blocks, const double* theta, const double* y_adjoint, double* gradient) {
  ForColumns(blocks, [&](const ManyColumns& maps, const int64_t* columns, int64_t count) HWY_ATTR {
    const Vector64 value = ReadColumns(theta, columns, count);
    WriteColumns(GradientLanes(maps, value, ReadColumns(y_adjoint, columns, count)), columns, count, gradient);
  });
}

template <typename Function>
HWY_INLINE void ForVectors(const double* in, int64_t count, double* out, const Function& function) {
  for (int64_t i = 0; i < count; i += kLanes64) {
    const int64_t lanes = std::min(kLanes64, count - i);
    double some[kLanes64];
    for (int64_t k = 0; k < kLanes64; ++k) some[k] = in[i + std::min(k, lanes - 1)];
    Store64(function(Load64(some)), some);
    std::copy_n(some, lanes, out + i);
  }
}

void QuantileVectors(const double* p, int64_t count, double* x) {
  ForVectors(p, count, x, [](Vector64 u) HWY_ATTR { return NormalQuantile({u, hn::Sub(Number64(1), u)}); });
}

void CdfVectors(const double* x, int64_t count, double* p) {
  ForVectors(x, count, p, [](Vector64 z) HWY_ATTR { return NormalCdf(z).below; });
}

}  // namespace HWY_NAMESPACE
}  // namespace creamery
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace creamery {

HWY_EXPORT(MapForwardTile);
HWY_EXPORT(MapInverseTile);
HWY_EXPORT(MapGradientTile);
HWY_EXPORT(MapForwardRow);
HWY_EXPORT(MapInverseRow);
HWY_EXPORT(MapGradientRow);
HWY_EXPORT(QuantileVectors);
HWY_EXPORT(CdfVectors);

void ColumnMaps::Forward(const double* theta, int64_t rows, int64_t stride, double* y, double* ladj) const {
  HWY_DYNAMIC_DISPATCH(MapForwardTile)(blocks_, theta, rows, stride, y, ladj);
}

void ColumnMaps::Inverse(const double* y, int64_t rows, int64_t stride, double* theta) const {
  HWY_DYNAMIC_DISPATCH(MapInverseTile)(blocks_, y, rows, stride, theta);
}

void ColumnMaps::Gradient(const double* theta, const double* y_adjoint, int64_t rows, int64_t stride,
                          double* gradient) const {
  HWY_DYNAMIC_DISPATCH(MapGradientTile)(blocks_, theta, y_adjoint, rows, stride, gradient);
}

void ColumnMaps::ForwardOne(const double* theta, double* y, double* ladj) const {
  HWY_DYNAMIC_DISPATCH(MapForwardRow)(blocks_, theta, y, ladj);
}

void ColumnMaps::InverseOne(const double* y, double* theta) const {
  HWY_DYNAMIC_DISPATCH(MapInverseRow)(blocks_, y, theta);
}

void ColumnMaps::GradientOne(const double* theta, const double* y_adjoint, double* gradient) const {
  HWY_DYNAMIC_DISPATCH(MapGradientRow)(blocks_, theta, y_adjoint, gradient);
}

void NormalQuantiles(const double* p, int64_t count, double* x) { HWY_DYNAMIC_DISPATCH(QuantileVectors)(p, count, x); }

void NormalCdfs(const double* x, int64_t count, double* p) { HWY_DYNAMIC_DISPATCH(CdfVectors)(x, count, p); }

}  // namespace creamery
#endif  // HWY_ONCE
