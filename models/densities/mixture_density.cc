#include "models/densities/mixture_density.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "models/plan/row_status.h"
#include "models/scratch.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSmallest = std::numeric_limits<double>::min();
constexpr int64_t kRowsAtOnce = 1024;

// log sum_k exp(terms[k * stride]); -inf if all are.
double LogSumExp(const double* terms, int64_t count, int64_t stride) {
  double largest = -kInfinity;
  for (int64_t k = 0; k < count; ++k) largest = std::max(largest, terms[k * stride]);
  if (largest == -kInfinity) return -kInfinity;
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += std::exp(terms[k * stride] - largest);
  return largest + std::log(sum);
}

// Rows of a block of which child[i] is the child of row i, brought together for one child and put back.
struct ChildRows {
  ChildRows(int64_t most, int64_t d) : d(d), child(most), place(most), in(most * d), out(most * d) {}

  int64_t Gather(int64_t k, int64_t rows, const double* from) const {
    int64_t count = 0;
    for (int64_t i = 0; i < rows; ++i) {
      if (child[i] != k) continue;
      std::copy_n(from + i * d, d, &in[count * d]);
      place[count++] = i;
    }
    return count;
  }
  void Scatter(int64_t count, double* to) const {
    for (int64_t r = 0; r < count; ++r) std::copy_n(&out[r * d], d, to + place[r] * d);
  }
  absl::Span<const double> In(int64_t count) const { return {in.data(), static_cast<size_t>(count * d)}; }
  absl::Span<double> Out(int64_t count) const { return {out.data(), static_cast<size_t>(count * d)}; }

  const int64_t d;
  const ScratchArray<int64_t> child;
  const ScratchArray<int64_t> place;
  const ScratchArray<double> in;
  const ScratchArray<double> out;
};

}  // namespace

MixtureDensity::MixtureDensity(std::vector<std::shared_ptr<const Density>> children, std::vector<double> weight)
    : children_(std::move(children)), weight_(std::move(weight)) {
  double total = 0;
  for (const double w : weight_) total += w;
  double sum = 0;
  for (double& w : weight_) {
    w /= total;
    sum += w;
    log_weight_.push_back(std::log(w));
    end_.push_back(sum);
  }
  end_.back() = 1;
}

absl::Status MixtureDensity::LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                                     const StopToken& stop) const {
  const int64_t d = num_parameters();
  const int64_t n = static_cast<int64_t>(log_prob.size());
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  const ScratchArray<double> terms(size() * std::min(kRowsAtOnce, n));  // (children, rows)
  for (int64_t begin = 0; begin < n; begin += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, n - begin);
    for (int64_t k = 0; k < size(); ++k) {
      const absl::Span<double> row(&terms[k * rows], rows);
      ABSL_RETURN_IF_ERROR(children_[k]->LogProb(theta.subspan(begin * d, rows * d), row, stop));
      for (double& term : row) term += log_weight_[k];
    }
    for (int64_t i = 0; i < rows; ++i) log_prob[begin + i] = LogSumExp(&terms[i], size(), rows);
  }
  return absl::OkStatus();
}

absl::Status MixtureDensity::LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob,
                                             absl::Span<double> gradient, const StopToken& stop) const {
  const int64_t d = num_parameters();
  const int64_t n = static_cast<int64_t>(log_prob.size());
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("gradient", gradient.size(), n, d));
  const int64_t most = size() * std::min(kRowsAtOnce, n);
  const ScratchArray<double> terms(most);       // (children, rows)
  const ScratchArray<double> slopes(most * d);  // (children, rows, d)
  for (int64_t begin = 0; begin < n; begin += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, n - begin);
    for (int64_t k = 0; k < size(); ++k) {
      const absl::Span<double> row(&terms[k * rows], rows);
      ABSL_RETURN_IF_ERROR(children_[k]->LogProbGradient(theta.subspan(begin * d, rows * d), row,
                                                         absl::MakeSpan(&slopes[k * rows * d], rows * d), stop));
      for (double& term : row) term += log_weight_[k];
    }
    for (int64_t i = 0; i < rows; ++i) {
      const double total = LogSumExp(&terms[i], size(), rows);
      log_prob[begin + i] = total;
      double* out = &gradient[(begin + i) * d];
      std::fill(out, out + d, 0.0);
      if (total == -kInfinity) continue;
      for (int64_t k = 0; k < size(); ++k) {
        const double share = std::exp(terms[k * rows + i] - total);
        if (share == 0) continue;
        for (int64_t j = 0; j < d; ++j) out[j] += share * slopes[(k * rows + i) * d + j];
      }
    }
  }
  return absl::OkStatus();
}

