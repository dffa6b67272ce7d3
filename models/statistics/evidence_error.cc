#include "models/statistics/evidence_error.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/statistics/pareto.h"
#include "models/statistics/weights.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kVolumeRealisations = 100;

absl::Status Check(absl::Span<const double> value, const ChainRows& rows) {
  const size_t n = value.size();
  if (n == 0 || rows.weight.size() != n || (!rows.chain.empty() && rows.chain.size() != n) ||
      (rows.kind == v1::NESTED_SAMPLING && rows.dataset_row.size() != n)) {
    return absl::InternalError(absl::StrCat("an average over rows of a chain: ", n, " values, ", rows.weight.size(),
                                            " weights, ", rows.chain.size(), " chain ids, ", rows.dataset_row.size(),
                                            " row numbers do not fit together"));
  }
  for (size_t i = 0; i < n; ++i) {
    if (value[i] < kInfinity && rows.weight[i] > 0 && rows.weight[i] < kInfinity) continue;
    return absl::InternalError(absl::StrCat("an average over rows of a chain: value ", value[i], " and weight ",
                                            rows.weight[i], " in row ", i));
  }
  return absl::OkStatus();
}

double IndependentVariance(absl::Span<const double> value, absl::Span<const double> weight) {
  const double mean = Moments(value, weight).mean;
  double sum = 0;
  double total = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    const double part = weight[i] * (value[i] - mean);  // small weights come with large terms: no square on its own
    sum += part * part;
    total += weight[i];
  }
  return sum / (total * total);
}

// Neighbours in likelihood differ by little else: half their squared difference is the variance within a shell.
double ShellVariance(absl::Span<const double> value, const ChainRows& rows) {
  const size_t n = value.size();
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return rows.log_likelihood[rows.dataset_row[a]] < rows.log_likelihood[rows.dataset_row[b]];
  });
  double sum = 0;
  double total = 0;
  for (size_t k = 0; k < n; ++k) {
    const size_t i = order[k];
    const size_t j = order[k + 1 < n ? k + 1 : (k == 0 ? k : k - 1)];
    total += rows.weight[i];
    const double part = rows.weight[i] * (value[i] - value[j]);
    sum += part * part / 2;
  }
  return sum / (total * total);
}

absl::StatusOr<double> NestedVariance(absl::Span<const double> value, const ChainRows& rows) {
  ABSL_ASSIGN_OR_RETURN(const NestedRun run, NestedRun::Create(rows.log_likelihood, rows.log_likelihood_birth));
  for (const int64_t row : rows.dataset_row) {
    if (row < 0 || row >= static_cast<int64_t>(rows.log_likelihood.size())) {
      return absl::InternalError(absl::StrCat("an average over rows of a chain: row ", row, " is not in the dataset"));
    }
  }
  const std::vector<double> mean_weight = run.LogWeights();
  std::vector<double> means;
  std::vector<double> log_weight(value.size());
  for (int r = 0; r < kVolumeRealisations; ++r) {
    const std::vector<double> realised = run.LogWeights(rows.seed, r);
    for (size_t i = 0; i < value.size(); ++i) {
      const int64_t row = rows.dataset_row[i];
      log_weight[i] = std::log(rows.weight[i]) + realised[row] - mean_weight[row];
    }
    means.push_back(Moments(value, MeanOneWeights(log_weight)).mean);
  }
  return Moments(means, {}).variance + ShellVariance(value, rows);
}

absl::StatusOr<double> VarianceOfMean(absl::Span<const double> value, const ChainRows& rows) {
  if (rows.kind == v1::NESTED_SAMPLING) return NestedVariance(value, rows);
  if (rows.kind != v1::MCMC) return IndependentVariance(value, rows.weight);
  const double error = ChainError(value, rows.weight, rows.chain);
  return error * error;
}

}  // namespace

double LogSumExp(absl::Span<const double> value) {
  double largest = -kInfinity;
  for (const double v : value) largest = std::max(largest, v);
  if (largest == -kInfinity) return largest;
  double sum = 0;
  for (const double v : value) sum += std::exp(v - largest);
  return largest + std::log(sum);
}

absl::StatusOr<double> ErrorOfMean(absl::Span<const double> value, const ChainRows& rows) {
  ABSL_RETURN_IF_ERROR(Check(value, rows));
  ABSL_ASSIGN_OR_RETURN(const double variance, VarianceOfMean(value, rows));
  return std::sqrt(variance);
}

absl::StatusOr<LogMeanExp> AverageExponentials(absl::Span<const double> value, const ChainRows& rows) {
  ABSL_RETURN_IF_ERROR(Check(value, rows));
  std::vector<double> log_term(value.size());  // log w exp(value)
  double total = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    log_term[i] = std::log(rows.weight[i]) + value[i];
    total += rows.weight[i];
  }
  LogMeanExp mean;
  mean.log_mean = LogSumExp(log_term) - std::log(total);
  if (mean.log_mean == -kInfinity) {
    return absl::FailedPreconditionError(absl::StrCat("all ", value.size(), " terms of the average are zero"));
  }
  // Scaled to mean 1, so that errors of the mean are errors of its log.
  std::vector<double> f;
  for (const double v : value) f.push_back(std::exp(v - mean.log_mean));
  ABSL_ASSIGN_OR_RETURN(const double variance, VarianceOfMean(f, rows));
  const double independent = IndependentVariance(f, rows.weight);
  mean.error = std::sqrt(variance);
  mean.effective_size = KishSize(MeanOneWeights(log_term)) * (variance > independent ? independent / variance : 1);
  mean.k_hat = ParetoKHat(log_term);
  return mean;
}

}  // namespace creamery
