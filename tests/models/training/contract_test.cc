// What every family must do, in one, two and three dimensions, unbounded, boxed and with mixed maps.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "models/densities/density_tree.h"
#include "models/families.h"
#include "models/plan/column_map.h"
#include "models/random.h"
#include "models/training/flow.h"
#include "models/training/flow_network.h"
#include "models/training/trainer.h"
#include "tests/models/training/training_samples.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

// Where a column lives: -1 free, 0 half-bounded at 1, 1 in the box (0, 2).
int PlaceOf(const std::string& maps, int j) {
  if (maps == "unbounded") return -1;
  if (maps == "boxed") return 1;
  return j == 0 ? 0 : j == 1 ? 1 : -1;
}

TrainingInput ContractInput(const std::string& family, int d, const std::string& maps) {
  std::vector<v1::Parameter> parameters;
  for (int j = 0; j < d; ++j) {
    const std::string name = absl::StrCat("p", j);
    const int place = PlaceOf(maps, j);
    parameters.push_back(place < 0    ? FreeParameter(name)
                         : place == 0 ? HalfBoundedParameter(name, 1)
                                      : BoxParameter(name, 0, 2));
  }
  TrainingInput input = MakeInput(parameters, 400, [&](const auto& u, double* row) {
    const double shared = NormalQuantile(u(0));
    for (int j = 0; j < d; ++j) {
      const double g = 0.6 * shared + 0.8 * NormalQuantile(u(j + 1));  // N(0, 1), correlated
      const int place = PlaceOf(maps, j);
      row[j] = place < 0 ? 3 + 0.5 * g : place == 0 ? 1 + std::exp(0.5 * g) : 2 * std::pow(NormalCdf(g), 2);
    }
  });
  v1::EstimatorSpec& spec = *input.job.mutable_training()->mutable_spec();
  spec = SpecOf(family);
  spec.mutable_training()->set_members(2);
  spec.mutable_training()->set_max_epochs(12);
  spec.mutable_training()->set_seed(5);
  return input;
}

// A plan's weights in the order of FlowNetwork, in float64.
at::Tensor FlatWeights(const Plan& plan) {
  std::vector<double> flat;
  for (const AutoregressiveLayer& layer : plan.layers) {
    for (const Linear& linear : layer.network) {
      flat.insert(flat.end(), linear.weight.begin(), linear.weight.end());
      flat.insert(flat.end(), linear.bias.begin(), linear.bias.end());
    }
  }
  return at::from_blob(flat.data(), {static_cast<int64_t>(flat.size())}, at::kDouble).clone();
}

// (n, d) rows' y in float64.
at::Tensor LayerSpace(const Plan& plan, const std::vector<double>& theta, std::vector<double>* map_ladj) {
  const int64_t d = plan.d();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  at::Tensor y = at::empty({n, d}, at::kDouble);
  map_ladj->assign(n, 0);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < d; ++j) {
      const MappedValue mapped = MapForward(plan.columns[j], theta[i * d + j]);
      y[i][j] = mapped.y;
      (*map_ladj)[i] += mapped.ladj;
      if (!plan.whitening.empty()) (*map_ladj)[i] += std::log(plan.whitening[j * d + j]);
    }
  }
  if (plan.whitening.empty()) return y;
  const at::Tensor w = at::from_blob(const_cast<double*>(plan.whitening.data()), {d, d}, at::kDouble);
  return y.matmul(w.t());
}

