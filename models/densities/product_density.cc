#include "models/densities/product_density.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "models/plan/row_status.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// rows: (n, d) -> (n, columns)
void Gather(absl::Span<const double> rows, int64_t d, const std::vector<int64_t>& columns, std::vector<double>& out) {
  const size_t n = rows.size() / d;
  out.resize(n * columns.size());
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < columns.size(); ++j) out[i * columns.size() + j] = rows[i * d + columns[j]];
  }
}

void Scatter(const std::vector<double>& in, int64_t d, const std::vector<int64_t>& columns, absl::Span<double> rows) {
  const size_t n = rows.size() / d;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < columns.size(); ++j) rows[i * d + columns[j]] = in[i * columns.size() + j];
  }
}

}  // namespace

ProductDensity::ProductDensity(std::vector<std::shared_ptr<const Density>> children,
                               std::vector<std::vector<int64_t>> columns)
    : children_(std::move(children)), columns_(std::move(columns)) {
  for (const std::vector<int64_t>& of_child : columns_) d_ += static_cast<int64_t>(of_child.size());
}

absl::Status ProductDensity::ForEach(absl::Span<const double> in, absl::Span<double> out, const MapColumns& map) const {
  ABSL_RETURN_IF_ERROR(CheckRowShape("the input", in.size(), static_cast<int64_t>(out.size()) / d_, d_));
  std::vector<double> given;
  std::vector<double> answer;
  for (size_t k = 0; k < children_.size(); ++k) {
    Gather(in, d_, columns_[k], given);
    answer.resize(given.size());
    ABSL_RETURN_IF_ERROR(map(*children_[k], given, absl::MakeSpan(answer)));
    Scatter(answer, d_, columns_[k], out);
  }
  return absl::OkStatus();
}

absl::Status ProductDensity::LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                                     const StopToken& stop) const {
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), static_cast<int64_t>(log_prob.size()), d_));
  std::fill(log_prob.begin(), log_prob.end(), 0.0);
  std::vector<double> part(log_prob.size());
  std::vector<double> given;
  for (size_t k = 0; k < children_.size(); ++k) {
    Gather(theta, d_, columns_[k], given);
    ABSL_RETURN_IF_ERROR(children_[k]->LogProb(given, absl::MakeSpan(part), stop));
    for (size_t i = 0; i < part.size(); ++i) log_prob[i] += part[i];
  }
  return absl::OkStatus();
}

absl::Status ProductDensity::LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob,
                                             absl::Span<double> gradient, const StopToken& stop) const {
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), static_cast<int64_t>(log_prob.size()), d_));
  std::fill(log_prob.begin(), log_prob.end(), 0.0);
  std::vector<double> part(log_prob.size());
  ABSL_RETURN_IF_ERROR(
      ForEach(theta, gradient, [&](const Density& child, absl::Span<const double> given, absl::Span<double> answer) {
        absl::Status status = child.LogProbGradient(given, absl::MakeSpan(part), answer, stop);
        for (size_t i = 0; i < part.size(); ++i) log_prob[i] += part[i];
        return status;
      }));
  for (size_t i = 0; i < log_prob.size(); ++i) {
    if (log_prob[i] == -kInfinity) std::fill_n(&gradient[i * d_], d_, 0.0);
  }
  return absl::OkStatus();
}

absl::Status ProductDensity::PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                                            const StopToken& stop) const {
  return ForEach(u, theta, [&](const Density& child, absl::Span<const double> given, absl::Span<double> answer) {
    return child.PriorTransform(given, answer, stop);
  });
}

absl::Status ProductDensity::InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                                   const StopToken& stop) const {
  return ForEach(theta, u, [&](const Density& child, absl::Span<const double> given, absl::Span<double> answer) {
    return child.InversePriorTransform(given, answer, stop);
  });
}

absl::Status ProductDensity::ContractedLogProb(absl::Span<const double> theta, double temperature,
                                               absl::Span<double> log_prob, const StopToken& stop) const {
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), static_cast<int64_t>(log_prob.size()), d_));
  std::fill(log_prob.begin(), log_prob.end(), 0.0);
  std::vector<double> part(log_prob.size());
  std::vector<double> given;
  for (size_t k = 0; k < children_.size(); ++k) {
    Gather(theta, d_, columns_[k], given);
    ABSL_RETURN_IF_ERROR(children_[k]->ContractedLogProb(given, temperature, absl::MakeSpan(part), stop));
    for (size_t i = 0; i < part.size(); ++i) log_prob[i] += part[i];
  }
  return absl::OkStatus();
}

}  // namespace creamery
