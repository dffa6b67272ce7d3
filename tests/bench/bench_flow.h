// Flows of the default sizes with made-up weights: what a flow costs does not depend on what it has learnt.
#ifndef CREAMERY_TESTS_BENCH_BENCH_FLOW_H_
#define CREAMERY_TESTS_BENCH_BENCH_FLOW_H_

#include <cstdint>
#include <vector>

#include "models/plan/plan.h"

namespace creamery::bench {

// kAffine: 6 layers (`maf`), kSpline: 4 layers of 8 bins (`nsf`); 50 x 50 hidden units, orders forwards and backwards
// in turn. The column maps are those of standardised columns, or of columns in a box.
Plan MakePlan(AutoregressiveLayer::Kind kind, int64_t d);

// What the masks allow, of one row: the arithmetic that no order of work can leave out.
int64_t MultiplyAdds(const Plan& plan);
int64_t Tanhs(const Plan& plan);

// (n, d) rows drawn from the flow; those beyond the first 4096 repeat them.
std::vector<double> DrawnRows(const Plan& plan, int64_t n);

// (n, d) uniform numbers.
std::vector<double> UniformRows(int64_t n, int64_t d);

}  // namespace creamery::bench

#endif  // CREAMERY_TESTS_BENCH_BENCH_FLOW_H_