// log p of rows by LibTorch in float64: every flow of the tree by its network, what joins them by LibTorch's
// operations. Kernels, which LibTorch does not know, answer for themselves, in float64 always.
at::Tensor LogProbByTorch(const DensityTree& tree, const std::vector<double>& theta) {
  const int64_t d = tree.d();
  const int64_t n = static_cast<int64_t>(theta.size()) / d;
  switch (tree.kind) {
    case DensityTree::Kind::kFlow: {
      const FlowNetwork network(tree.flow.layers);
      std::vector<double> map_ladj;
      const at::Tensor y = LayerSpace(tree.flow, theta, &map_ladj);
      return network.LogProb(FlatWeights(tree.flow), y) + at::from_blob(map_ladj.data(), {n}, at::kDouble);
    }
    case DensityTree::Kind::kKernels: {
      at::Tensor log_prob = at::empty({n}, at::kDouble);
      EXPECT_THAT(MakeDensity(tree)->LogProb(theta, absl::MakeSpan(log_prob.data_ptr<double>(), n), StopToken()),
                  IsOk());
      return log_prob;
    }
    case DensityTree::Kind::kMixture: {
      std::vector<at::Tensor> terms;
      for (size_t k = 0; k < tree.children.size(); ++k) {
        terms.push_back(LogProbByTorch(tree.children[k], theta) + std::log(tree.weight[k]));
      }
      return at::logsumexp(at::stack(terms), {0});
    }
    case DensityTree::Kind::kProduct:
      break;
  }
  at::Tensor sum = at::zeros({n}, at::kDouble);
  for (size_t k = 0; k < tree.children.size(); ++k) {
    std::vector<double> part;
    for (int64_t i = 0; i < n; ++i) {
      for (const int64_t column : tree.columns[k]) part.push_back(theta[i * d + column]);
    }
    sum = sum + LogProbByTorch(tree.children[k], part);
  }
  return sum;
}

class ContractTest : public testing::TestWithParam<std::tuple<std::string, int, std::string>> {
 protected:
  void SetUp() override {
    const auto& [family, d, maps] = GetParam();
    d_ = d;
    input_ = ContractInput(family, d, maps);
    // Trained once for all tests of a parameter.
    static auto& trained = *new std::map<ParamType, std::string>();
    std::string& artifact = trained[GetParam()];
    if (artifact.empty()) {
      ASSERT_OK_AND_ASSIGN(artifact, Train(input_, {}));
    }
    artifact_ = artifact;
    ASSERT_OK_AND_ASSIGN(model_, LoadEstimator(artifact_));
    u_.resize(200 * d);
    const RandomStream stream(3, RandomPurpose::kSample);
    for (size_t i = 0; i < u_.size(); ++i) u_[i] = stream.Uniform(i);
    theta_.resize(u_.size());
    ASSERT_THAT(model_->density()->PriorTransform(u_, absl::MakeSpan(theta_), StopToken()), IsOk());
  }

  std::vector<double> LogProb(const Density& density, const std::vector<double>& theta) const {
    std::vector<double> result(theta.size() / d_);
    EXPECT_THAT(density.LogProb(theta, absl::MakeSpan(result), StopToken()), IsOk());
    return result;
  }
  std::vector<double> LogProb(const Estimator& model, const std::vector<double>& theta) const {
    return LogProb(*model.density(), theta);
  }

  int d_ = 0;
  TrainingInput input_;
  std::string artifact_;
  std::unique_ptr<Estimator> model_;
  std::vector<double> u_;      // (200, d)
  std::vector<double> theta_;  // draws of the model
};

// Families that are one network, which LibTorch runs as well.
class NetworkContractTest : public ContractTest {
 protected:
  void SetUp() override {
    ContractTest::SetUp();
    const auto& [family, d, maps] = GetParam();
    ASSERT_OK_AND_ASSIGN(const Safetensors file, Safetensors::Parse(artifact_));
    const int64_t member = model_->description().training().answering_member();
    ASSERT_OK_AND_ASSIGN(plan_, ReadPlan(file, MemberPrefix(member)));
    network_ = std::make_unique<FlowNetwork>(ShapeOf(model_->description().spec(), d), 5, member);
    weights_ = FlatWeights(plan_);
  }

  Plan plan_;
  std::unique_ptr<FlowNetwork> network_;
  at::Tensor weights_;
};

