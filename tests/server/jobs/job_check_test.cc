// Whether an artifact is what a job asked for: what was left open is the trainer's, everything else is not.
#include "server/jobs/job_check.h"

#include <string>

#include "tests/server/jobs/small_artifact.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

class JobCheckTest : public ::testing::Test {
 protected:
  JobCheckTest() {
    dataset_.set_name("projects/planck/datasets/chain");
    for (const char* name : {"a", "b", "c"}) dataset_.add_parameters()->set_name(name);
    dataset_.set_row_kind(v1::INDEPENDENT);
    dataset_.set_num_rows(1000);
    dataset_.set_revision(1);
    dataset_.set_digest(std::string(64, '1'));
  }
  // A job as it is stored, and what a worker would say that did as asked.
  void Ask(const v1::EstimatorSpec& spec) {
    v1::TrainingJob training;
    training.set_model("projects/planck/models/cosmo");
    training.set_dataset(dataset_.name());
    *training.mutable_spec() = spec;
    job_.set_name("projects/planck/jobs/1");
    ASSERT_OK_AND_ASSIGN(*job_.mutable_training(), CheckTraining({"planck"}, training, dataset_));
    made_ = SmallDescription(job_, dataset_);
  }
  absl::Status Check() { return CheckArtifact(job_, dataset_, SmallArtifact(made_)).status(); }

  v1::Dataset dataset_;
  v1::Job job_;
  v1::ModelVersion made_;
};

TEST_F(JobCheckTest, WhatTheDataDecidesIsTheTrainers) {
  v1::EstimatorSpec spec;
  spec.mutable_piecewise();
  Ask(spec);
  EXPECT_THAT(Check(), IsOk());
  made_.mutable_spec()->mutable_piecewise()->set_pieces(3);
  made_.mutable_spec()->mutable_piecewise()->add_hidden_units(29);
  (*made_.mutable_spec()->mutable_parameter_maps())["a"] = v1::UNBOUNDED;
  EXPECT_THAT(Check(), IsOk());

  spec.mutable_blocks();
  Ask(spec);
  made_.mutable_spec()->mutable_blocks()->add_blocks("a b");
  made_.mutable_spec()->mutable_blocks()->add_blocks("c");
  EXPECT_THAT(Check(), IsOk());
}

TEST_F(JobCheckTest, WhatWasAskedForMustBeAsAsked) {
  v1::EstimatorSpec spec;
  spec.mutable_piecewise()->set_pieces(2);
  spec.mutable_training()->set_seed(7);
  Ask(spec);
  made_.mutable_spec()->mutable_piecewise()->set_pieces(3);
  EXPECT_THAT(Check(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("spec")));
  Ask(spec);
  made_.mutable_spec()->mutable_training()->set_seed(8);
  EXPECT_THAT(Check(), HasCode(absl::StatusCode::kFailedPrecondition));
  Ask(spec);
  made_.mutable_spec()->mutable_maf();
  EXPECT_THAT(Check(), HasCode(absl::StatusCode::kFailedPrecondition));
  v1::EstimatorSpec blocks;
  blocks.mutable_blocks()->add_blocks("a b");
  blocks.mutable_blocks()->add_blocks("c");
  Ask(blocks);
  EXPECT_THAT(Check(), IsOk());
  made_.mutable_spec()->mutable_blocks()->set_blocks(0, "a");
  made_.mutable_spec()->mutable_blocks()->set_blocks(1, "b c");
  EXPECT_THAT(Check(), HasCode(absl::StatusCode::kFailedPrecondition));
}

TEST_F(JobCheckTest, AutoMayBecomeWhatItSaysItChose) {
  v1::EstimatorSpec spec;
  spec.mutable_auto_();
  Ask(spec);
  EXPECT_EQ(FamilyOf(job_), "auto");
  EXPECT_THAT(Check(), IsOk());  // a version that stays `auto`
  made_.mutable_spec()->mutable_nsf()->set_transforms(2);
  EXPECT_THAT(Check(), HasCode(absl::StatusCode::kFailedPrecondition));
  v1::Candidate& candidate = *made_.mutable_training()->add_compared();
  *candidate.mutable_spec() = made_.spec();
  EXPECT_THAT(Check(), HasCode(absl::StatusCode::kFailedPrecondition));
  candidate.set_chosen(true);
  EXPECT_THAT(Check(), IsOk());
  made_.mutable_spec()->mutable_training()->set_members(9);
  while (made_.training().members_size() < 9) made_.mutable_training()->add_members();
  EXPECT_THAT(Check(), HasCode(absl::StatusCode::kFailedPrecondition));
}

TEST_F(JobCheckTest, ThePriorModelIsPartOfWhatWasAskedFor) {
  v1::EstimatorSpec spec;
  spec.mutable_maf();
  Ask(spec);
  job_.mutable_training()->set_prior_model("projects/planck/models/prior/versions/2");
  EXPECT_THAT(Check(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("prior_model is none")));
  made_.mutable_signature()->set_prior_model("projects/planck/models/prior/versions/2");
  EXPECT_THAT(Check(), IsOk());
}

}  // namespace
}  // namespace creamery
