// Rows into lanes and back, through the base.
#include "models/plan/fused/base.h"

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "models/random.h"

namespace creamery {
namespace {

constexpr double kUntouched = -7;
constexpr double kSmallest = std::numeric_limits<double>::min();
constexpr int64_t kStrides[] = {16, 64};

std::vector<double> Uniforms(int64_t rows, int64_t d) {
  std::vector<double> u(rows * d);
  RandomStream(1, RandomPurpose::kSample).Uniforms(0, rows, d, u.data());
  return u;
}

// All instruction sets that this processor has, the one that needs no vectors among them.
template <typename Check>
void OnEveryInstructionSet(const Check& check) {
  for (const int64_t target : {int64_t{HWY_AVX3}, int64_t{HWY_AVX2}, int64_t{HWY_STATIC_TARGET}}) {
    if ((hwy::SupportedTargets() & target) == 0) continue;
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    check();
    hwy::SetSupportedTargetsForTest(0);
  }
}

TEST(BaseTest, EveryNumberFindsItsPlaceAndTheWayBack) {
  OnEveryInstructionSet([] {
    for (const int64_t d : {1, 2, 3, 4, 7, 8, 9, 16, 26}) {
      for (const int64_t stride : kStrides) {
        for (const int64_t rows : {int64_t{1}, int64_t{5}, int64_t{8}, int64_t{15}, stride}) {
          const std::vector<double> u = Uniforms(rows, d);
          std::vector<double> z(d * stride + 1, kUntouched);
          UnitToBase(u.data(), d, rows, stride, /*is_normal=*/false, z.data());
          for (int64_t j = 0; j < d; ++j) {
            for (int64_t i = 0; i < stride; ++i) {
              ASSERT_EQ(z[j * stride + i], u[std::min(i, rows - 1) * d + j])
                  << d << ", " << rows << ": " << i << ", " << j;
            }
          }
          ASSERT_EQ(z.back(), kUntouched);
          std::vector<double> back(rows * d + 1, kUntouched);
          BaseToUnit(z.data(), d, rows, stride, /*is_normal=*/false, back.data());
          ASSERT_EQ(back.back(), kUntouched);
          back.pop_back();
          ASSERT_EQ(back, u) << d << ", " << rows;
        }
      }
    }
  });
}

TEST(BaseTest, NormalsAreTheQuantilesOfTheirPlaces) {
  OnEveryInstructionSet([] {
    constexpr int64_t kD = 5;
    const std::vector<double> u = Uniforms(64, kD);
    std::vector<double> quantiles(u.size());
    NormalQuantiles(u.data(), 64 * kD, quantiles.data());
    std::vector<double> z(u.size());
    UnitToBase(u.data(), kD, 64, 64, /*is_normal=*/true, z.data());
    for (int64_t i = 0; i < 64; ++i) {
      for (int64_t j = 0; j < kD; ++j) ASSERT_EQ(z[j * 64 + i], quantiles[i * kD + j]);
    }
    // One row, which already lies as it is asked for.
    std::vector<double> row(quantiles.begin(), quantiles.begin() + kD);
    std::vector<double> place(kD);
    BaseToUnit(row.data(), kD, 1, 1, /*is_normal=*/true, place.data());
    for (int64_t j = 0; j < kD; ++j) EXPECT_NEAR(place[j], u[j], 1e-15);
  });
}

TEST(BaseTest, PlacesKeepOffTheEnds) {
  OnEveryInstructionSet([] {
    const double u[] = {0, kSmallest, 0.25, 1 - 0x1p-53, 1};
    std::vector<double> z(5 * 16);
    UnitToBase(u, 5, 1, 16, /*is_normal=*/false, z.data());
    std::vector<double> places;
    for (int64_t j = 0; j < 5; ++j) places.push_back(z[j * 16]);
    EXPECT_EQ(places, (std::vector<double>{kSmallest, kSmallest, 0.25, 1 - 0x1p-53, 1 - 0x1p-53}));
    double far[] = {-40, 40};
    double back[2];
    BaseToUnit(far, 2, 1, 1, /*is_normal=*/true, back);
    EXPECT_EQ(back[0], kSmallest);
    EXPECT_EQ(back[1], 1 - 0x1p-53);
  });
}

}  // namespace
}  // namespace creamery