TEST_P(ContractTest, AnswersAreFiniteRepeatableAndEqualAfterASecondLoad) {
  const std::vector<double> first = LogProb(*model_, theta_);
  for (const double value : first) EXPECT_TRUE(std::isfinite(value));
  EXPECT_EQ(first, LogProb(*model_, theta_));
  ASSERT_OK_AND_ASSIGN(const auto again, LoadEstimator(artifact_));
  EXPECT_EQ(first, LogProb(*again, theta_));
}

TEST_P(ContractTest, ServedAnswersAreThoseOfLibTorchInFloat64) {
  ASSERT_OK_AND_ASSIGN(const Safetensors file, Safetensors::Parse(artifact_));
  std::vector<at::Tensor> members;
  for (size_t k = 0; k < model_->members().size(); ++k) {
    ASSERT_OK_AND_ASSIGN(const DensityTree tree, ReadDensityTree(file, MemberPrefix(k)));
    members.push_back(LogProbByTorch(tree, theta_));
  }
  const v1::ModelVersion& description = model_->description();
  const at::Tensor expected = description.spec().training().answer() == v1::MEMBER_MIXTURE
                                  ? at::logsumexp(at::stack(members), {0}) - std::log(2)
                                  : members[description.training().answering_member()];
  ASSERT_EQ(expected.sizes(), (std::vector<int64_t>{200}));
  const std::vector<double> served = LogProb(*model_, theta_);
  const std::vector<double> exact = LogProb(*model_->density()->InDoublePrecision(), theta_);
  for (int i = 0; i < 200; ++i) {
    const double value = expected[i].item<double>();
    EXPECT_NEAR(served[i], value, 1e-5 * std::max(1.0, std::abs(value))) << "row " << i;
    EXPECT_NEAR(exact[i], value, 1e-9 * std::max(1.0, std::abs(value))) << "row " << i;
  }
}

TEST_P(NetworkContractTest, ForwardUndoesTheInverse) {
  std::vector<double> map_ladj;
  std::vector<double> theta(theta_.size());
  ASSERT_THAT(model_->density()->InDoublePrecision()->PriorTransform(u_, absl::MakeSpan(theta), StopToken()), IsOk());
  const at::Tensor z = network_->Forward(weights_, LayerSpace(plan_, theta, &map_ladj)).z;
  ASSERT_EQ(z.sizes(), (std::vector<int64_t>{200, d_}));
  const bool normal = plan_.layers[0].kind == AutoregressiveLayer::Kind::kAffine;
  for (int i = 0; i < 200 * d_; ++i) {
    const double value = z[i / d_][i % d_].item<double>();
    EXPECT_NEAR(normal ? NormalCdf(value) : value, u_[i], 1e-7);
  }
}

TEST_P(NetworkContractTest, LadjIsTheDeterminantOfTheAutogradJacobian) {
  std::vector<double> map_ladj;
  for (int row = 0; row < 5; ++row) {
    const std::vector<double> theta(theta_.begin() + row * d_, theta_.begin() + (row + 1) * d_);
    const at::Tensor y = LayerSpace(plan_, theta, &map_ladj).clone().set_requires_grad(true);
    at::Tensor jacobian = at::empty({d_, d_}, at::kDouble);
    double ladj = 0;
    for (int j = 0; j < d_; ++j) {
      y.mutable_grad() = at::Tensor();
      const FlowNetwork::Output out = network_->Forward(weights_, y);
      out.z.select(1, j).sum().backward();
      jacobian[j].copy_(y.grad()[0]);
      ladj = out.ladj[0].item<double>();
    }
    double determinant = jacobian[0][0].item<double>();
    const auto at = [&](int i, int j) { return jacobian[i][j].item<double>(); };
    if (d_ == 2) determinant = at(0, 0) * at(1, 1) - at(0, 1) * at(1, 0);
    if (d_ == 3) {
      determinant = at(0, 0) * (at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)) -
                    at(0, 1) * (at(1, 0) * at(2, 2) - at(1, 2) * at(2, 0)) +
                    at(0, 2) * (at(1, 0) * at(2, 1) - at(1, 1) * at(2, 0));
    }
    EXPECT_NEAR(std::log(std::abs(determinant)), ladj, 1e-8);
  }
}

