#include "models/statistics/held_out.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/statistics/scale.h"
#include "models/statistics/weights.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr double kLargestLostWeight = 0.01;
constexpr double kFloorQuantile = 1e-4;
// Realisations of the volumes: a standard deviation over 400 is known to 4 %, over 100 to 7 %.
constexpr int64_t kMostRealisations = 400;
constexpr int64_t kFewestRealisations = 100;
constexpr int64_t kRealisedRows = 8000000;  // rows times realisations
constexpr double kFurthest = 3;             // of a member from the members' median, in standard deviations
constexpr double kFewestRows = 3;

// The rows that take part, with their columns copied together; f is log q, or log q - log prior.
struct Rows {
  std::vector<int64_t> index;  // into the input
  std::vector<int64_t> fold;
  std::vector<double> weight;
  std::vector<int64_t> chain;
  std::vector<double> out_of_fold;
  std::vector<double> in_sample;            // mean of the members that saw the row
  std::vector<std::vector<double>> member;  // f of every member
};

struct Errors {
  double mean = 0;
  double variance = 0;
};

absl::Status CheckInput(const HeldOutInput& input) {
  const size_t n = input.fold.size();
  if (n == 0 || input.members < 2 || input.log_q.size() != n * input.members ||
      (!input.log_prior.empty() && input.log_prior.size() != n) ||
      (!input.weight.empty() && input.weight.size() != n) || (!input.chain.empty() && input.chain.size() != n) ||
      (!input.dataset_row.empty() && input.dataset_row.size() != n)) {
    return absl::InternalError(absl::StrCat("held-out statistics: ", input.members, " members, ", n, " folds, ",
                                            input.log_q.size(), " values of log q do not fit together"));
  }
  for (size_t i = 0; i < n; ++i) {
    if (input.fold[i] < 0 || input.fold[i] >= input.members) {
      return absl::InternalError(absl::StrCat("held-out statistics: row ", i, " has fold ", input.fold[i]));
    }
  }
  for (size_t i = 0; i < input.log_prior.size(); ++i) {
    if (std::isfinite(input.log_prior[i])) continue;
    return absl::InternalError(absl::StrCat("held-out statistics: log prior = ", input.log_prior[i], " at row ", i));
  }
  for (size_t i = 0; i < input.log_q.size(); ++i) {
    if (input.log_q[i] < HUGE_VAL) continue;
    return absl::InternalError(absl::StrCat("member ", i / n, " gives log q = ", input.log_q[i], " at row ", i % n));
  }
  return absl::OkStatus();
}

absl::StatusOr<Rows> GatherRows(const HeldOutInput& input) {
  const int64_t n = static_cast<int64_t>(input.fold.size());
  Rows rows;
  rows.member.resize(input.members);
  double lost = 0;
  double total = 0;
  const int exponent = ScaleExponent(input.weight);
  for (int64_t i = 0; i < n; ++i) {
    const double weight = input.weight.empty() ? 1 : std::ldexp(input.weight[i], -exponent);
    if (weight == 0) continue;
    total += weight;
    bool finite = true;
    double sum = 0;
    for (int64_t m = 0; m < input.members; ++m) {
      finite = finite && std::isfinite(input.log_q[m * n + i]);
      sum += input.log_q[m * n + i];
    }
    if (!finite) {
      lost += weight;
      continue;
    }
    const double log_prior = input.log_prior.empty() ? 0 : input.log_prior[i];
    const double held_out = input.log_q[input.fold[i] * n + i];
    rows.index.push_back(i);
    rows.fold.push_back(input.fold[i]);
    rows.weight.push_back(weight);
    if (!input.chain.empty()) rows.chain.push_back(input.chain[i]);
    rows.out_of_fold.push_back(held_out - log_prior);
    rows.in_sample.push_back((sum - held_out) / static_cast<double>(input.members - 1) - log_prior);
    for (int64_t m = 0; m < input.members; ++m) rows.member[m].push_back(input.log_q[m * n + i] - log_prior);
  }
  if (!(total > 0)) return absl::FailedPreconditionError("all weights are zero");
  if (lost > kLargestLostWeight * total) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the trained density vanishes at rows that carry %.1f %% of the weight; are the declared bounds "
        "those of the samples?",
        100 * lost / total));
  }
  return rows;
}

