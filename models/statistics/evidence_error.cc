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

// f scaled to mean 1: errors of the mean are errors of its log.
struct Terms {
  std::vector<double> f;
  double log_mean = 0;
};

Terms ScaleTerms(absl::Span<const double> value, absl::Span<const double> weight) {
  std::vector<double> log_term(value.size());
  double total = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    log_term[i] = std::log(weight[i]) + value[i];
    total += weight[i];
  }
  Terms terms;
  terms.log_mean = LogSumExp(log_term) - std::log(total);
  for (const double v : value) terms.f.push_back(std::exp(v - terms.log_mean));
  return terms;
}

double IndependentVariance(const Terms& terms, absl::Span<const double> weight) {
  double sum = 0;
  double total = 0;
  for (size_t i = 0; i < terms.f.size(); ++i) {
    sum += weight[i] * weight[i] * (terms.f[i] - 1) * (terms.f[i] - 1);
    total += weight[i];
  }
  return sum / (total * total);
}

// Neighbours in likelihood differ by little else: half their squared difference is the variance within a shell.
double ShellVariance(const Terms& terms, const ChainRows& rows) {
  const size_t n = terms.f.size();
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
    sum += rows.weight[i] * rows.weight[i] * (terms.f[i] - terms.f[j]) * (terms.f[i] - terms.f[j]) / 2;
  }
  return sum / (total * total);
}

absl::StatusOr<double> NestedVariance(const Terms& terms, const ChainRows& rows) {
  ABSL_ASSIGN_OR_RETURN(const NestedRun run, NestedRun::Create(rows.log_likelihood, rows.log_likelihood_birth));
  for (const int64_t row : rows.dataset_row) {
    if (row < 0 || row >= static_cast<int64_t>(rows.log_likelihood.size())) {
      return absl::InternalError(absl::StrCat("an average over rows of a chain: row ", row, " is not in the dataset"));
    }
  }
  const std::vector<double> mean_weight = run.LogWeights();
  std::vector<double> log_means;
  std::vector<double> log_weight(terms.f.size());
  std::vector<double> log_term(terms.f.size());
  for (int r = 0; r < kVolumeRealisations; ++r) {
    const std::vector<double> realised = run.LogWeights(rows.seed, r);
    for (size_t i = 0; i < terms.f.size(); ++i) {
      const int64_t row = rows.dataset_row[i];
      log_weight[i] = std::log(rows.weight[i]) + realised[row] - mean_weight[row];
      log_term[i] = log_weight[i] + std::log(terms.f[i]);
    }
    log_means.push_back(LogSumExp(log_term) - LogSumExp(log_weight));
  }
  return Moments(log_means, {}).variance + ShellVariance(terms, rows);
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

absl::StatusOr<LogMeanExp> AverageExponentials(absl::Span<const double> value, const ChainRows& rows) {
  ABSL_RETURN_IF_ERROR(Check(value, rows));
  const Terms terms = ScaleTerms(value, rows.weight);
  if (terms.log_mean == -kInfinity) {
    return absl::FailedPreconditionError(absl::StrCat("all ", value.size(), " terms of the average are zero"));
  }
  const double independent = IndependentVariance(terms, rows.weight);
  double variance = independent;
  if (rows.kind == v1::MCMC) {
    const double error = ChainError(terms.f, rows.weight, rows.chain);
    variance = error * error;
  } else if (rows.kind == v1::NESTED_SAMPLING) {
    ABSL_ASSIGN_OR_RETURN(variance, NestedVariance(terms, rows));
  }
  std::vector<double> product(value.size());
  std::vector<double> log_product(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    product[i] = rows.weight[i] * terms.f[i];
    log_product[i] = std::log(rows.weight[i]) + value[i];
  }
  LogMeanExp mean;
  mean.log_mean = terms.log_mean;
  mean.error = std::sqrt(variance);
  mean.effective_size = KishSize(product) * (variance > independent ? independent / variance : 1);
  mean.k_hat = ParetoKHat(log_product);
  return mean;
}

}  // namespace creamery
