#include "tests/reports/synthetic_problem.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace creamery {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Gaussians reach far into their boxes, where the quantiles of a normal would hardly bend them: under normal priors
// they have priors beside them instead.
Target MakeTarget(const std::string& name, int64_t d, Coordinates coordinates, Draws& draws) {
  Target target;
  if (name == "gaussian" && coordinates == Coordinates::kNormal) {
    target.AddUnderNormals(d, draws);
  } else if (name == "gaussian") {
    target.Add(MakeGaussian(d, 0, draws), coordinates);
  } else if (name == "bent") {
    target.Add(MakeGaussian(d, draws.Uniform(0.3, 1), draws), coordinates);
  } else if (name == "logarithmic") {
    const int64_t logarithms = draws.Integer(1, d);
    target.Add(MakeGaussian(logarithms, 0, draws), Coordinates::kLogarithm);
    if (d > logarithms) target.Add(MakeGaussian(d - logarithms, 0, draws), Coordinates::kPlain);
  } else if (name == "truncated") {
    while (target.d() + 2 <= d) target.Add(MakeTruncatedPair(draws), coordinates);
    if (target.d() < d) target.Add(MakeShape(3, draws), coordinates);
  } else if (name == "prior") {
    while (target.d() < d) target.Add(MakeFlat(draws), coordinates);
  } else {  // shapes
    while (target.d() < d) target.Add(MakeShape(draws.Integer(0, kShapes - 1), draws), coordinates);
  }
  return target;
}

void AddRow(const Target& target, const std::vector<double>& z, RowBlock& rows) {
  std::vector<double> theta(target.d());
  target.FromNormal(z.data(), theta.data());
  rows.theta.insert(rows.theta.end(), theta.begin(), theta.end());
  ++rows.num_rows;
}

// Rows from a wider proposal when weighted: normals of standard deviation 1.2 in every direction.
void FillIndependent(const Target& target, int64_t n, bool weighted, Draws& draws, RowBlock& rows) {
  const double sd = weighted ? 1.2 : 1;
  std::vector<double> z(target.d());
  for (int64_t i = 0; i < n; ++i) {
    double log_weight = 0;
    for (double& value : z) {
      value = sd * draws.Normal();
      log_weight -= value * value / 2 * (1 - 1 / (sd * sd));
    }
    AddRow(target, z, rows);
    if (weighted) rows.weight.push_back(std::exp(log_weight));
  }
}

// Random-walk Metropolis in the normals, started in equilibrium; every row is `thin` steps.
void FillChains(const Target& target, int64_t n, int64_t chains, double step, int64_t thin, Draws& draws,
                RowBlock& rows) {
  const int64_t d = target.d();
  for (int64_t c = 0; c < chains; ++c) {
    std::vector<double> z(d);
    for (double& value : z) value = draws.Normal();
    for (int64_t i = 0; i < n / chains; ++i) {
      for (int64_t t = 0; t < thin; ++t) {
        std::vector<double> to(d);
        double log_ratio = 0;
        for (int64_t j = 0; j < d; ++j) {
          to[j] = z[j] + step * draws.Normal();
          log_ratio += (z[j] * z[j] - to[j] * to[j]) / 2;
        }
        if (std::log(draws.Uniform()) < log_ratio) z = to;
      }
      AddRow(target, z, rows);
      rows.chain.push_back(c);
    }
  }
}

// A likelihood that falls with the distance r to a centre, -r^2 / 2 in units of `sd` along each column, over a unit
// box: points inside a contour are drawn by rejection, from the box or from the cube around the ball.
class NestedSampler {
 public:
  NestedSampler(std::vector<double> center, std::vector<double> sd, Draws& draws)
      : center_(std::move(center)), sd_(std::move(sd)), draws_(draws) {}

  struct Point {
    std::vector<double> u;
    double log_likelihood;
    double birth;
  };

  std::vector<Point> Run(int64_t live_points, int64_t most) {
    std::vector<Point> live;
    std::vector<Point> dead;
    for (int64_t i = 0; i < live_points; ++i) live.push_back(Draw(-kInfinity));
    double log_z = -kInfinity;
    while (static_cast<int64_t>(dead.size()) + live_points < most) {
      const auto worst = std::min_element(
          live.begin(), live.end(), [](const Point& a, const Point& b) { return a.log_likelihood < b.log_likelihood; });
      const double log_x = -static_cast<double>(dead.size() + 1) / static_cast<double>(live_points);
      const double term = worst->log_likelihood + log_x - std::log(static_cast<double>(live_points));
      log_z = std::max(log_z, term) + std::log1p(std::exp(-std::fabs(log_z - term)));
      dead.push_back(*worst);
      *worst = Draw(dead.back().log_likelihood);
      if (log_x < log_z - 7) break;  // what is left is below a thousandth: the likelihood's maximum is 1
    }
    dead.insert(dead.end(), live.begin(), live.end());
    return dead;
  }

