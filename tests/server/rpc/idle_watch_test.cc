// Uploads that stall: ended with a reason, nothing left behind; slow ones go on.
#include "server/rpc/idle_watch.h"

#include <atomic>
#include <memory>

#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "proto/support/array.h"
#include "tests/server/test_server.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

TEST(IdleWatchTest, AClockThatWaitsTooLongIsEndedOnce) {
  IdleWatch watch(absl::Milliseconds(100));
  std::atomic<int> ended{0};
  const auto waits = std::make_shared<WaitingClock>([&ended] { ++ended; });
  const auto works = std::make_shared<WaitingClock>([] { FAIL(); });
  watch.Add(waits);
  watch.Add(works);
  works->BeginWaiting();
  EXPECT_TRUE(works->EndWaiting());
  waits->BeginWaiting();
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(waits->EndWaiting());
}

class IdleUploadTest : public TestServer {
 protected:
  void SetUp() override {
    config_.set_upload_idle_seconds(0.5);
    StartServer();
    ASSERT_THAT(CreateProject("planck"), IsOk());
    grpc::ClientContext context;
    v1::CreateDatasetRequest request;
    request.set_parent("projects/planck");
    request.set_dataset_id("chain");
    request.mutable_dataset()->add_parameters()->set_name("omegam");
    request.mutable_dataset()->set_row_kind(v1::INDEPENDENT);
    v1::Dataset dataset;
    ASSERT_THAT(FromGrpc(datasets_->CreateDataset(&context, request, &dataset)), IsOk());
  }
  // `messages` of a row each, with a pause after each.
  static absl::Status Upload(v1::DatasetService::Stub& stub, int total, int messages, absl::Duration pause, bool end) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    v1::Dataset reply;
    const auto writer = stub.AppendRows(&context, &reply);
    for (int i = 0; i < messages; ++i) {
      v1::AppendRowsRequest request;
      if (i == 0) request.set_name("projects/planck/datasets/chain");
      if (i == 0) request.set_total_rows(total);
      *request.mutable_rows()->mutable_theta() = FromDoubles({1.0 * i}, {1, 1});
      if (!writer->Write(request)) break;
      absl::SleepFor(pause);
    }
    if (end) writer->WritesDone();
    return FromGrpc(writer->Finish());
  }
  int Files() const {
    int files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ / "data/blobs")) {
      files += entry.is_regular_file() ? 1 : 0;
    }
    return files;
  }
};

TEST_F(IdleUploadTest, AnUploadThatStallsIsEndedAndLeavesNothing) {
  const absl::Time start = absl::Now();
  EXPECT_THAT(Upload(*datasets_, 10, 2, absl::ZeroDuration(), false),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("sent nothing for 500ms")));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  EXPECT_EQ(Files(), 0);
}

TEST_F(IdleUploadTest, OverTheNetworkToo) {
  const auto channel = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  const auto stub = v1::DatasetService::NewStub(channel);
  EXPECT_THAT(Upload(*stub, 10, 2, absl::ZeroDuration(), false),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("sent nothing")));
  EXPECT_THAT(Upload(*stub, 10, 0, absl::ZeroDuration(), false), HasCode(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(Files(), 0);
  // The connection is as good as before.
  EXPECT_THAT(Upload(*stub, 3, 3, absl::ZeroDuration(), true), IsOk());
}

TEST_F(IdleUploadTest, ASlowUploadGoesOnForAsLongAsItSendsSomething) {
  EXPECT_THAT(Upload(*datasets_, 5, 5, absl::Milliseconds(200), true), IsOk());
}

}  // namespace
}  // namespace creamery
