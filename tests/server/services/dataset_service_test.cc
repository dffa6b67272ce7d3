#include <cmath>
#include <vector>

#include "absl/time/clock.h"
#include "proto/support/array.h"
#include "tests/server/test_server.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

constexpr char kDataset[] = "projects/planck/datasets/chain";

class DatasetServiceTest : public TestServer {
 protected:
  void SetUp() override {
    StartServer();
    ASSERT_THAT(CreateProject("planck"), IsOk());
    ASSERT_THAT(CreateDataset(Schema()), IsOk());
  }
  static v1::Dataset Schema() {
    v1::Dataset schema;
    schema.add_parameters()->set_name("omegam");
    schema.add_parameters()->set_name("w0");
    schema.set_row_kind(v1::INDEPENDENT);
    schema.set_has_weight(true);
    return schema;
  }
  absl::Status CreateDataset(const v1::Dataset& schema, const std::string& id = "chain",
                             const std::string& request_id = "") {
    grpc::ClientContext context;
    v1::CreateDatasetRequest request;
    request.set_parent("projects/planck");
    request.set_dataset_id(id);
    request.set_request_id(request_id);
    *request.mutable_dataset() = schema;
    v1::Dataset dataset;
    return FromGrpc(datasets_->CreateDataset(&context, request, &dataset));
  }
  // Rows i = begin..end-1: (i, 2 i), weight 1.
  static v1::Rows MakeRows(int begin, int end) {
    std::vector<double> theta;
    for (int i = begin; i < end; ++i) theta.insert(theta.end(), {1.0 * i, 2.0 * i});
    v1::Rows rows;
    *rows.mutable_theta() = FromDoubles(theta, {end - begin, 2});
    *rows.mutable_weight() = FromDoubles(std::vector<double>(end - begin, 1.0), {end - begin});
    return rows;
  }
  static v1::AppendRowsRequest Head(int64_t total_rows) {
    v1::AppendRowsRequest request;
    request.set_name(kDataset);
    request.set_total_rows(total_rows);
    return request;
  }
  absl::Status Append(const v1::AppendRowsRequest& head, const std::vector<v1::Rows>& messages,
                      v1::Dataset* dataset = nullptr) {
    grpc::ClientContext context;
    v1::Dataset reply;
    auto writer = datasets_->AppendRows(&context, &reply);
    bool open = writer->Write(head);
    for (const v1::Rows& rows : messages) {
      v1::AppendRowsRequest request;
      *request.mutable_rows() = rows;
      open = open && writer->Write(request);
    }
    writer->WritesDone();
    absl::Status status = FromGrpc(writer->Finish());
    if (dataset != nullptr) *dataset = reply;
    return status;
  }
  // Of 7 000 characters.
  static std::string Endless() { return std::string(7000, 'n'); }
  v1::Dataset Get() { return *server_->registry().GetDataset({"planck", "chain"}); }
  // Files in the blob store, temporary ones included.
  int Files() {
    int files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ / "data/blobs")) {
      files += entry.is_regular_file() ? 1 : 0;
    }
    return files;
  }
};

