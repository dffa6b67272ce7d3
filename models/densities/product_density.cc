#include "models/densities/product_density.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "models/plan/row_status.h"
#include "models/scratch.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr int64_t kRowsAtOnce = 1024;

// rows: (n, d) -> (n, columns), and back
void Gather(const double* rows, int64_t n, int64_t d, const std::vector<int64_t>& columns, double* out) {
  for (int64_t i = 0; i < n; ++i) {
    for (const int64_t column : columns) *out++ = rows[i * d + column];
  }
}
void Scatter(const double* in, int64_t n, int64_t d, const std::vector<int64_t>& columns, double* rows) {
  for (int64_t i = 0; i < n; ++i) {
    for (const int64_t column : columns) rows[i * d + column] = *in++;
  }
}

}  // namespace

ProductDensity::ProductDensity(std::vector<std::shared_ptr<const Density>> children,
                               std::vector<std::vector<int64_t>> columns)
    : children_(std::move(children)), columns_(std::move(columns)) {
  for (const std::vector<int64_t>& of_child : columns_) d_ += static_cast<int64_t>(of_child.size());
}

template <typename Ask>
absl::Status ProductDensity::ForEach(absl::Span<const double> in, const Ask& ask) const {
  const int64_t n = static_cast<int64_t>(in.size()) / d_;
  const ScratchArray<double> given(std::min(kRowsAtOnce, n) * d_);
  for (int64_t begin = 0; begin < n; begin += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, n - begin);
    for (size_t k = 0; k < children_.size(); ++k) {
      Gather(&in[begin * d_], rows, d_, columns_[k], given.data());
      ABSL_RETURN_IF_ERROR(ask(k, absl::MakeConstSpan(given.data(), rows * columns_[k].size()), begin, rows));
    }
  }
  return absl::OkStatus();
}

template <typename Ask>
absl::Status ProductDensity::MapColumns(absl::Span<const double> in, absl::Span<double> out, const Ask& ask) const {
  const int64_t n = static_cast<int64_t>(out.size()) / d_;
  ABSL_RETURN_IF_ERROR(CheckRowShape("the input", in.size(), n, d_));
  const ScratchArray<double> answer(std::min(kRowsAtOnce, n) * d_);
  return ForEach(in, [&](size_t k, absl::Span<const double> given, int64_t begin, int64_t rows) {
    absl::Status status = ask(*children_[k], given, absl::MakeSpan(answer.data(), given.size()), begin, rows);
    if (status.ok()) Scatter(answer.data(), rows, d_, columns_[k], &out[begin * d_]);
    return status;
  });
}

template <typename Ask>
absl::Status ProductDensity::AddLogProbs(absl::Span<const double> theta, absl::Span<double> log_prob,
                                         const Ask& ask) const {
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), static_cast<int64_t>(log_prob.size()), d_));
  std::fill(log_prob.begin(), log_prob.end(), 0.0);
  const ScratchArray<double> part(std::min<size_t>(kRowsAtOnce, log_prob.size()));
  return ForEach(theta, [&](size_t k, absl::Span<const double> given, int64_t begin, int64_t rows) {
    ABSL_RETURN_IF_ERROR(ask(*children_[k], given, absl::MakeSpan(part.data(), rows)));
    for (int64_t i = 0; i < rows; ++i) log_prob[begin + i] += part[i];
    return absl::OkStatus();
  });
}

absl::Status ProductDensity::LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                                     const StopToken& stop) const {
  return AddLogProbs(theta, log_prob,
                     [&](const Density& child, absl::Span<const double> given, absl::Span<double> answer) {
                       return child.LogProb(given, answer, stop);
                     });
}

absl::Status ProductDensity::ContractedLogProb(absl::Span<const double> theta, double temperature,
                                               absl::Span<double> log_prob, const StopToken& stop) const {
  return AddLogProbs(theta, log_prob,
                     [&](const Density& child, absl::Span<const double> given, absl::Span<double> answer) {
                       return child.ContractedLogProb(given, temperature, answer, stop);
                     });
}

absl::Status ProductDensity::LogProbGradient(absl::Span<const double> theta, absl::Span<double> log_prob,
                                             absl::Span<double> gradient, const StopToken& stop) const {
  ABSL_RETURN_IF_ERROR(CheckRowShape("theta", theta.size(), static_cast<int64_t>(log_prob.size()), d_));
  std::fill(log_prob.begin(), log_prob.end(), 0.0);
  const ScratchArray<double> part(std::min<size_t>(kRowsAtOnce, log_prob.size()));
  ABSL_RETURN_IF_ERROR(MapColumns(theta, gradient,
                                  [&](const Density& child, absl::Span<const double> given, absl::Span<double> answer,
                                      int64_t begin, int64_t rows) {
                                    ABSL_RETURN_IF_ERROR(
                                        child.LogProbGradient(given, absl::MakeSpan(part.data(), rows), answer, stop));
                                    for (int64_t i = 0; i < rows; ++i) log_prob[begin + i] += part[i];
                                    return absl::OkStatus();
                                  }));
  for (size_t i = 0; i < log_prob.size(); ++i) {
    if (log_prob[i] == -kInfinity) std::fill_n(&gradient[i * d_], d_, 0.0);
  }
  return absl::OkStatus();
}

absl::Status ProductDensity::PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                                            const StopToken& stop) const {
  return MapColumns(
      u, theta, [&](const Density& child, absl::Span<const double> given, absl::Span<double> answer, int64_t, int64_t) {
        return child.PriorTransform(given, answer, stop);
      });
}

absl::Status ProductDensity::InversePriorTransform(absl::Span<const double> theta, absl::Span<double> u,
                                                   const StopToken& stop) const {
  return MapColumns(theta, u,
                    [&](const Density& child, absl::Span<const double> given, absl::Span<double> answer, int64_t begin,
                        int64_t rows) {
                      absl::Status status = child.InversePriorTransform(given, answer, stop);
                      if (status.code() != absl::StatusCode::kInvalidArgument) return status;
                      // The child counts the rows of its block.
                      const int64_t d = child.num_parameters();
                      for (int64_t r = 0; r < rows; ++r) {
                        status = child.InversePriorTransform(given.subspan(r * d, d), answer.subspan(r * d, d), stop);
                        if (status.code() == absl::StatusCode::kInvalidArgument) return OutsideSupport(begin + r);
                      }
                      return status;
                    });
}

std::unique_ptr<const Density> ProductDensity::InDoublePrecision() const {
  std::vector<std::shared_ptr<const Density>> children;
  for (const auto& child : children_) children.push_back(child->InDoublePrecision());
  return std::make_unique<ProductDensity>(std::move(children), columns_);
}

int64_t ProductDensity::prepared_bytes() const {
  int64_t bytes = 0;
  for (const auto& child : children_) bytes += child->prepared_bytes();
  return bytes;
}

}  // namespace creamery
