#include "models/plan/plan.h"

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int64_t kColumnKinds = 2;    // scale of t, space
constexpr int64_t kColumnNumbers = 7;  // origin, lower, upper, zoom centre, zoom scale, shift, scale
constexpr int64_t kLayerNumbers = 3;   // kind, bins, number of linear maps

int64_t Size(size_t n) { return static_cast<int64_t>(n); }

void WriteLayer(const AutoregressiveLayer& layer, const std::string& name, Safetensors& artifact) {
  artifact.Add(absl::StrCat(name, "/order"), {Size(layer.order.size())}, absl::MakeConstSpan(layer.order));
  for (size_t m = 0; m < layer.network.size(); ++m) {
    const Linear& linear = layer.network[m];
    artifact.Add(absl::StrCat(name, "/map", m, "/weight"), {linear.out, linear.in}, absl::MakeConstSpan(linear.weight));
    artifact.Add(absl::StrCat(name, "/map", m, "/bias"), {linear.out}, absl::MakeConstSpan(linear.bias));
  }
  for (size_t h = 0; h < layer.degrees.size(); ++h) {
    artifact.Add(absl::StrCat(name, "/map", h, "/degrees"), {Size(layer.degrees[h].size())},
                 absl::MakeConstSpan(layer.degrees[h]));
  }
}

std::vector<float> ToFloats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

absl::StatusOr<AutoregressiveLayer> ReadLayer(const Safetensors& artifact, const std::string& name,
                                              absl::Span<const int64_t> numbers) {
  AutoregressiveLayer layer;
  layer.kind = static_cast<AutoregressiveLayer::Kind>(numbers[0]);
  layer.bins = numbers[1];
  ABSL_ASSIGN_OR_RETURN(layer.order, artifact.Int64s(absl::StrCat(name, "/order"), {-1}));
  for (int64_t m = 0; m < numbers[2]; ++m) {
    const std::string map = absl::StrCat(name, "/map", m);
    Linear linear;
    ABSL_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, artifact.Shape(absl::StrCat(map, "/weight")));
    if (shape.size() != 2) return absl::DataLossError(absl::StrCat("tensor '", map, "/weight' has not two axes"));
    linear.out = shape[0];
    linear.in = shape[1];
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> weight, artifact.Doubles(absl::StrCat(map, "/weight"), {-1, -1}));
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> bias, artifact.Doubles(absl::StrCat(map, "/bias"), {-1}));
    linear.weight = ToFloats(weight);
    linear.bias = ToFloats(bias);
    layer.network.push_back(std::move(linear));
    if (m + 1 == numbers[2]) break;
    ABSL_ASSIGN_OR_RETURN(std::vector<int64_t> degrees, artifact.Int64s(absl::StrCat(map, "/degrees"), {-1}));
    layer.degrees.push_back(std::move(degrees));
  }
  return layer;
}

}  // namespace

void WriteColumnMaps(const std::vector<ColumnMap>& columns, const std::string& prefix, Safetensors& artifact) {
  const int64_t d = Size(columns.size());
  std::vector<int64_t> kinds;
  std::vector<double> numbers;
  for (int64_t j = 0; j < d; ++j) {
    const ColumnMap& map = columns[j];
    kinds.insert(kinds.end(), {static_cast<int64_t>(map.scale_of_t), static_cast<int64_t>(map.space)});
    numbers.insert(numbers.end(),
                   {map.origin, map.lower, map.upper, map.zoom_center, map.zoom_scale, map.shift, map.scale});
    if (map.spline.x.empty()) continue;
    std::vector<double> knots = map.spline.x;
    knots.insert(knots.end(), map.spline.y.begin(), map.spline.y.end());
    knots.insert(knots.end(), map.spline.slope.begin(), map.spline.slope.end());
    artifact.Add(absl::StrCat(prefix, "columns/", j, "/spline"), {3, Size(map.spline.x.size())},
                 absl::MakeConstSpan(knots));
  }
  artifact.Add(absl::StrCat(prefix, "columns/kinds"), {d, kColumnKinds}, absl::MakeConstSpan(kinds));
  artifact.Add(absl::StrCat(prefix, "columns/numbers"), {d, kColumnNumbers}, absl::MakeConstSpan(numbers));
}

