// Column maps of every sort, to hold them against mathematics and against each other.
#ifndef CREAMERY_TESTS_MODELS_PLAN_MAP_CASES_H_
#define CREAMERY_TESTS_MODELS_PLAN_MAP_CASES_H_

#include <string>
#include <vector>

#include "models/plan/plan.h"

namespace creamery {

struct MapCase {
  std::string name;
  ColumnMap map;
  double inside;  // some theta well inside
};

// 16 of them.
std::vector<MapCase> MapCases();

}  // namespace creamery

#endif  // CREAMERY_TESTS_MODELS_PLAN_MAP_CASES_H_