TEST_P(NetworkContractTest, GradientReachesEveryWeightTheMasksAllow) {
  std::vector<double> map_ladj;
  const at::Tensor y = LayerSpace(plan_, theta_, &map_ladj);
  const at::Tensor weights = weights_.clone().set_requires_grad(true);
  network_->LogProb(weights, y).sum().backward();
  const std::vector<float> ones(weights_.size(0), 1.0f);
  int64_t at = 0;
  for (const AutoregressiveLayer& layer : network_->ToLayers(ones)) {
    for (const Linear& linear : layer.network) {
      for (const float allowed : linear.weight) {
        const double gradient = weights.grad()[at++].item<double>();
        EXPECT_EQ(allowed != 0, gradient != 0) << "weight " << at - 1;
      }
      for (int64_t o = 0; o < linear.out; ++o) EXPECT_NE(weights.grad()[at++].item<double>(), 0) << "bias " << o;
    }
  }
}

// One-sided differences, which differ at a knot of a spline, where the gradient jumps. Densities of bounded parameters
// bend sharply next to an edge, so the step follows the distance. Differences are those of double precision: they would
// magnify the rounding of float32.
TEST_P(ContractTest, GradientIsThatOfFiniteDifferences) {
  const std::unique_ptr<const Density> exact = model_->density()->InDoublePrecision();
  std::vector<double> log_prob(200);
  std::vector<double> gradient(200 * d_);
  ASSERT_THAT(
      model_->density()->LogProbGradient(theta_, absl::MakeSpan(log_prob), absl::MakeSpan(gradient), StopToken()),
      IsOk());
  EXPECT_EQ(log_prob, LogProb(*model_, theta_));
  log_prob = LogProb(*exact, theta_);
  for (int j = 0; j < d_; ++j) {
    std::vector<double> above = theta_;
    std::vector<double> below = theta_;
    std::vector<double> step;
    for (int i = 0; i < 200; ++i) {
      const double theta = theta_[i * d_ + j];
      const int place = PlaceOf(std::get<2>(GetParam()), j);
      const double room = place < 0 ? 1 : place == 0 ? theta - 1 : std::min(theta, 2 - theta);
      step.push_back(1e-5 * std::min(1.0, room));
      above[i * d_ + j] += step.back();
      below[i * d_ + j] -= step.back();
    }
    const std::vector<double> up = LogProb(*exact, above);
    const std::vector<double> down = LogProb(*exact, below);
    for (int i = 0; i < 200; ++i) {
      const double right = (up[i] - log_prob[i]) / (above[i * d_ + j] - theta_[i * d_ + j]);
      const double left = (log_prob[i] - down[i]) / (theta_[i * d_ + j] - below[i * d_ + j]);
      const double tolerance = 1e-3 * (1 + std::abs(left)) + 1e-13 * (1 + std::abs(log_prob[i])) / step[i];
      EXPECT_GE(gradient[i * d_ + j], std::min(left, right) - tolerance) << "row " << i << " column " << j;
      EXPECT_LE(gradient[i * d_ + j], std::max(left, right) + tolerance) << "row " << i << " column " << j;
    }
  }
}

