#include "storage/file_blob_store.h"

#include "proto/support/digest.h"
#include "tests/storage/registry_fixture.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

class FileBlobStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(store_, FileBlobStore::Open(directory_.path() + "/blobs", 0)); }
  int NumFiles() const { return std::distance(std::filesystem::directory_iterator(directory_.path() + "/blobs"), {}); }

  ScratchDirectory directory_;
  std::unique_ptr<FileBlobStore> store_;
};

TEST_F(FileBlobStoreTest, ABlobIsNamedByItsBytes) {
  ASSERT_OK_AND_ASSIGN(auto writer, store_->NewBlob());
  ASSERT_THAT(writer->Append("ab"), IsOk());
  ASSERT_THAT(writer->Append("c"), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto committed, writer->Commit(Sha256Hex("abc")));
  EXPECT_EQ(committed.digest, Sha256Hex("abc"));
  EXPECT_EQ(committed.size, 3);
  EXPECT_EQ(store_->ReadBlob(committed.digest).value(), "abc");
  ASSERT_OK_AND_ASSIGN(const auto reader, store_->OpenBlob(committed.digest));
  EXPECT_EQ(reader->Read(1, 2).value(), "bc");
  EXPECT_THAT(reader->Read(1, 3), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(committed.digest)));
  EXPECT_THAT(reader->Read(UINT64_MAX, 2), HasCode(absl::StatusCode::kDataLoss));
}

TEST_F(FileBlobStoreTest, WritesAtPositionsGiveTheSameBlob) {
  ASSERT_OK_AND_ASSIGN(auto writer, store_->NewBlob());
  ASSERT_THAT(writer->WriteAt(2, "c"), IsOk());
  ASSERT_THAT(writer->WriteAt(0, "ab"), IsOk());
  EXPECT_EQ(writer->Commit()->digest, Sha256Hex("abc"));
}

TEST_F(FileBlobStoreTest, WhatIsNotCommittedLeavesNothing) {
  ASSERT_OK_AND_ASSIGN(auto writer, store_->NewBlob());
  ASSERT_THAT(writer->Append("abc"), IsOk());
  EXPECT_EQ(NumFiles(), 1);
  EXPECT_THAT(writer->Commit(Sha256Hex("other")), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(Sha256Hex("abc"))));
  writer.reset();
  EXPECT_EQ(NumFiles(), 0);
}

TEST_F(FileBlobStoreTest, AGuardProtectsUntilTheLastOneIsGone) {
  const auto put = [&] {
    auto writer = store_->NewBlob().value();
    EXPECT_THAT(writer->Append("abc"), IsOk());
    return writer->Commit().value();
  };
  BlobWriter::Committed first = put();
  BlobWriter::Committed second = put();
  first.guard.reset();
  EXPECT_FALSE(store_->Remove(second.digest).value());
  ASSERT_OK_AND_ASSIGN(const auto reader, store_->OpenBlob(second.digest));
  second.guard.reset();
  EXPECT_TRUE(store_->Remove(second.digest).value());
  EXPECT_FALSE(store_->Remove(second.digest).value());
  EXPECT_THAT(store_->ReadBlob(second.digest), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("missing")));
  EXPECT_EQ(reader->Read(0, 3).value(), "abc");  // open before it was unlinked
}

TEST_F(FileBlobStoreTest, ADigestIsNoPath) {
  EXPECT_THAT(store_->OpenBlob("../../etc/passwd"), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(store_->SizeOf("../blobs"), HasCode(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace creamery
