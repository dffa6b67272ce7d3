#include "models/plan/masks.h"

namespace creamery {

std::vector<int64_t> InputDegrees(int64_t d, int64_t context_size) {
  std::vector<int64_t> degrees(context_size, 0);
  for (int64_t position = 0; position < d; ++position) degrees.push_back(position + 1);
  return degrees;
}

std::vector<int64_t> HiddenDegrees(int64_t d, int64_t units, int64_t context_size) {
  const int64_t lowest = context_size > 0 ? 0 : 1;
  const int64_t choices = d - lowest;
  if (choices <= 0) return {};
  std::vector<int64_t> degrees(units);
  for (int64_t unit = 0; unit < units; ++unit) degrees[unit] = lowest + unit * choices / units;
  return degrees;
}

std::vector<uint8_t> HiddenMask(absl::Span<const int64_t> in_degrees, absl::Span<const int64_t> out_degrees) {
  std::vector<uint8_t> mask;
  mask.reserve(in_degrees.size() * out_degrees.size());
  for (const int64_t out : out_degrees) {
    for (const int64_t in : in_degrees) mask.push_back(out >= in ? 1 : 0);
  }
  return mask;
}

std::vector<uint8_t> OutputMask(absl::Span<const int64_t> in_degrees, int64_t d, int64_t outputs_per_position) {
  std::vector<uint8_t> mask;
  mask.reserve(in_degrees.size() * d * outputs_per_position);
  for (int64_t row = 0; row < d * outputs_per_position; ++row) {
    const int64_t position = row / outputs_per_position;
    for (const int64_t in : in_degrees) mask.push_back(in <= position ? 1 : 0);
  }
  return mask;
}

}  // namespace creamery
