#include "models/statistics/tension.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/random.h"

namespace creamery {
namespace {

// With an even number of degrees of freedom P(chi^2_2k > x) = exp(-x/2) sum_{i < k} (x/2)^i / i!; with one, erfc.
TEST(ChiSquaredTest, AgreesWithTheFormsThatAreElementary) {
  EXPECT_NEAR(LogChiSquaredSurvival(3, 2), -1.5, 1e-13);
  EXPECT_NEAR(LogChiSquaredSurvival(4, 4), -2 + std::log(3.0), 1e-13);
  EXPECT_NEAR(LogChiSquaredSurvival(30, 6), -15 + std::log(1 + 15 + 112.5), 1e-12);
  EXPECT_NEAR(LogChiSquaredSurvival(9, 1), std::log(std::erfc(3 / std::sqrt(2.0))), 1e-12);
  EXPECT_NEAR(LogChiSquaredSurvival(0.01, 1), std::log(std::erfc(0.1 / std::sqrt(2.0))), 1e-13);
}

TEST(ChiSquaredTest, AgreesWithTabulatedQuantiles) {  // Abramowitz & Stegun, table 26.8
  EXPECT_NEAR(std::exp(LogChiSquaredSurvival(11.0705, 5)), 0.05, 1e-6);
  EXPECT_NEAR(std::exp(LogChiSquaredSurvival(18.3070, 10)), 0.05, 1e-6);
  EXPECT_NEAR(std::exp(LogChiSquaredSurvival(135.807, 100)), 0.01, 1e-6);
  EXPECT_NEAR(std::exp(LogChiSquaredSurvival(1.14548, 5)), 0.95, 1e-6);
}

// d/dx of the survival is minus the density, also for dof that are not whole and across the switch of expansions.
TEST(ChiSquaredTest, ItsSlopeIsTheDensityForRealDegreesOfFreedom) {
  for (const double dof : {0.3, 1.7, 4.6, 12.5}) {
    for (const double x : {0.2, 1.5, dof + 2, 9.0, 40.0}) {
      const double h = 1e-4 * x;
      const double slope =
          (std::exp(LogChiSquaredSurvival(x + h, dof)) - std::exp(LogChiSquaredSurvival(x - h, dof))) / (2 * h);
      const double density = std::exp((dof / 2 - 1) * std::log(x / 2) - x / 2 - std::lgamma(dof / 2)) / 2;
      EXPECT_NEAR(slope, -density, 1e-6 * density + 1e-9) << dof << " " << x;
    }
  }
}

TEST(ChiSquaredTest, IsFiniteFarOutAndOneBelowZero) {
  EXPECT_EQ(LogChiSquaredSurvival(-3, 2), 0);
  EXPECT_NEAR(LogChiSquaredSurvival(5000, 2), -2500, 1e-9);
}

TEST(SigmaTest, IsTheNormalsTwoSidedQuantile) {
  EXPECT_NEAR(SigmaOfLogP(std::log(0.31731050786291415)), 1, 1e-12);
  EXPECT_NEAR(SigmaOfLogP(std::log(5.7330314375838782e-7)), 5, 1e-12);
  EXPECT_EQ(SigmaOfLogP(0), 0);
  for (const double sigma : {0.01, 0.5, 3.0, 8.0, 37.0}) {
    EXPECT_NEAR(SigmaOfLogP(std::log(std::erfc(sigma / std::sqrt(2.0)))), sigma, 1e-10) << sigma;
  }
  // Where erfc underflows: log erfc(z) = -z^2 - log(z sqrt(pi)) + ..., z = 100.
  EXPECT_NEAR(SigmaOfLogP(-1e4 - std::log(100 * std::sqrt(M_PI)) - 1 / 2e4), 100 * std::sqrt(2.0), 1e-7);
}

// Two parameters in perfect accord: log S = d/2 - chi^2/2, so chi^2 = 0 has p = 1; chi^2 = 9 of one is 3 sigma.
TEST(TensionTest, GaussiansOfKnownChiSquared) {
  EXPECT_EQ(TensionOf(1, 2)->p_value, 1);
  EXPECT_EQ(TensionOf(1, 2)->sigma, 0);
  EXPECT_NEAR(TensionOf(0.5 - 4.5, 1)->sigma, 3, 1e-10);
  EXPECT_NEAR(TensionOf(0.5 - 4.5, 1)->p_value, 0.0026997960632601866, 1e-12);
  EXPECT_FALSE(TensionOf(1, 0).has_value());
  EXPECT_FALSE(TensionOf(1, -0.5).has_value());
}

TEST(TensionTest, EndsMoveWithTheErrors) {
  v1::JointStatistics statistics;
  statistics.mutable_log_suspiciousness()->set_value(-4);
  statistics.mutable_log_suspiciousness()->set_error(0.5);
  statistics.mutable_dimensionality()->set_value(1);
  FillTension(statistics);
  EXPECT_NEAR(statistics.sigma(), 3, 1e-10);
  EXPECT_NEAR(statistics.sigma_low(), std::sqrt(8.0), 1e-10);
  EXPECT_NEAR(statistics.sigma_high(), std::sqrt(10.0), 1e-10);
  statistics.mutable_dimensionality()->set_error(2);  // one end of d is negative: left out
  FillTension(statistics);
  EXPECT_LT(statistics.sigma_low(), std::sqrt(8.0));
  statistics.Clear();
  statistics.mutable_dimensionality()->set_value(-0.1);
  FillTension(statistics);
  EXPECT_FALSE(statistics.has_sigma());
  EXPECT_FALSE(statistics.has_p_value());
}

v1::JointStatistics StatisticsOf(double log_s, double log_s_error, double d, double d_error, double correlation = 0) {
  v1::JointStatistics statistics;
  statistics.mutable_log_suspiciousness()->set_value(log_s);
  statistics.mutable_log_suspiciousness()->set_error(log_s_error);
  statistics.mutable_dimensionality()->set_value(d);
  statistics.mutable_dimensionality()->set_error(d_error);
  FillTension(statistics, correlation);
  return statistics;
}

// d uncertain enough that its lower end is not positive once made the estimate the upper end of its own range.
TEST(TensionTest, TheEstimateLiesInsideTheRangeWhateverTheErrors) {
  for (const double log_s : {-20.0, -6.0, -1.0, 0.2}) {
    for (const double d : {0.5, 1.0, 3.0, 8.0}) {
      for (const double log_s_error : {0.3, 4.0}) {
        for (const double d_error : {0.0, 0.5, 3.0, 20.0}) {
          const v1::JointStatistics s = StatisticsOf(log_s, log_s_error, d, d_error);
          EXPECT_GT(s.sigma_high(), s.sigma() + 1e-3) << log_s << " " << d << " " << log_s_error << " " << d_error;
          if (s.sigma() > 0) {
            EXPECT_LT(s.sigma_low(), s.sigma() - 1e-4);
          }
          EXPECT_GE(s.sigma_low(), 0);
        }
      }
    }
  }
  const v1::JointStatistics exact = StatisticsOf(-4, 0, 1, 0);
  EXPECT_EQ(exact.sigma_low(), exact.sigma());
  EXPECT_EQ(exact.sigma_high(), exact.sigma());
}

// Small errors: sigma is linear, and its error that of its slopes; correlated errors that cancel leave a small one.
TEST(TensionTest, SmallErrorsAndTheirCorrelationPropagate) {
  const double ds = (TensionOf(-6 + 1e-4, 3)->sigma - TensionOf(-6 - 1e-4, 3)->sigma) / 2e-4;
  const double dd = (TensionOf(-6, 3 + 1e-4)->sigma - TensionOf(-6, 3 - 1e-4)->sigma) / 2e-4;
  for (const double rho : {-0.9, 0.0, 0.9}) {
    const v1::JointStatistics s = StatisticsOf(-6, 0.02, 3, 0.03, rho);
    const double a = 0.02 * ds;
    const double b = 0.03 * dd;
    const double error = std::sqrt(a * a + b * b + 2 * rho * a * b);
    EXPECT_NEAR(s.sigma_high() - s.sigma(), error, 0.02 * error) << rho;
    EXPECT_NEAR(s.sigma() - s.sigma_low(), error, 0.02 * error) << rho;
  }
}

// Estimates scattered about a truth by their stated errors: the range holds the true sigma two times in three.
TEST(TensionTest, TheRangeHoldsTheTruthAsOftenAsItSays) {
  constexpr int kTries = 300;
  const double truth = TensionOf(-9, 3)->sigma;
  const RandomStream random(1, RandomPurpose::kStatistics);
  int within = 0;
  int above = 0;
  for (int i = 0; i < kTries; ++i) {
    const v1::JointStatistics s = StatisticsOf(-9 + 2 * random.Normal(i, 0), 2, 3 + 0.7 * random.Normal(i, 1), 0.7);
    within += truth >= s.sigma_low() && truth <= s.sigma_high() ? 1 : 0;
    above += truth > s.sigma_high() ? 1 : 0;
  }
  EXPECT_NEAR(within, 0.683 * kTries, 3 * std::sqrt(0.22 * kTries));
  EXPECT_NEAR(above, 0.159 * kTries, 4 * std::sqrt(0.14 * kTries));
}

}  // namespace
}  // namespace creamery
