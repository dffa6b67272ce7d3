#include "models/densities/mixture_density.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "models/plan/row_status.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSmallest = std::numeric_limits<double>::min();
constexpr int64_t kRowsAtOnce = 256;

// log sum_k exp(terms[k * stride]); -inf if all are.
double LogSumExp(const double* terms, int64_t count, int64_t stride) {
  double largest = -kInfinity;
  for (int64_t k = 0; k < count; ++k) largest = std::max(largest, terms[k * stride]);
  if (largest == -kInfinity) return -kInfinity;
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += std::exp(terms[k * stride] - largest);
  return largest + std::log(sum);
}

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
  std::vector<double> terms;  // (children, rows)
  for (int64_t begin = 0; begin < n; begin += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, n - begin);
    terms.resize(size() * rows);
    for (int64_t k = 0; k < size(); ++k) {
      const absl::Span<double> row = absl::MakeSpan(terms).subspan(k * rows, rows);
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
  std::vector<double> terms;   // (children, rows)
  std::vector<double> slopes;  // (children, rows, d)
  for (int64_t begin = 0; begin < n; begin += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, n - begin);
    terms.resize(size() * rows);
    slopes.resize(size() * rows * d);
    for (int64_t k = 0; k < size(); ++k) {
      const absl::Span<double> row = absl::MakeSpan(terms).subspan(k * rows, rows);
      ABSL_RETURN_IF_ERROR(children_[k]->LogProbGradient(theta.subspan(begin * d, rows * d), row,
                                                         absl::MakeSpan(slopes).subspan(k * rows * d, rows * d), stop));
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
  std::vector<std::vector<int64_t>> rows_of(size());
  for (int64_t i = 0; i < n; ++i) {
    const auto child = std::upper_bound(end_.begin(), end_.end() - 1, u[i * d]);
    rows_of[child - end_.begin()].push_back(i);
  }
  std::vector<double> inner;
  std::vector<double> out;
  for (int64_t k = 0; k < size(); ++k) {
    const std::vector<int64_t>& rows = rows_of[k];
    if (rows.empty()) continue;
    inner.resize(rows.size() * d);
    out.resize(rows.size() * d);
    for (size_t r = 0; r < rows.size(); ++r) {
      std::copy_n(&u[rows[r] * d], d, &inner[r * d]);
      const double before = k == 0 ? 0 : end_[k - 1];
      inner[r * d] = std::clamp((inner[r * d] - before) / weight_[k], kSmallest, 1 - 0x1p-53);
    }
    ABSL_RETURN_IF_ERROR(children_[k]->PriorTransform(inner, absl::MakeSpan(out), stop));
    for (size_t r = 0; r < rows.size(); ++r) std::copy_n(&out[r * d], d, &theta[rows[r] * d]);
  }
  return absl::OkStatus();
}

absl::Status MixtureDensity::InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                                   const StopToken& stop) const {
  const int64_t d = num_parameters();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), n, d));
  ABSL_RETURN_IF_ERROR(CheckRowShape("u", u.size(), n, d));
  std::vector<double> largest(n, -kInfinity);
  std::vector<int64_t> child(n, -1);
  std::vector<double> log_prob(n);
  for (int64_t k = 0; k < size(); ++k) {
    ABSL_RETURN_IF_ERROR(children_[k]->LogProb(theta, absl::MakeSpan(log_prob), stop));
    for (int64_t i = 0; i < n; ++i) {
      if (!(log_prob[i] + log_weight_[k] > largest[i])) continue;
      largest[i] = log_prob[i] + log_weight_[k];
      child[i] = k;
    }
  }
  std::vector<double> inner;
  std::vector<double> out;
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < n; ++i) {
    if (child[i] < 0) return OutsideSupport(i);
  }
  for (int64_t k = 0; k < size(); ++k) {
    rows.clear();
    inner.clear();
    for (int64_t i = 0; i < n; ++i) {
      if (child[i] != k) continue;
      rows.push_back(i);
      inner.insert(inner.end(), theta.begin() + i * d, theta.begin() + (i + 1) * d);
    }
    out.resize(inner.size());
    ABSL_RETURN_IF_ERROR(children_[k]->InversePriorTransform(inner, absl::MakeSpan(out), stop));
    const double before = k == 0 ? 0 : end_[k - 1];
    for (size_t r = 0; r < rows.size(); ++r) {
      std::copy_n(&out[r * d], d, &u[rows[r] * d]);
      // In the child's own interval, whatever the rounding.
      u[rows[r] * d] =
          std::clamp(before + weight_[k] * out[r * d], std::max(before, kSmallest), std::nextafter(end_[k], 0.0));
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

}  // namespace creamery