// Standard deviation of a few numbers, 0 for one.
double Spread(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double n = static_cast<double>(values.size());
  return std::sqrt(Moments(values, {}).variance * n / (n - 1));
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

// f of every member, where it is too far from the others as far as it may be.
std::vector<std::vector<double>> Clamped(const Rows& rows) {
  std::vector<double> median;
  std::vector<double> of_row(rows.member.size());
  for (size_t i = 0; i < rows.weight.size(); ++i) {
    for (size_t m = 0; m < of_row.size(); ++m) of_row[m] = rows.member[m][i];
    median.push_back(Median(of_row));
  }
  const double furthest = kFurthest * std::sqrt(Moments(median, rows.weight).variance);
  std::vector<std::vector<double>> members = rows.member;
  for (std::vector<double>& member : members) {
    for (size_t i = 0; i < member.size(); ++i) {
      member[i] = std::clamp(member[i], median[i] - furthest, median[i] + furthest);
    }
  }
  return members;
}

void Center(const std::vector<double>& weight, std::vector<std::vector<double>>& columns) {
  for (std::vector<double>& column : columns) {
    const double mean = Moments(column, weight).mean;
    for (double& value : column) value -= mean;
  }
}

// By shift s: f of member fold + s, so that column 0 is of the members that held the row out.
std::vector<std::vector<double>> ByShift(const std::vector<std::vector<double>>& members,
                                         const std::vector<int64_t>& fold) {
  std::vector<std::vector<double>> columns(members.size());
  for (size_t s = 0; s < columns.size(); ++s) {
    for (size_t i = 0; i < fold.size(); ++i) {
      columns[s].push_back(members[(static_cast<size_t>(fold[i]) + s) % members.size()][i]);
    }
  }
  return columns;
}

// By row the product of two members' deviations: half the mean over pairs of which one held the row out, half that over
// pairs that both saw it. Of two members, which never both saw a row, the former alone.
std::vector<double> Products(const std::vector<std::vector<double>>& by_shift) {
  const auto others = static_cast<double>(by_shift.size() - 1);
  std::vector<double> products(by_shift[0].size());
  for (size_t i = 0; i < products.size(); ++i) {
    double sum = 0;
    double squares = 0;
    for (size_t s = 1; s < by_shift.size(); ++s) {
      sum += by_shift[s][i];
      squares += by_shift[s][i] * by_shift[s][i];
    }
    products[i] = by_shift[0][i] * sum / others;
    if (others > 1) products[i] = (products[i] + (sum * sum - squares) / (others * (others - 1))) / 2;
  }
  return products;
}

double MeanProduct(const std::vector<double>& a, const std::vector<double>& b, const std::vector<double>& weight) {
  std::vector<double> products(a.size());
  for (size_t i = 0; i < a.size(); ++i) products[i] = a[i] * b[i];
  return Moments(products, weight).mean;
}

// Of a self-normalised weighted mean (Owen, Monte Carlo theory, eq. 9.8): rows of a proposal wider than the posterior
// have their extremes where their weights are small, which Kish's size does not see.
double WeightedError(const std::vector<double>& value, const std::vector<double>& weight) {
  const double mean = Moments(value, weight).mean;
  double squares = 0;
  double total = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    const double part = weight[i] * (value[i] - mean);
    squares += part * part;
    total += weight[i];
  }
  return std::sqrt(squares) / total;
}

