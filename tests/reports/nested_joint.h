// The part of joint_report that trains on nested-sampling runs: how far log R and sigma are from the truth at given
// tensions, with the range and the warnings that come with them.
#ifndef CREAMERY_TESTS_REPORTS_NESTED_JOINT_H_
#define CREAMERY_TESTS_REPORTS_NESTED_JOINT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace creamery {

struct NestedJointOptions {
  int64_t d = 3;
  std::string family = "maf";
  int64_t pairs = 2;
  int64_t live = 500;
  bool nuisances = true;
};

// Prints a table: tensions of 0, 2, 4 and 6 sigma, `pairs` of runs each.
absl::Status ReportNestedJoint(const NestedJointOptions& options);

}  // namespace creamery

#endif  // CREAMERY_TESTS_REPORTS_NESTED_JOINT_H_