// Of free parameters, whose maps are a few operations of LibTorch.
TEST_P(NetworkContractTest, GradientIsThatOfAutograd) {
  if (std::get<2>(GetParam()) != "unbounded") return;
  const at::Tensor theta = at::from_blob(theta_.data(), {200, d_}, at::kDouble).clone().set_requires_grad(true);
  std::vector<at::Tensor> columns;
  at::Tensor log_prob = at::zeros({200}, at::kDouble);
  for (int j = 0; j < d_; ++j) {
    const ColumnMap& map = plan_.columns[j];
    const bool standardized = map.space == ColumnMap::Space::kStandardized;
    const at::Tensor z = standardized ? (theta.select(1, j) - map.shift) / map.scale
                                      : (theta.select(1, j) - map.zoom_center) / map.zoom_scale;
    columns.push_back(standardized ? z : 0.5 * (1 + at::erf(z / std::sqrt(2.0))));
    if (!standardized) log_prob = log_prob - 0.5 * z.square();
  }
  at::Tensor y = at::stack(columns, 1);
  if (!plan_.whitening.empty()) {
    y = y.matmul(at::from_blob(plan_.whitening.data(), {d_, d_}, at::kDouble).t());
  }
  (log_prob + network_->LogProb(weights_, y)).sum().backward();
  std::vector<double> served(200);
  std::vector<double> gradient(200 * d_);
  ASSERT_THAT(model_->density()->LogProbGradient(theta_, absl::MakeSpan(served), absl::MakeSpan(gradient), StopToken()),
              IsOk());
  for (int i = 0; i < 200; ++i) {
    const double largest = std::max(1.0, theta.grad()[i].abs().max().item<double>());
    for (int j = 0; j < d_; ++j) {
      EXPECT_NEAR(gradient[i * d_ + j], theta.grad()[i][j].item<double>(), 1e-5 * largest) << "row " << i;
    }
  }
}

// Of a mixture several u lead to one theta; one of them comes back.
TEST_P(ContractTest, PriorTransformUndoesItsInverse) {
  std::vector<double> u(u_.size());
  ASSERT_THAT(model_->density()->InversePriorTransform(theta_, absl::MakeSpan(u), StopToken()), IsOk());
  std::vector<double> theta(theta_.size());
  ASSERT_THAT(model_->density()->PriorTransform(u, absl::MakeSpan(theta), StopToken()), IsOk());
  for (size_t i = 0; i < theta.size(); ++i) EXPECT_NEAR(theta[i], theta_[i], 1e-5) << "row " << i / d_;
}

TEST_P(ContractTest, EveryMemberIsADensityOfTheSameParameters) {
  ASSERT_EQ(model_->members().size(), 2u);
  for (const Density* member : model_->members()) {
    std::vector<double> log_prob(200);
    ASSERT_THAT(member->LogProb(theta_, absl::MakeSpan(log_prob), StopToken()), IsOk());
    for (const double value : log_prob) EXPECT_TRUE(std::isfinite(value));
  }
}

// The mixture of both members, asked for in the spec, is their mean.
TEST_P(ContractTest, MemberMixtureAnswersWithTheMeanOfTheMembers) {
  input_.job.mutable_training()->mutable_spec()->mutable_training()->set_answer(v1::MEMBER_MIXTURE);
  ASSERT_OK_AND_ASSIGN(const std::string bytes, Train(input_, {}));
  ASSERT_OK_AND_ASSIGN(const auto mixture, LoadEstimator(bytes));
  const std::vector<double> answer = LogProb(*mixture, theta_);
  std::vector<double> mean(200, 0.0);
  for (const Density* member : mixture->members()) {
    std::vector<double> log_prob(200);
    ASSERT_THAT(member->LogProb(theta_, absl::MakeSpan(log_prob), StopToken()), IsOk());
    for (int i = 0; i < 200; ++i) mean[i] += std::exp(log_prob[i]) / 2;
  }
  for (int i = 0; i < 200; ++i) EXPECT_NEAR(answer[i], std::log(mean[i]), 1e-9 * (1 + std::abs(answer[i])));
}

