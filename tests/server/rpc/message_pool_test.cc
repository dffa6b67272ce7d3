#include "server/rpc/message_pool.h"

#include <gtest/gtest.h>

#include <string>

#include "creamery/v1/inference_service.pb.h"

namespace creamery {
namespace {

using Pool = MessagePool<v1::LogProbRequest, v1::LogProbResponse>;

TEST(MessagePoolTest, WhatIsUsedAgainIsEmpty) {
  Pool pool;
  auto* const first = pool.AllocateMessages();
  first->request()->set_model("projects/p/models/m");
  first->response()->mutable_log_prob()->set_data("12345678");
  first->response()->add_warnings(v1::OUTSIDE_SUPPORT);
  first->Release();
  auto* const again = pool.AllocateMessages();
  EXPECT_EQ(again, first);
  EXPECT_EQ(again->request()->ByteSizeLong(), 0U);
  EXPECT_EQ(again->response()->ByteSizeLong(), 0U);
  auto* const other = pool.AllocateMessages();
  EXPECT_NE(other->request(), again->request());
  again->Release();
  other->Release();
}

TEST(MessagePoolTest, WhatGrewLargeIsNotKept) {
  Pool pool;
  auto* const small = pool.AllocateMessages();
  auto* const large = pool.AllocateMessages();
  small->Release();
  large->request()->mutable_theta()->set_data(std::string(1 << 20, 'x'));
  large->Release();
  // The last one that was kept comes first.
  auto* const next = pool.AllocateMessages();
  EXPECT_EQ(next, small);
  next->Release();
}

}  // namespace
}  // namespace creamery