 private:
  double LogLikelihood(const std::vector<double>& u) const {
    double sum = 0;
    for (size_t j = 0; j < u.size(); ++j) sum -= std::pow((u[j] - center_[j]) / sd_[j], 2) / 2;
    return sum;
  }
  // Uniform inside the contour, in the smallest box around what the contour leaves of the unit box.
  Point Draw(double contour) {
    Point point;
    point.birth = contour;
    point.u.resize(center_.size());
    const double radius = std::sqrt(-2 * contour);
    do {
      for (size_t j = 0; j < center_.size(); ++j) {
        const double low = std::max(0.0, center_[j] - radius * sd_[j]);
        const double high = std::min(1.0, center_[j] + radius * sd_[j]);
        point.u[j] = draws_.Uniform(low, high);
      }
      point.log_likelihood = LogLikelihood(point.u);
    } while (!(point.log_likelihood > contour));
    return point;
  }

  std::vector<double> center_;
  std::vector<double> sd_;
  Draws& draws_;
};

// A product of cut Gaussians as the target, sampled in the unit box of the columns.
Target FillNested(const std::string& name, int64_t d, int64_t n, Coordinates coordinates, Draws& draws,
                  RowBlock& rows) {
  Target target;
  std::vector<double> center(d);
  std::vector<double> sd(d);
  std::vector<double> lower(d);
  std::vector<double> upper(d);
  const bool cut = name == "truncated";
  double expected_kl = 0;
  for (int64_t j = 0; j < d; ++j) {
    lower[j] = -draws.Uniform(1, 4);
    upper[j] = draws.Uniform(1, 4);
    sd[j] = draws.Uniform(0.03, 0.12);
    center[j] = cut && draws.Uniform() < 0.7 ? draws.Uniform(-0.5, 2) * sd[j] : draws.Uniform(0.35, 0.65);
    const double width = upper[j] - lower[j];
    target.Add(MakeTabulated([low = lower[j], width, c = center[j],
                              s = sd[j]](double x) { return -std::pow(((x - low) / width - c) / s, 2) / 2; },
                             lower[j], upper[j]),
               name == "logarithmic" && j % 2 == 0 ? Coordinates::kLogarithm : coordinates);
    expected_kl += -std::log(sd[j]) - 1.4;
  }
  // A run compresses to about exp(-D_KL - a few standard deviations).
  const double compression = expected_kl + 4 + 2 * std::sqrt(static_cast<double>(d));
  const int64_t live = std::max<int64_t>(25, static_cast<int64_t>(static_cast<double>(n) / (compression + 1)));
  NestedSampler sampler(center, sd, draws);
  for (const NestedSampler::Point& point : sampler.Run(live, 40000)) {
    for (int64_t j = 0; j < d; ++j) {
      const double phi = lower[j] + (upper[j] - lower[j]) * point.u[j];
      rows.theta.push_back(target.FromColumn(j, phi));
    }
    rows.log_likelihood.push_back(point.log_likelihood);
    rows.log_likelihood_birth.push_back(point.birth);
    ++rows.num_rows;
  }
  return target;
}