// Midpoint rule in coordinates that follow each column's place: normal quantiles of the box, where densities may grow
// without limit towards an edge; +-20 scales of a free column; +-8 scales of the logarithm of a half-bounded one.
TEST_P(ContractTest, DensityIntegratesToOne) {
  if (d_ == 3) return;  // quadrature is for one and two dimensions
  const int64_t n = d_ == 1 ? 5000 : 400;
  const auto& maps = std::get<2>(GetParam());
  const auto place = [&](int j, int64_t i, double* theta) {  // theta and dtheta
    const double u = (static_cast<double>(i) + 0.5) / static_cast<double>(n);
    switch (PlaceOf(maps, j)) {
      case 1:
        *theta = 2 * NormalCdf(14 * u - 7);
        return 2 * 14.0 / static_cast<double>(n) * std::exp(NormalLogDensity(14 * u - 7));
      case 0:
        *theta = 1 + std::exp(8 * u - 4);
        return 8.0 / static_cast<double>(n) * (*theta - 1);
      default:
        *theta = 3 + 0.5 * std::sinh(7.4 * u - 3.7);
        return 0.5 * 7.4 / static_cast<double>(n) * std::cosh(7.4 * u - 3.7);
    }
  };
  std::vector<double> theta;
  std::vector<double> volume;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < (d_ == 1 ? 1 : n); ++k) {
      double value = 0;
      volume.push_back(place(0, i, &value));
      theta.push_back(value);
      if (d_ == 1) continue;
      volume.back() *= place(1, k, &value);
      theta.push_back(value);
    }
  }
  const std::vector<double> log_prob = LogProb(*model_, theta);
  double sum = 0;
  for (size_t i = 0; i < log_prob.size(); ++i) sum += std::exp(log_prob[i]) * volume[i];
  EXPECT_NEAR(sum, 1, 1e-3);
}

TEST_P(ContractTest, SameSeedGivesTheSameWeightsAndAnotherSeedOthers) {
  ASSERT_OK_AND_ASSIGN(const std::string again, Train(input_, {}));
  ASSERT_OK_AND_ASSIGN(const auto same, LoadEstimator(again));
  EXPECT_EQ(LogProb(*model_, theta_), LogProb(*same, theta_));
  input_.job.mutable_training()->mutable_spec()->mutable_training()->set_seed(6);
  ASSERT_OK_AND_ASSIGN(const std::string other_bytes, Train(input_, {}));
  ASSERT_OK_AND_ASSIGN(const auto other, LoadEstimator(other_bytes));
  EXPECT_NE(LogProb(*model_, theta_), LogProb(*other, theta_));
}

TEST_P(ContractTest, WrongShapesAreRefused) {
  std::vector<double> log_prob(3);
  const std::vector<double> theta(3 * d_ + 1, 1.5);
  EXPECT_THAT(model_->density()->LogProb(theta, absl::MakeSpan(log_prob), StopToken()),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST_P(ContractTest, StopTokenEndsTrainingAndAnswers) {
  StopSource source;
  source.RequestStop();
  TrainingHooks hooks;
  hooks.stop = source.token();
  EXPECT_THAT(Train(input_, hooks), HasCode(absl::StatusCode::kCancelled));
  std::vector<double> log_prob(200);
  EXPECT_THAT(model_->density()->LogProb(theta_, absl::MakeSpan(log_prob), source.token()),
              HasCode(absl::StatusCode::kCancelled));

  StopSource later;
  int epochs = 0;
  hooks.stop = later.token();
  hooks.progress = [&](const v1::Progress&) {
    if (++epochs == 2) later.RequestStop();
  };
  if (std::get<0>(GetParam()) == "kde") return;  // no epochs
  EXPECT_THAT(Train(input_, hooks), HasCode(absl::StatusCode::kCancelled));
  EXPECT_EQ(epochs, 2);
}

std::string NameOf(const testing::TestParamInfo<std::tuple<std::string, int, std::string>>& info) {
  return absl::StrCat(std::get<0>(info.param), std::get<1>(info.param), std::get<2>(info.param));
}
INSTANTIATE_TEST_SUITE_P(Families, ContractTest,
                         testing::Combine(testing::ValuesIn(TrainableFamilies()), testing::Values(1, 2, 3),
                                          testing::Values("unbounded", "boxed", "mixed")),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Networks, NetworkContractTest,
                         testing::Combine(testing::Values("maf", "nsf"), testing::Values(1, 2, 3),
                                          testing::Values("unbounded", "boxed", "mixed")),
                         NameOf);

}  // namespace
}  // namespace creamery
