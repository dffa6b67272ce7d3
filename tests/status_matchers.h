// Matchers for absl::Status and absl::StatusOr, as newer Abseil has them.
#ifndef CREAMERY_TESTS_STATUS_MATCHERS_H_
#define CREAMERY_TESTS_STATUS_MATCHERS_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace creamery {

inline absl::Status StatusOf(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

// StatusIs(absl::StatusCode::kNotFound, HasSubstr("planck"))
MATCHER_P2(StatusIs, code, message_matcher, "") {
  const absl::Status status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         ::testing::Matches(::testing::Matcher<std::string>(message_matcher))(std::string(status.message()));
}
MATCHER_P(HasCode, code, "") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code;
}

}  // namespace creamery

// ASSERT_OK_AND_ASSIGN(auto value, Function());
#define ASSERT_OK_AND_ASSIGN(lhs, expr) ASSERT_OK_AND_ASSIGN_(CREAMERY_TEST_CONCAT_(test_or_, __LINE__), lhs, expr)
#define CREAMERY_TEST_CONCAT_INNER_(a, b) a##b
#define CREAMERY_TEST_CONCAT_(a, b) CREAMERY_TEST_CONCAT_INNER_(a, b)
#define ASSERT_OK_AND_ASSIGN_(name, lhs, expr) \
  auto name = (expr);                          \
  ASSERT_TRUE(name.ok()) << name.status();     \
  lhs = *std::move(name)

#endif  // CREAMERY_TESTS_STATUS_MATCHERS_H_