// Rows of the prior, which loses its declaration: a density trained on them takes its place.
void DrawPrior(const Target& target, int64_t n, Draws& draws, SyntheticProblem& problem) {
  v1::Dataset& dataset = problem.prior_input.dataset;
  dataset.set_name("projects/p/datasets/prior");
  dataset.set_row_kind(v1::INDEPENDENT);
  dataset.set_num_rows(n);
  RowBlock& rows = problem.prior_input.rows;
  rows.num_rows = n;
  for (v1::Parameter& parameter : *problem.input.dataset.mutable_parameters()) {
    v1::Parameter& bounded = *dataset.add_parameters();
    bounded = parameter;
    if (parameter.prior().has_normal()) {
      bounded.clear_prior();
      parameter.clear_prior();
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    for (const v1::Parameter& parameter : target.parameters()) {
      const v1::Prior& prior = parameter.prior();
      rows.theta.push_back(prior.has_normal() ? prior.normal().mean() + prior.normal().stddev() * draws.Normal()
                                              : draws.Uniform(prior.uniform().lower(), prior.uniform().upper()));
    }
  }
  problem.prior_input.job.set_name("projects/p/jobs/prior");
}

Coordinates CoordinatesOf(const std::string& prior, int64_t index) {
  if (prior == "log-uniform") return Coordinates::kLogarithm;
  if (prior == "normal" || (prior == "model" && index % 2 == 0)) return Coordinates::kNormal;
  return Coordinates::kPlain;
}

std::string TargetOf(const ProblemChoice& choice, bool chosen, int64_t kind, int64_t index) {
  if (!chosen) {
    const std::vector<std::string> targets = {"gaussian", "truncated", "logarithmic", "shapes", "bent"};
    return targets[(index / 3) % (kind == 2 ? 3 : 5)];
  }
  if (kind == 2) return index % 2 == 0 ? "gaussian" : "truncated";
  const std::vector<std::string> targets = {"gaussian", "truncated", "bent", "shapes", "prior"};
  return targets[(choice.prior == "model" ? index / 2 : index) % 5];
}

}  // namespace

SyntheticProblem MakeProblem(uint64_t seed, int64_t index, const ProblemChoice& choice) {
  Draws draws(seed * 1000003 + static_cast<uint64_t>(index));
  const bool chosen = !choice.prior.empty() || !choice.kind.empty();
  SyntheticProblem problem;
  const int64_t d = chosen ? draws.Integer(2, 5) : draws.Integer(1, 8);
  const double ratio = static_cast<double>(choice.most) / static_cast<double>(choice.fewest);
  const int64_t n = std::llround(static_cast<double>(choice.fewest) * std::pow(ratio, draws.Uniform()));
  const std::vector<std::string> kinds = {"independent", "mcmc", "nested", "weighted"};
  const auto found = std::find(kinds.begin(), kinds.end(), choice.kind) - kinds.begin();
  const int64_t kind = choice.kind.empty() ? index % 3 : found % 3;
  const bool weighted = kind == 0 && (choice.kind.empty() ? index % 2 == 0 : found == 3);
  problem.kind = weighted ? "weighted" : kinds[kind];
  problem.target = TargetOf(choice, chosen, kind, index);
  const Coordinates coordinates = CoordinatesOf(choice.prior, index);
  RowBlock& rows = problem.input.rows;
  v1::Dataset& dataset = problem.input.dataset;
  Target target;
  if (kind == 0) {
    dataset.set_row_kind(v1::INDEPENDENT);
    dataset.set_has_weight(weighted);
    target = MakeTarget(problem.target, d, coordinates, draws);
    FillIndependent(target, n, weighted, draws, rows);
  } else if (kind == 1) {
    dataset.set_row_kind(v1::MCMC);
    dataset.set_has_chain(true);
    target = MakeTarget(problem.target, d, coordinates, draws);
    // The best step gives an autocorrelation time of 4 d or so, in steps.
    const double slowness = draws.Uniform(1, 2);
    const double time_in_steps = 4 * static_cast<double>(d) * slowness * slowness;
    const double most_time = std::clamp(static_cast<double>(n) / 100, 5.0, 50.0);
    const double time = draws.Uniform(5, most_time);
    const auto thin = std::max<int64_t>(1, std::llround(time_in_steps / time));
    FillChains(target, n, draws.Integer(1, 4), 2.4 / std::sqrt(static_cast<double>(d)) / slowness, thin, draws, rows);
  } else {
    dataset.set_row_kind(v1::NESTED_SAMPLING);
    dataset.set_has_log_likelihood(true);
    dataset.set_has_log_likelihood_birth(true);
    target = FillNested(problem.target, d, n, coordinates, draws, rows);
  }
  dataset.set_name("projects/p/datasets/d");
  dataset.set_num_rows(rows.num_rows);
  for (const v1::Parameter& parameter : target.parameters()) *dataset.add_parameters() = parameter;
  problem.input.job.set_name(absl::StrCat("projects/p/jobs/", index));
  for (int64_t i = 0; i < rows.num_rows; ++i) {
    problem.log_prob.push_back(target.LogProb(&rows.theta[i * d]));
    problem.log_prior.push_back(target.LogPrior(&rows.theta[i * d]));
  }
  problem.kl = target.kl();
  problem.dimensionality = target.dimensionality();
  if (choice.prior == "model") DrawPrior(target, std::max<int64_t>(n, 2000), draws, problem);
  return problem;
}

}  // namespace creamery