absl::StatusOr<std::vector<ColumnMap>> ReadColumnMaps(const Safetensors& artifact, const std::string& prefix) {
  ABSL_ASSIGN_OR_RETURN(const std::vector<int64_t> kinds,
                        artifact.Int64s(absl::StrCat(prefix, "columns/kinds"), {-1, kColumnKinds}));
  const int64_t d = Size(kinds.size()) / kColumnKinds;
  ABSL_ASSIGN_OR_RETURN(const std::vector<double> numbers,
                        artifact.Doubles(absl::StrCat(prefix, "columns/numbers"), {d, kColumnNumbers}));
  std::vector<ColumnMap> columns(d);
  for (int64_t j = 0; j < d; ++j) {
    ColumnMap& map = columns[j];
    const double* number = &numbers[j * kColumnNumbers];
    map.scale_of_t = static_cast<ColumnMap::Scale>(kinds[j * kColumnKinds]);
    map.space = static_cast<ColumnMap::Space>(kinds[j * kColumnKinds + 1]);
    map.origin = number[0];
    map.lower = number[1];
    map.upper = number[2];
    map.zoom_center = number[3];
    map.zoom_scale = number[4];
    map.shift = number[5];
    map.scale = number[6];
    const std::string spline = absl::StrCat(prefix, "columns/", j, "/spline");
    if (!artifact.Has(spline)) continue;
    ABSL_ASSIGN_OR_RETURN(const std::vector<double> knots, artifact.Doubles(spline, {3, -1}));
    const size_t n = knots.size() / 3;
    map.spline.x.assign(knots.begin(), knots.begin() + n);
    map.spline.y.assign(knots.begin() + n, knots.begin() + 2 * n);
    map.spline.slope.assign(knots.begin() + 2 * n, knots.end());
  }
  return columns;
}

void WritePlan(const Plan& plan, const std::string& prefix, Safetensors& artifact) {
  const int64_t d = plan.d();
  WriteColumnMaps(plan.columns, prefix, artifact);
  if (!plan.whitening.empty()) {
    artifact.Add(absl::StrCat(prefix, "whitening"), {d, d}, absl::MakeConstSpan(plan.whitening));
  }
  std::vector<int64_t> layers;
  for (size_t l = 0; l < plan.layers.size(); ++l) {
    const AutoregressiveLayer& layer = plan.layers[l];
    layers.insert(layers.end(), {static_cast<int64_t>(layer.kind), layer.bins, Size(layer.network.size())});
    WriteLayer(layer, absl::StrCat(prefix, "layers/", l), artifact);
  }
  artifact.Add(absl::StrCat(prefix, "layers/kinds"), {Size(plan.layers.size()), kLayerNumbers},
               absl::MakeConstSpan(layers));
}

absl::StatusOr<Plan> ReadPlan(const Safetensors& artifact, const std::string& prefix) {
  Plan plan;
  ABSL_ASSIGN_OR_RETURN(plan.columns, ReadColumnMaps(artifact, prefix));
  const int64_t d = plan.d();
  if (artifact.Has(absl::StrCat(prefix, "whitening"))) {
    ABSL_ASSIGN_OR_RETURN(plan.whitening, artifact.Doubles(absl::StrCat(prefix, "whitening"), {d, d}));
  }
  ABSL_ASSIGN_OR_RETURN(const std::vector<int64_t> layers,
                        artifact.Int64s(absl::StrCat(prefix, "layers/kinds"), {-1, kLayerNumbers}));
  for (int64_t l = 0; l < Size(layers.size()) / kLayerNumbers; ++l) {
    ABSL_ASSIGN_OR_RETURN(AutoregressiveLayer layer,
                          ReadLayer(artifact, absl::StrCat(prefix, "layers/", l),
                                    absl::MakeConstSpan(layers).subspan(l * kLayerNumbers, kLayerNumbers)));
    plan.layers.push_back(std::move(layer));
  }
  if (const absl::Status status = CheckPlan(plan); !status.ok()) {
    return absl::DataLossError(absl::StrCat("the plan '", prefix, "' cannot be run: ", status.message()));
  }
  return plan;
}

}  // namespace creamery