absl::Status MixtureDensity::PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                                            const StopToken& stop) const {
  const int64_t d = num_parameters();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  const ChildRows memory(std::min(kRowsAtOnce, n), d);
  for (int64_t begin = 0; begin < n; begin += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, n - begin);
    const double* u_block = &u[begin * d];
    for (int64_t i = 0; i < rows; ++i) {
      memory.child[i] = std::upper_bound(end_.begin(), end_.end() - 1, u_block[i * d]) - end_.begin();
    }
    for (int64_t k = 0; k < size(); ++k) {
      const int64_t count = memory.Gather(k, rows, u_block);
      for (int64_t r = 0; r < count; ++r) {
        double& u0 = memory.in[r * d];
        u0 = std::clamp((u0 - Before(k)) / weight_[k], kSmallest, 1 - 0x1p-53);
      }
      ABSL_RETURN_IF_ERROR(children_[k]->PriorTransform(memory.In(count), memory.Out(count), stop));
      memory.Scatter(count, &theta[begin * d]);
    }
  }
  return absl::OkStatus();
}

absl::Status MixtureDensity::InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                                   const StopToken& stop) const {
  const int64_t d = num_parameters();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), n, d));
  const int64_t most = std::min(kRowsAtOnce, n);
  const ChildRows memory(most, d);
  const ScratchArray<double> largest(most);
  const ScratchArray<double> log_prob(most);
  for (int64_t begin = 0; begin < n; begin += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, n - begin);
    const absl::Span<const double> theta_block = theta.subspan(begin * d, rows * d);
    std::fill_n(largest.data(), rows, -kInfinity);
    std::fill_n(memory.child.data(), rows, -1);
    for (int64_t k = 0; k < size(); ++k) {
      ABSL_RETURN_IF_ERROR(children_[k]->LogProb(theta_block, absl::MakeSpan(log_prob.data(), rows), stop));
      for (int64_t i = 0; i < rows; ++i) {
        if (!(log_prob[i] + log_weight_[k] > largest[i])) continue;
        largest[i] = log_prob[i] + log_weight_[k];
        memory.child[i] = k;
      }
    }
    for (int64_t i = 0; i < rows; ++i) {
      if (memory.child[i] < 0) return OutsideSupport(begin + i);
    }
    for (int64_t k = 0; k < size(); ++k) {
      const int64_t count = memory.Gather(k, rows, theta_block.data());
      ABSL_RETURN_IF_ERROR(children_[k]->InversePriorTransform(memory.In(count), memory.Out(count), stop));
      for (int64_t r = 0; r < count; ++r) {
        // In the child's own interval, whatever the rounding.
        double& u0 = memory.out[r * d];
        u0 = std::clamp(Before(k) + weight_[k] * u0, std::max(Before(k), kSmallest), std::nextafter(end_[k], 0.0));
      }
      memory.Scatter(count, &u[begin * d]);
    }
  }
  return absl::OkStatus();
}

absl::Status MixtureDensity::ContractedLogProb(absl::Span<const double> theta, double temperature,
                                               absl::Span<double> log_prob, const StopToken& stop) const {
  std::vector<double> part(log_prob.size());
  std::fill(log_prob.begin(), log_prob.end(), -kInfinity);
  for (int64_t k = 0; k < size(); ++k) {
    ABSL_RETURN_IF_ERROR(children_[k]->ContractedLogProb(theta, temperature, absl::MakeSpan(part), stop));
    for (size_t i = 0; i < part.size(); ++i) {
      const double terms[] = {log_prob[i], part[i] + log_weight_[k]};
      log_prob[i] = LogSumExp(terms, 2, 1);
    }
  }
  return absl::OkStatus();
}

std::unique_ptr<const Density> MixtureDensity::InDoublePrecision() const {
  std::vector<std::shared_ptr<const Density>> children;
  for (const auto& child : children_) children.push_back(child->InDoublePrecision());
  return std::make_unique<MixtureDensity>(std::move(children), weight_);
}

int64_t MixtureDensity::prepared_bytes() const {
  int64_t bytes = 0;
  for (const auto& child : children_) bytes += child->prepared_bytes();
  return bytes;
}

}  // namespace creamery
