#include "tests/models/plan/map_cases.h"

#include <cmath>
#include <limits>

#include "tests/models/plan/random_plan.h"

namespace creamery {

std::vector<MapCase> MapCases() {
  using Scale = ColumnMap::Scale;
  using Space = ColumnMap::Space;
  std::vector<MapCase> cases;
  const auto add = [&](const std::string& name, double inside) -> ColumnMap& {
    cases.push_back({name, ColumnMap(), inside});
    cases.back().map.shift = 0.3;
    cases.back().map.scale = 1.7;
    return cases.back().map;
  };
  add("standardized", 0.4);
  for (const Space space : {Space::kUnit, Space::kProbit}) {
    const std::string where = space == Space::kUnit ? " unit" : " probit";
    ColumnMap box;
    box.space = space;
    box.lower = -3;
    box.upper = 5;
    if (space == Space::kProbit) box.shift = -0.2, box.scale = 0.8;
    add("box" + where, 1.5) = box;
    box.spline = SteepKnots();
    add("box spline" + where, 1.5) = box;
    box.zoom_center = 2;
    box.zoom_scale = 0.1;
    add("zoomed box spline" + where, 2.05) = box;
    box.zoom_center = -2.9;
    add("zoomed at the edge" + where, -2.8) = box;
    box.lower = -std::numeric_limits<double>::infinity();
    add("zoomed below the upper bound" + where, -2.8) = box;
    box.upper = std::numeric_limits<double>::infinity();
    box.zoom_scale = 2;
    add("zoomed on the whole line" + where, -2.8) = box;
  }
  ColumnMap& above = add("log above", 7);
  above.scale_of_t = Scale::kLogAbove;
  above.origin = 2;
  ColumnMap& below = add("log below", -7);
  below.scale_of_t = Scale::kLogBelow;
  below.origin = 2;
  ColumnMap& decades = add("log box", 1e-7);
  decades.scale_of_t = Scale::kLogAbove;
  decades.space = Space::kProbit;
  decades.lower = std::log(1e-9);
  decades.upper = std::log(1e-5);
  return cases;
}

}  // namespace creamery
