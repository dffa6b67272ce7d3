// A registry in a fresh directory that can be closed and opened again, and what is needed to fill it.
#ifndef CREAMERY_TESTS_STORAGE_REGISTRY_FIXTURE_H_
#define CREAMERY_TESTS_STORAGE_REGISTRY_FIXTURE_H_

#include <filesystem>
#include <memory>
#include <string>

#include "storage/registry.h"
#include "tests/status_matchers.h"
#include "tests/support/scratch_directory.h"

namespace creamery {

class RegistryFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    Reopen();
    ASSERT_THAT(registry_->CreateProject(ada_, {"planck"}, ""), IsOk());
  }

  void Reopen() {
    registry_.reset();  // releases the lock
    ASSERT_OK_AND_ASSIGN(registry_, Registry::Open(directory_.path() + "/data", options_));
  }

  static v1::Dataset Schema() {
    v1::Dataset schema;
    schema.add_parameters()->set_name("omegam");
    schema.set_row_kind(v1::INDEPENDENT);
    return schema;
  }

  // A request of ada's whose content is `content`.
  Caller Request(const std::string& id, const std::string& content) const { return {"ada", id, content, ada_.time}; }

  BlobWriter::Committed PutBlob(const std::string& bytes) {
    auto writer = registry_->blobs().NewBlob().value();
    EXPECT_THAT(writer->Append(bytes), IsOk());
    return writer->Commit().value();
  }

  std::string BlobPath(const std::string& digest) const { return directory_.path() + "/data/blobs/" + digest; }

  // The dataset planck/chain with one part of 3 rows.
  void MakeDataset() {
    ASSERT_THAT(registry_->CreateDataset(ada_, {"planck", "chain"}, Schema()), IsOk());
    ASSERT_THAT(registry_->AppendPart(ada_, {"planck", "chain"}, {PutBlob("part 1").digest, 3}, -1), IsOk());
  }

  // A queued job that trains planck/cosmo on planck/chain.
  JobName MakeJob() {
    v1::Job job;
    job.mutable_training()->set_model("projects/planck/models/cosmo");
    job.mutable_training()->set_dataset("projects/planck/datasets/chain");
    return JobName::Parse(registry_->CreateJob(ada_, {"planck"}, {job, {}}).value().name()).value();
  }

  LeaseKey Start(const JobName& name, const std::string& token) {
    const v1::Job job = registry_->StartAttempt(name, token, "worker 1", ada_.time).value();
    return {job.name(), job.attempt(), token};
  }

  // The next version of planck/cosmo, from outside.
  v1::ModelVersion Import(const std::string& artifact) {
    return registry_->ImportVersion(ada_, {"planck", "cosmo"}, v1::ModelVersion(), PutBlob(artifact).digest).value();
  }

  void ExpectClean() {
    ASSERT_OK_AND_ASSIGN(const auto problems, registry_->Verify());
    EXPECT_THAT(problems, ::testing::IsEmpty());
  }

  ScratchDirectory directory_;
  Registry::Options options_{0, absl::Hours(1)};
  const Caller ada_{"ada", "", "", absl::FromUnixSeconds(1800000000)};
  std::unique_ptr<Registry> registry_;
};

}  // namespace creamery

#endif  // CREAMERY_TESTS_STORAGE_REGISTRY_FIXTURE_H_