TEST_F(DatasetServiceTest, TextThatShowsAsSomethingElseIsRefusedWithItsPlace) {
  v1::Dataset schema = Schema();
  schema.mutable_parameters(0)->set_unit("k\u202em");
  EXPECT_THAT(CreateDataset(schema, "a"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the unit of 'omegam' is 'k\\u{202e}m'")));
  schema = Schema();
  schema.mutable_parameters(1)->set_label("w\u009b0");
  EXPECT_THAT(CreateDataset(schema, "a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2, U+009B")));
  schema = Schema();
  schema.mutable_parameters(1)->set_name("w\u200b0");
  EXPECT_THAT(CreateDataset(schema, "a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("parameter 1")));
  schema = Schema();
  schema.set_description("a\x1b[2Jb");
  EXPECT_THAT(CreateDataset(schema, "a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the description")));
  schema.set_description("two\nlines of \u03a9");
  EXPECT_THAT(CreateDataset(schema, "a"), IsOk());
}

// A status travels as metadata, of which clients take 8 KiB: what is echoed must not be what fails.
TEST_F(DatasetServiceTest, EndlessNamesComeBackShortened) {
  EXPECT_THAT(CreateDataset(Schema(), Endless()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 to 63")));
  v1::Dataset schema = Schema();
  schema.mutable_parameters(0)->set_name(Endless());
  EXPECT_THAT(CreateDataset(schema, "a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("7000")));
  v1::AppendRowsRequest head = Head(1);
  head.set_name("projects/planck/datasets/" + Endless());
  EXPECT_THAT(Append(head, {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 to 63")));
}

TEST_F(DatasetServiceTest, RowsComeBackInOrderOverParts) {
  v1::Dataset dataset;
  ASSERT_THAT(Append(Head(5), {MakeRows(0, 2), MakeRows(2, 5)}, &dataset), IsOk());
  EXPECT_EQ(dataset.num_rows(), 5);
  EXPECT_EQ(dataset.revision(), 1);
  ASSERT_THAT(Append(Head(3), {MakeRows(5, 8)}, &dataset), IsOk());
  EXPECT_EQ(dataset.revision(), 2);
  grpc::ClientContext context;
  v1::DownloadRowsRequest request;
  request.set_name(kDataset);
  auto reader = datasets_->DownloadRows(&context, request);
  v1::DownloadRowsResponse reply;
  std::vector<double> theta;
  while (reader->Read(&reply)) {
    ASSERT_OK_AND_ASSIGN(const std::vector<double> rows, ToDoubles("theta", reply.rows().theta(), {-1, 2}));
    theta.insert(theta.end(), rows.begin(), rows.end());
  }
  ASSERT_THAT(FromGrpc(reader->Finish()), IsOk());
  ASSERT_EQ(theta.size(), 16U);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(theta[2 * i + 1], 2.0 * i);
}

TEST_F(DatasetServiceTest, AnUploadWithTooFewOrTooManyRowsKeepsNothing) {
  EXPECT_THAT(Append(Head(5), {MakeRows(0, 2)}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 of 5 rows")));
  EXPECT_THAT(Append(Head(2), {MakeRows(0, 3)}), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Append(Head(0), {}), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(Get().num_rows(), 0);
  EXPECT_EQ(Files(), 0);
}

TEST_F(DatasetServiceTest, ACancelledUploadKeepsNothing) {
  {
    grpc::ClientContext context;
    v1::Dataset reply;
    auto writer = datasets_->AppendRows(&context, &reply);
    ASSERT_TRUE(writer->Write(Head(100000)));
    v1::AppendRowsRequest request;
    *request.mutable_rows() = MakeRows(0, 50000);
    ASSERT_TRUE(writer->Write(request));
    for (int i = 0; i < 500 && Files() == 0; ++i) absl::SleepFor(absl::Milliseconds(10));
    ASSERT_GT(Files(), 0);  // the upload is under way
    context.TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  for (int i = 0; i < 500 && Files() > 0; ++i) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ(Files(), 0);
  EXPECT_EQ(Get().num_rows(), 0);
}

TEST_F(DatasetServiceTest, BadRowsAreNamedAndKeepNothing) {
  v1::Rows rows = MakeRows(0, 3);
  *rows.mutable_theta() = FromDoubles({0, 0, 1, std::nan(""), 2, 2}, {3, 2});
  EXPECT_THAT(Append(Head(5), {MakeRows(0, 2), rows}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 3, column 1 (w0)")));
  rows = MakeRows(0, 3);
  *rows.mutable_weight() = FromDoubles({1, -1, 1}, {3});
  EXPECT_THAT(Append(Head(3), {rows}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 1")));
  rows = MakeRows(0, 3);
  *rows.mutable_theta() = FromDoubles({1, 2, 3}, {3, 1});
  EXPECT_THAT(Append(Head(3), {rows}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("theta has shape (3, 1), expected (n, 2)")));
  rows = MakeRows(0, 3);
  rows.clear_weight();
  EXPECT_THAT(Append(Head(3), {rows}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("weight")));
  EXPECT_EQ(Get().num_rows(), 0);
  EXPECT_EQ(Files(), 0);
}

TEST_F(DatasetServiceTest, ARepeatedUploadIsOnePartHoweverItIsCutAndOtherRowsAreRefused) {
  v1::AppendRowsRequest head = Head(4);
  head.set_request_id("once");
  v1::Dataset first;
  v1::Dataset again;
  ASSERT_THAT(Append(head, {MakeRows(0, 4)}, &first), IsOk());
  ASSERT_THAT(Append(head, {MakeRows(0, 1), MakeRows(1, 4)}, &again), IsOk());
  EXPECT_EQ(again.num_rows(), 4);
  EXPECT_EQ(again.digest(), first.digest());
  EXPECT_THAT(Append(head, {MakeRows(1, 5)}), StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("once")));
  EXPECT_EQ(Get().num_rows(), 4);
}

TEST_F(DatasetServiceTest, AnExpectationThatDoesNotHoldIsAborted) {
  ASSERT_THAT(Append(Head(4), {MakeRows(0, 4)}), IsOk());
  v1::AppendRowsRequest head = Head(1);
  head.set_expected_num_rows(3);
  EXPECT_THAT(Append(head, {MakeRows(0, 1)}), StatusIs(absl::StatusCode::kAborted, HasSubstr("4")));
  head.set_expected_num_rows(4);
  EXPECT_THAT(Append(head, {MakeRows(0, 1)}), IsOk());
}

TEST_F(DatasetServiceTest, AnUploadWithoutANameOrToNobodyIsRefused) {
  v1::AppendRowsRequest head = Head(1);
  head.set_name("projects/planck/datasets/other");
  EXPECT_THAT(Append(head, {MakeRows(0, 1)}), HasCode(absl::StatusCode::kNotFound));
  head.clear_name();
  EXPECT_THAT(Append(head, {MakeRows(0, 1)}), HasCode(absl::StatusCode::kInvalidArgument));
  grpc::ClientContext context;
  v1::Dataset reply;
  auto writer = datasets_->AppendRows(&context, &reply);
  writer->WritesDone();
  EXPECT_THAT(FromGrpc(writer->Finish()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("first message must name")));
}

TEST_F(DatasetServiceTest, SchemasAndIdsAreCheckedAndRepeatsAreSafe) {
  EXPECT_THAT(CreateDataset(Schema()), IsOk());  // without rows: taken over
  v1::Dataset described = Schema();
  described.set_description("another");
  EXPECT_THAT(CreateDataset(described), HasCode(absl::StatusCode::kAlreadyExists));
  ASSERT_THAT(Append(Head(1), {MakeRows(0, 1)}), IsOk());
  EXPECT_THAT(CreateDataset(Schema()), HasCode(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(CreateDataset(Schema(), "bad/id"), HasCode(absl::StatusCode::kInvalidArgument));
  v1::Dataset twice = Schema();
  twice.add_parameters()->set_name("w0");
  EXPECT_THAT(CreateDataset(twice, "twice"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("w0")));
  ASSERT_THAT(CreateDataset(Schema(), "second", "once"), IsOk());
  EXPECT_THAT(CreateDataset(Schema(), "second", "once"), IsOk());
  v1::Dataset other = Schema();
  other.set_description("other content");
  EXPECT_THAT(CreateDataset(other, "second", "once"), HasCode(absl::StatusCode::kAlreadyExists));
}

TEST_F(DatasetServiceTest, ADeletedDatasetIsGoneWithItsFiles) {
  ASSERT_THAT(Append(Head(4), {MakeRows(0, 4)}), IsOk());
  EXPECT_EQ(Files(), 1);
  grpc::ClientContext context;
  v1::DeleteDatasetRequest request;
  request.set_name(kDataset);
  v1::DeleteDatasetResponse response;
  ASSERT_THAT(FromGrpc(datasets_->DeleteDataset(&context, request, &response)), IsOk());
  EXPECT_THAT(server_->registry().GetDataset({"planck", "chain"}), HasCode(absl::StatusCode::kNotFound));
  EXPECT_EQ(Files(), 0);
}

}  // namespace
}  // namespace creamery
