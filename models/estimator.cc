#include "models/estimator.h"

#include <algorithm>
#include <vector>

#include "models/random.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Another density, borrowed.
class BorrowedDensity final : public Density {
 public:
  explicit BorrowedDensity(const Density& density) : density_(density) {}

  int64_t num_parameters() const override { return density_.num_parameters(); }
  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                       const StopToken& stop) const override {
    return density_.LogProb(theta, log_prob, stop);
  }
  absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                              const StopToken& stop) const override {
    return density_.PriorTransform(u, theta, stop);
  }
  absl::Status LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob, absl::Span<double> gradient,
                               const StopToken& stop) const override {
    return density_.LogProbGradient(theta, log_prob, gradient, stop);
  }
  absl::Status InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                     const StopToken& stop) const override {
    return density_.InversePriorTransform(theta, u, stop);
  }
  absl::Status ContractedLogProb(absl::Span<const double> theta, double temperature, absl::Span<double> log_prob,
                                 const StopToken& stop) const override {
    return density_.ContractedLogProb(theta, temperature, log_prob, stop);
  }

 private:
  const Density& density_;
};

}  // namespace

std::unique_ptr<const Density> Density::InDoublePrecision() const { return std::make_unique<BorrowedDensity>(*this); }

absl::Status Density::ContractedLogProb(absl::Span<const double>, double, absl::Span<double>, const StopToken&) const {
  return absl::FailedPreconditionError("the base of this density cannot be contracted");
}

absl::Status Sample(const Density& density, uint64_t seed, int64_t first_row, absl::Span<double> theta,
                    const StopToken& stop) {
  constexpr int64_t kRowsAtOnce = 1024;
  const RandomStream random(seed, RandomPurpose::kSample);
  const int64_t d = density.num_parameters();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  std::vector<double> u;
  for (int64_t begin = 0; begin < n; begin += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, n - begin);
    u.resize(rows * d);
    random.Uniforms(first_row + begin, rows, d, u.data());
    ABSL_RETURN_IF_ERROR(density.PriorTransform(u, theta.subspan(begin * d, rows * d), stop));
  }
  return absl::OkStatus();
}

}  // namespace creamery
