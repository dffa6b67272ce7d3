#include "server/rpc/call.h"

#include "creamery/v1/inference_service.pb.h"
#include "creamery/v1/model_service.pb.h"
#include "google/protobuf/unknown_field_set.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

TEST(CallTest, UnknownFieldsAreRefusedByNumberAtAnyDepth) {
  v1::LogProbRequest request;
  request.set_model("projects/p/models/m");
  request.mutable_theta()->add_shape(1);
  EXPECT_THAT(CheckNoUnknownFields(request), IsOk());
  v1::Array* theta = request.mutable_theta();
  theta->GetReflection()->MutableUnknownFields(theta)->AddVarint(23, 1);
  EXPECT_THAT(CheckNoUnknownFields(request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unknown field 23 in creamery.v1.Array")));
  request.GetReflection()->MutableUnknownFields(&request)->AddVarint(17, 1);
  EXPECT_THAT(CheckNoUnknownFields(request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("unknown field 17 in creamery.v1.LogProbRequest: the server is older")));
}

TEST(CallTest, ADigestIsOfTheMethodAndTheContentInAFixedOrder) {
  v1::UpdateLabelsRequest one;
  v1::UpdateLabelsRequest two;
  for (int i = 0; i < 20; ++i) (*one.mutable_labels())[std::to_string(i)] = "x";
  for (int i = 19; i >= 0; --i) (*two.mutable_labels())[std::to_string(i)] = "x";
  EXPECT_EQ(RequestDigest("UpdateLabels", one), RequestDigest("UpdateLabels", two));
  EXPECT_NE(RequestDigest("UpdateLabels", one), RequestDigest("Other", one));
  (*two.mutable_labels())["0"] = "y";
  EXPECT_NE(RequestDigest("UpdateLabels", one), RequestDigest("UpdateLabels", two));
}

TEST(CallTest, ARequestIdIsAtMost128Bytes) {
  const v1::GetModelRequest request;
  EXPECT_THAT(MakeCaller({}, "M", std::string(128, 'a'), request), IsOk());
  EXPECT_THAT(MakeCaller({}, "M", std::string(129, 'a'), request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("129 bytes")));
}

TEST(CallTest, AnExceptionBecomesAStatus) {
  EXPECT_THAT(RunGuarded([]() -> absl::Status { throw std::bad_alloc(); }),
              HasCode(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(RunGuarded([]() -> absl::Status { throw std::runtime_error("x"); }),
              HasCode(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace creamery
