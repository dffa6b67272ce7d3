#include "storage/parts.h"

#include <fstream>

#include "proto/support/array.h"
#include "proto/support/safetensors.h"
#include "storage/file_blob_store.h"
#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PartsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(store_, FileBlobStore::Open(directory_.path(), 0));
    schema_.add_parameters()->set_name("a");
    schema_.add_parameters()->set_name("b");
    schema_.set_has_weight(true);
    schema_.set_has_chain(true);
  }
  v1::Rows Rows(std::vector<double> theta, std::vector<double> weight, std::vector<int64_t> chain) const {
    const int64_t n = weight.size();
    return MakeRows(schema_, {n, std::move(theta), std::move(weight), std::move(chain), {}, {}}, 0, n);
  }
  // Two parts: rows 0 to 2 in two messages, row 3 alone.
  std::vector<DatasetPart> WriteTwoParts() {
    auto writer = PartWriter::Create(*store_, schema_, 3).value();
    EXPECT_THAT(writer->Append(Rows({1, 2, 3, 4}, {.1, .2}, {7, 7})), IsOk());
    EXPECT_THAT(writer->Append(Rows({5, 6}, {.3}, {8})), IsOk());
    const auto first = writer->Commit().value();
    writer = PartWriter::Create(*store_, schema_, 1).value();
    EXPECT_THAT(writer->Append(Rows({7, 8}, {.4}, {8})), IsOk());
    const auto second = writer->Commit().value();
    return {{first.digest, 3}, {second.digest, 1}};
  }

  ScratchDirectory directory_;
  std::unique_ptr<FileBlobStore> store_;
  v1::Dataset schema_;
};

TEST_F(PartsTest, RangesAreReadAcrossParts) {
  ASSERT_OK_AND_ASSIGN(const auto reader, PartsReader::Open(*store_, schema_, WriteTwoParts()));
  EXPECT_EQ(reader->num_rows(), 4);
  ASSERT_OK_AND_ASSIGN(const RowBlock block, reader->Read(1, 4));
  EXPECT_EQ(block.num_rows, 3);
  EXPECT_THAT(block.theta, ElementsAre(3, 4, 5, 6, 7, 8));
  EXPECT_THAT(block.weight, ElementsAre(.2, .3, .4));
  EXPECT_THAT(block.chain, ElementsAre(7, 8, 8));
  EXPECT_EQ(reader->Read(2, 2)->num_rows, 0);
  EXPECT_THAT(reader->Read(3, 5), HasCode(absl::StatusCode::kInvalidArgument));
}

TEST_F(PartsTest, RowsOnOrOutsideTheBoundsAreCounted) {
  schema_.mutable_parameters(0)->set_lower(1);
  schema_.mutable_parameters(1)->mutable_prior()->mutable_uniform()->set_upper(6);
  auto writer = PartWriter::Create(*store_, schema_, 4).value();
  EXPECT_THAT(writer->Append(Rows({1, 2, 3, 4}, {.1, .2}, {7, 7})), IsOk());
  EXPECT_EQ(writer->num_rows_outside(), 1);
  EXPECT_THAT(writer->Append(Rows({.5, 6, 3, 7}, {.1, .2}, {7, 7})), IsOk());
  EXPECT_EQ(writer->num_rows_outside(), 3);
}

TEST_F(PartsTest, APartIsASafetensorsFileThatDoesNotDependOnTheMessages) {
  const std::string bytes = store_->ReadBlob(WriteTwoParts()[0].digest).value();
  ASSERT_OK_AND_ASSIGN(const Safetensors file, Safetensors::Parse(bytes));
  EXPECT_THAT(*file.Doubles("theta", {3, 2}), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(file.Serialize(), bytes);
}

TEST_F(PartsTest, TooFewAndTooManyRowsAreRefused) {
  EXPECT_THAT(PartWriter::Create(*store_, schema_, 0), HasCode(absl::StatusCode::kInvalidArgument));
  ASSERT_OK_AND_ASSIGN(auto writer, PartWriter::Create(*store_, schema_, 2));
  ASSERT_THAT(writer->Append(Rows({1, 2}, {1}, {0})), IsOk());
  EXPECT_THAT(writer->Commit(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("after 1 of 2 rows")));
  EXPECT_THAT(writer->Append(Rows({1, 2, 3, 4}, {1, 1}, {0, 0})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at least 3 rows")));
  EXPECT_THAT(writer->Append(Rows({1, 2}, {-1}, {0})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("weight is -1 in row 1")));
  writer.reset();
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(PartsTest, ADamagedPartIsNamedWhenItIsTouched) {
  const std::vector<DatasetPart> parts = WriteTwoParts();
  std::fstream(directory_.path() + "/" + parts[1].digest, std::ios::in | std::ios::out)
      .seekp(-1, std::ios::end)
      .put('x');
  ASSERT_OK_AND_ASSIGN(const auto reader, PartsReader::Open(*store_, schema_, parts));
  EXPECT_THAT(reader->Read(0, 3), IsOk());
  EXPECT_THAT(reader->Read(0, 4), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(parts[1].digest)));
}

TEST_F(PartsTest, APartThatDoesNotFitTheSchemaIsDataLoss) {
  const std::vector<DatasetPart> parts = WriteTwoParts();
  ASSERT_OK_AND_ASSIGN(const auto wrong, PartsReader::Open(*store_, schema_, {{parts[0].digest, 4}}));
  EXPECT_THAT(wrong->Read(0, 1), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("(4,)")));
}

}  // namespace
}  // namespace creamery
