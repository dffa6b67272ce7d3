#include "server/rpc/wire_cost.h"

#include <gtest/gtest.h>

#include <string>

#include "creamery/v1/inference_service.pb.h"
#include "creamery/v1/job_service.pb.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<int64_t> Cost(const google::protobuf::Descriptor& type, const std::string& bytes, int64_t most) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()), 100);  // in blocks
  return StructureBytes(type, &stream, most);
}

std::string Repeated(const std::string& bytes, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += bytes;
  return all;
}

TEST(WireCostTest, TheEstimateIsFromAboveForObjectsOfTwoBytes) {
  const std::string bytes = Repeated(std::string("\x12\x00", 2), 1000);
  v1::CreateJobArrayRequest parsed;
  ASSERT_TRUE(parsed.ParseFromString(bytes));
  ASSERT_OK_AND_ASSIGN(const int64_t cost, Cost(*v1::CreateJobArrayRequest::descriptor(), bytes, 1 << 30));
  EXPECT_GE(cost, static_cast<int64_t>(parsed.SpaceUsedLong()) - 1000);
  EXPECT_LT(cost, 3 * static_cast<int64_t>(parsed.SpaceUsedLong()));
}

TEST(WireCostTest, ItStopsAtTheLimitAndNamesIt) {
  EXPECT_THAT(Cost(*v1::CreateJobArrayRequest::descriptor(), Repeated(std::string("\x12\x00", 2), 100000), 10000),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("over 10000 bytes")));
  // Strings and unknown fields cost as well.
  EXPECT_THAT(Cost(*v1::LogProbRequest::descriptor(), Repeated(std::string("\x1a\x00", 2), 1000), 10000),
              HasCode(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(Cost(*v1::LogProbRequest::descriptor(), Repeated("\xf8\x7f\x01", 1000), 10000),
              HasCode(absl::StatusCode::kResourceExhausted));
}

// A bool that comes as an empty text, which the parser keeps as an unknown field.
TEST(WireCostTest, FieldsOfAnotherWireTypeCostWhatUnknownOnesDo) {
  EXPECT_THAT(Cost(*v1::LogProbRequest::descriptor(), Repeated(std::string("\x2a\x00", 2), 1000), 10000),
              HasCode(absl::StatusCode::kResourceExhausted));
}

TEST(WireCostTest, BytesOfArraysCostNothingBesideThemselves) {
  v1::LogProbRequest request;
  request.set_model("projects/p/models/m");
  request.mutable_theta()->set_data(std::string(1 << 20, 'x'));
  request.mutable_theta()->add_shape(1000);
  ASSERT_OK_AND_ASSIGN(const int64_t cost, Cost(*v1::LogProbRequest::descriptor(), request.SerializeAsString(), 4096));
  EXPECT_LT(cost, 1000);
}

TEST(WireCostTest, WhatIsNoMessageIsRefused) {
  const google::protobuf::Descriptor& type = *v1::CreateJobArrayRequest::descriptor();
  for (const std::string& bytes : {std::string("\x12\x05\x01", 3), std::string("\x12", 1), std::string("\x13\x14", 2),
                                   std::string("\x12\xff\xff\xff\xff\x0f", 6), std::string("\x00", 1)}) {
    EXPECT_THAT(Cost(type, bytes, 1 << 20), HasCode(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace creamery