// Squared error of a weighted mean from the scatter within likelihood shells: neighbours in log L differ by little
// else.
double ShellVariance(const std::vector<double>& value, const std::vector<double>& weight,
                     const std::vector<size_t>& by_likelihood) {
  double sum = 0;
  double total = 0;
  for (size_t k = 0; k < by_likelihood.size(); ++k) {
    const size_t i = by_likelihood[k];
    const size_t j = by_likelihood[k + 1 < by_likelihood.size() ? k + 1 : (k == 0 ? k : k - 1)];
    total += weight[i];
    const double part = weight[i] * (value[i] - value[j]);
    sum += part * part / 2;
  }
  return sum / (total * total);
}

absl::StatusOr<Errors> NestedErrors(const HeldOutInput& input, const Rows& rows, const std::vector<double>& products,
                                    const StopToken& stop) {
  ABSL_ASSIGN_OR_RETURN(const NestedRun run, NestedRun::Create(input.log_likelihood, input.log_likelihood_birth));
  std::vector<size_t> dataset_row;
  for (const int64_t i : rows.index) {
    dataset_row.push_back(static_cast<size_t>(input.dataset_row.empty() ? i : input.dataset_row[i]));
    if (dataset_row.back() >= input.log_likelihood.size()) {
      return absl::InternalError(absl::StrCat("held-out statistics: row ", i, " is not in the dataset"));
    }
  }
  const std::vector<double> mean_weight = run.LogWeights();
  std::vector<double> means;
  std::vector<double> variances;
  const auto n = static_cast<int64_t>(input.log_likelihood.size());
  const int64_t realisations = std::clamp(kRealisedRows / n, kFewestRealisations, kMostRealisations);
  for (int64_t r = 0; r < realisations; ++r) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    const std::vector<double> realised = run.LogWeights(input.seed, static_cast<uint64_t>(r));
    std::vector<double> log_weight;
    for (size_t k = 0; k < dataset_row.size(); ++k) {
      log_weight.push_back(std::log(rows.weight[k]) + realised[dataset_row[k]] - mean_weight[dataset_row[k]]);
    }
    const std::vector<double> weight = MeanOneWeights(log_weight);
    means.push_back(Moments(rows.out_of_fold, weight).mean);
    variances.push_back(Moments(products, weight).mean);
  }
  std::vector<size_t> by_likelihood(dataset_row.size());
  std::iota(by_likelihood.begin(), by_likelihood.end(), size_t{0});
  std::sort(by_likelihood.begin(), by_likelihood.end(), [&](size_t a, size_t b) {
    return input.log_likelihood[dataset_row[a]] < input.log_likelihood[dataset_row[b]];
  });
  return Errors{std::sqrt(Moments(means, {}).variance + ShellVariance(rows.out_of_fold, rows.weight, by_likelihood)),
                std::sqrt(Moments(variances, {}).variance + ShellVariance(products, rows.weight, by_likelihood))};
}

absl::StatusOr<Errors> ErrorsByKind(const HeldOutInput& input, const Rows& rows, const std::vector<double>& products,
                                    const StopToken& stop) {
  switch (input.kind) {
    case v1::INDEPENDENT:
      // Of the variance never less than Kish's: where weights are small, in the tails, the density is known the least.
      return Errors{WeightedError(rows.out_of_fold, rows.weight),
                    std::max(WeightedError(products, rows.weight),
                             std::sqrt(Moments(products, rows.weight).variance / KishSize(rows.weight)))};
    case v1::MCMC:
      return Errors{ChainError(rows.out_of_fold, rows.weight, rows.chain),
                    ChainError(products, rows.weight, rows.chain)};
    case v1::NESTED_SAMPLING:
      return NestedErrors(input, rows, products, stop);
    default:
      return absl::InternalError("held-out statistics: rows of no known kind");
  }
}

// The value that a fraction `quantile` of the weight lies at or below.
double Quantile(const std::vector<double>& value, const std::vector<double>& weight, double quantile) {
  std::vector<size_t> order(value.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return value[a] < value[b]; });
  const double goal = quantile * std::accumulate(weight.begin(), weight.end(), 0.0);
  double sum = 0;
  for (const size_t i : order) {
    sum += weight[i];
    if (sum >= goal) return value[i];
  }
  return value[order.back()];
}

}  // namespace

