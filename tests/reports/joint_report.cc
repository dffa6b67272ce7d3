// How far log R of trained flows is from the truth, and how often its error bar holds it: Gaussian experiments of known
// log R, every density trained on a finite chain.
// Separations are in standard deviations of the difference of the means; 2.83 is 4 standard deviations of either.
//   joint_report [d=10] [family=maf] [trainings=8] [rows=10000] [density=members|best|mixture] [members=4]
// Or experiments with non-Gaussian nuisances, or none, each a nested-sampling run, at 0, 2, 4 and 6 sigma of tension:
//   joint_report nested [d=3] [family=maf] [pairs=2] [live=500] [nuisances=1]
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "models/random.h"
#include "models/statistics/joint.h"
#include "models/statistics/joint_mixture.h"
#include "tests/reports/nested_joint.h"
#include "tests/reports/trained_gaussian.h"

namespace creamery {
namespace {

struct Options {
  int64_t d = 10;
  std::string family = "maf";
  int64_t trainings = 8;
  int64_t rows = 10000;
  MovedDensity density = MovedDensity::kAllMembers;
  int32_t members = 4;
};

constexpr double kHalfWidth = 60;
constexpr int kDirections = 2;  // in which a pair of experiments is pulled apart

// Statistics of one separation.
struct Tally {
  std::vector<double> error;
  std::vector<double> stated;
  std::vector<double> chain, member, approximation, monte_carlo;
  std::vector<double> information_error, information_stated, log_s_error, log_s_stated, d_error, d_stated,
      joint_d_error, joint_kl_error;
  double k_hat = 0;
  double efficiency = 0;
};

double Mean(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum / static_cast<double>(v.size());
}

double Rms(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x * x;
  return std::sqrt(sum / static_cast<double>(v.size()));
}

// Share of |error| <= bars * stated.
double Covered(const std::vector<double>& error, const std::vector<double>& stated, double bars) {
  double sum = 0;
  for (size_t i = 0; i < error.size(); ++i) sum += std::fabs(error[i]) <= bars * stated[i] ? 1 : 0;
  return sum / static_cast<double>(error.size());
}

std::string Column(const std::vector<double>& error, const std::vector<double>& stated) {
  return absl::StrFormat(" | %+.3f %.3f %.3f %.2f", Mean(error), Rms(error), Rms(stated), Covered(error, stated, 3));
}

int NestedMain(int argc, char** argv) {
  NestedJointOptions options;
  if (argc > 2) options.d = std::atoll(argv[2]);
  if (argc > 3) options.family = argv[3];
  if (argc > 4) options.pairs = std::atoll(argv[4]);
  if (argc > 5) options.live = std::atoll(argv[5]);
  if (argc > 6) options.nuisances = std::atoi(argv[6]) != 0;
  const absl::Status status = ReportNestedJoint(options);
  if (!status.ok()) std::cerr << status << std::endl;
  return status.ok() ? 0 : 1;
}

int Main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "nested") return NestedMain(argc, argv);
  Options options;
  if (argc > 1) options.d = std::atoll(argv[1]);
  if (argc > 2) options.family = argv[2];
  if (argc > 3) options.trainings = std::atoll(argv[3]);
  if (argc > 4) options.rows = std::atoll(argv[4]);
  if (argc > 5 && std::string(argv[5]) == "best") options.density = MovedDensity::kBestMember;
  if (argc > 5 && std::string(argv[5]) == "mixture") options.density = MovedDensity::kMixture;
  if (argc > 6) options.members = std::atoi(argv[6]);
  const int64_t d = options.d;
  std::vector<double> covariance(d * d);
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t j = 0; j < d; ++j) covariance[i * d + j] = std::pow(0.5, std::llabs(i - j));
  }
  const std::vector<double> lower = Cholesky(covariance, d);
  double log_determinant = 0;
  for (int64_t j = 0; j < d; ++j) log_determinant += 2 * std::log(lower[j * d + j]);

  std::vector<std::unique_ptr<Estimator>> trained;
  const absl::Time began = absl::Now();
  for (int64_t t = 0; t < options.trainings; ++t) {
    auto model = TrainGaussian(options.family, covariance, d, options.rows, 1000 + t, options.members);
    if (!model.ok()) {
      std::cerr << model.status() << std::endl;
      return 1;
    }
    trained.push_back(*std::move(model));
    const v1::HeldOutStatistics& held_out = trained.back()->description().training().held_out();
    if (t < 2) {
      std::cout << absl::StrFormat("training %d: out of fold %.3f, in sample %.3f, spread %.3f\n", t,
                                   held_out.out_of_fold_log_prob(), held_out.in_sample_log_prob(),
                                   held_out.member_spread());
    }
  }
  std::cout << absl::StrFormat("%d parameters, %s, %d trainings of %d rows, %.1f s\n", d, options.family,
                               options.trainings, options.rows, absl::ToDoubleSeconds(absl::Now() - began));
  std::cout << "sep    n | log R: bias rms max | stated (mc chain member approx) | within 1, 3 | I, log S, d: bias rms "
               "stated within-3 | k_hat efficiency\n";
  const RandomStream random(5, RandomPurpose::kStatistics);
  for (const double separation : {0.0, 1.0, 2.0, 4 / std::sqrt(2.0), 4.0}) {
    Tally tally;
    int64_t index = 0;
    for (int64_t a = 0; a < options.trainings; ++a) {
      for (const int64_t b : {(a + 1) % options.trainings, (a + 3) % options.trainings}) {
        for (int direction = 0; direction < kDirections; ++direction) {
          std::vector<double> e(d);
          double norm = 0;
          for (int64_t j = 0; j < d; ++j) norm += std::pow(e[j] = random.Normal(index, static_cast<uint32_t>(j)), 2);
          ++index;
          // Sigma_A + Sigma_B = 2 Sigma: the distance of the means is `separation` of its standard deviations.
          std::vector<double> shift(d, 0);
          for (int64_t j = 0; j < d; ++j) {
            for (int64_t k = 0; k <= j; ++k) {
              shift[j] += separation * std::sqrt(2.0) * lower[j * d + k] * e[k] / std::sqrt(norm);
            }
          }
          std::vector<double> half(d), minus(d);
          for (int64_t j = 0; j < d; ++j) minus[j] = -(half[j] = shift[j] / 2);
          const auto one = Move(*trained[a], minus, kHalfWidth, options.density);
          const auto two = Move(*trained[b], half, kHalfWidth, options.density);
          const Estimator* models[] = {one.get(), two.get()};
          JointInput input;
          input.models = models;
          input.num_samples = 4000;
          input.seed = index;
          const auto result = ComputeJoint(input, nullptr, StopToken());
          if (!result.ok()) {
            std::cerr << result.status() << std::endl;
            return 1;
          }
          const double n = static_cast<double>(d);
          const double log_volume = n * std::log(2 * kHalfWidth);
          const double truth =
              log_volume - 0.5 * (n * std::log(4 * M_PI) + log_determinant) - separation * separation / 2;
          const double kl = log_volume - 0.5 * (n * (std::log(2 * M_PI) + 1) + log_determinant);
          const double information = kl - n / 2 * std::log(2.0);
          const v1::JointStatistics& s = result->head.statistics();
          tally.error.push_back(s.log_r().value() - truth);
          tally.stated.push_back(s.log_r().error());
          tally.monte_carlo.push_back(s.log_r().monte_carlo_error());
          tally.chain.push_back(s.log_r().chain_error());
          tally.member.push_back(s.log_r().member_error());
          tally.approximation.push_back(s.log_r().approximation_error());
          tally.information_error.push_back(s.information().value() - information);
          tally.information_stated.push_back(s.information().error());
          tally.log_s_error.push_back(s.log_suspiciousness().value() - (truth - information));
          tally.log_s_stated.push_back(s.log_suspiciousness().error());
          tally.d_error.push_back(s.dimensionality().value() - n);
          tally.joint_d_error.push_back(s.joint_dimensionality().value() - n);
          tally.joint_kl_error.push_back(
              s.joint_kl().value() -
              (log_volume - 0.5 * (n * (std::log(2 * M_PI) + 1) + log_determinant - n * std::log(2.0))));
          tally.d_stated.push_back(s.dimensionality().error());
          tally.k_hat = std::max(tally.k_hat, result->head.k_hat());
          tally.efficiency += result->head.effective_size() / static_cast<double>(result->weight.size());
        }
      }
    }
    double most = 0;
    for (const double e : tally.error) most = std::max(most, std::fabs(e));
    std::cout << absl::StrFormat("%4.2f %3d | %+.3f %.3f %.3f | %.3f (%.3f %.3f %.3f %.3f) | %.2f %.2f", separation,
                                 tally.error.size(), Mean(tally.error), Rms(tally.error), most, Rms(tally.stated),
                                 Rms(tally.monte_carlo), Rms(tally.chain), Rms(tally.member), Rms(tally.approximation),
                                 Covered(tally.error, tally.stated, 1), Covered(tally.error, tally.stated, 3))
              << Column(tally.information_error, tally.information_stated)
              << Column(tally.log_s_error, tally.log_s_stated) << Column(tally.d_error, tally.d_stated)
              << absl::StrFormat(" | joint KL %+.3f, joint d %+.2f", Mean(tally.joint_kl_error),
                                 Mean(tally.joint_d_error))
              << absl::StrFormat(" | %.2f %.2f", tally.k_hat,
                                 tally.efficiency / static_cast<double>(tally.error.size()))
              << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace creamery

int main(int argc, char** argv) { return creamery::Main(argc, argv); }