absl::StatusOr<v1::HeldOutStatistics> ComputeHeldOut(const HeldOutInput& input, const StopToken& stop) {
  ABSL_RETURN_IF_ERROR(stop.Check());
  ABSL_RETURN_IF_ERROR(CheckInput(input));
  ABSL_ASSIGN_OR_RETURN(const Rows rows, GatherRows(input));
  if (!(KishSize(rows.weight) > kFewestRows)) {
    return absl::FailedPreconditionError(
        absl::StrFormat("n_eff = %.1f, more than 3 are needed for an error bar", KishSize(rows.weight)));
  }
  const WeightedMoments moments = Moments(rows.out_of_fold, rows.weight);
  std::vector<double> means;
  for (const std::vector<double>& member : rows.member) means.push_back(Moments(member, rows.weight).mean);
  std::vector<std::vector<double>> members = Clamped(rows);
  std::vector<std::vector<double>> by_shift = ByShift(members, rows.fold);
  Center(rows.weight, members);
  Center(rows.weight, by_shift);
  const std::vector<double> products = Products(by_shift);
  std::vector<double> pairs;
  for (int64_t a = 0; a < input.members; ++a) {
    ABSL_RETURN_IF_ERROR(stop.Check());
    for (int64_t b = a + 1; b < input.members; ++b) {
      pairs.push_back(MeanProduct(members[a], members[b], rows.weight));
    }
  }
  ABSL_ASSIGN_OR_RETURN(const Errors errors, ErrorsByKind(input, rows, products, stop));

  v1::HeldOutStatistics statistics;
  statistics.set_out_of_fold_log_prob(moments.mean);
  statistics.set_in_sample_log_prob(Moments(rows.in_sample, rows.weight).mean);
  statistics.set_log_prob_variance(Moments(by_shift[0], rows.weight).variance);
  statistics.set_log_prob_covariance(Moments(products, rows.weight).mean);
  statistics.set_member_spread(Spread(means));
  statistics.set_covariance_spread(Spread(pairs));
  statistics.set_chain_error(errors.mean);
  statistics.set_variance_chain_error(errors.variance);
  statistics.set_kish_size(KishSize(rows.weight));
  // A constant log q has no error, and every row counts.
  statistics.set_effective_size(errors.mean > 0 ? moments.variance / (errors.mean * errors.mean)
                                                : statistics.kish_size());
  statistics.set_log_prob_floor(Quantile(rows.out_of_fold, rows.weight, kFloorQuantile));
  statistics.set_num_chains(static_cast<int64_t>(std::set<int64_t>(rows.chain.begin(), rows.chain.end()).size()));
  return statistics;
}

absl::StatusOr<double> EffectiveRows(v1::RowKind kind, absl::Span<const double> theta, int64_t d,
                                     absl::Span<const double> weight, absl::Span<const int64_t> chain) {
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  double n_eff = weight.empty() ? static_cast<double>(n) : KishSize(weight);
  if (n > 0 && n_eff == 0) return absl::FailedPreconditionError("all weights are zero");
  if (kind == v1::MCMC) {
    std::vector<double> column(n);
    for (int64_t j = 0; j < d; ++j) {
      for (int64_t i = 0; i < n; ++i) column[i] = theta[i * d + j];
      const double size = AutocorrelationSize(column, weight, chain);
      if (size > 0) n_eff = std::min(n_eff, size);  // 0: a constant column, which other checks refuse
    }
  }
  const double needed = 2 * static_cast<double>(d + 1);
  if (!(n_eff >= needed)) {
    return absl::FailedPreconditionError(
        absl::StrFormat("n_eff = %.1f is too few for %d parameters, at least %.0f are "
                        "needed",
                        n_eff, d, needed));
  }
  return n_eff;
}

}  // namespace creamery
