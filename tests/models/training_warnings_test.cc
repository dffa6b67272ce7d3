#include "models/training_warnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace creamery {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::TrainingSummary Summary() {
  v1::TrainingSummary training;
  training.set_num_rows(3000);
  training.set_num_distinct_rows(3000);
  training.mutable_held_out()->set_misfit(0.02);
  training.mutable_held_out()->set_misfit_error(0.01);
  return training;
}

TEST(TrainingWarningsTest, AnOrdinaryTrainingHasNone) { EXPECT_THAT(TrainingWarnings(Summary(), 3), IsEmpty()); }

TEST(TrainingWarningsTest, OneRowLeftOutIsSaid) {
  v1::TrainingSummary training = Summary();
  training.set_num_rows_outside(1);
  EXPECT_THAT(TrainingWarnings(training, 3), ElementsAre(v1::ROWS_LEFT_OUT));
}

TEST(TrainingWarningsTest, RepeatedRowsCountIfWhatRemainsIsFew) {
  v1::TrainingSummary training = Summary();
  training.set_num_distinct_rows(1000);  // a chain of rejected steps
  EXPECT_THAT(TrainingWarnings(training, 3), IsEmpty());
  EXPECT_THAT(TrainingWarnings(training, 60), ElementsAre(v1::FEW_DISTINCT_ROWS));
  training.set_num_distinct_rows(50);
  EXPECT_THAT(TrainingWarnings(training, 3), ElementsAre(v1::FEW_DISTINCT_ROWS));
  training.set_num_rows(60);
  EXPECT_THAT(TrainingWarnings(training, 3), IsEmpty());
}

TEST(TrainingWarningsTest, AMisfitIsLargeByItselfAndByItsError) {
  v1::TrainingSummary training = Summary();
  training.mutable_held_out()->set_misfit(0.24);  // 24 errors, but little
  EXPECT_THAT(TrainingWarnings(training, 3), IsEmpty());
  training.mutable_held_out()->set_misfit(0.5);
  EXPECT_THAT(TrainingWarnings(training, 3), ElementsAre(v1::LARGE_MISFIT));
  training.mutable_held_out()->set_in_sample_log_prob(1.2);  // trained on too few rows: the bars know
  EXPECT_THAT(TrainingWarnings(training, 3), IsEmpty());
  training.mutable_held_out()->set_in_sample_log_prob(0);
  training.mutable_held_out()->set_misfit_error(0.11);
  EXPECT_THAT(TrainingWarnings(training, 3), IsEmpty());
  training.mutable_held_out()->set_misfit_error(0);  // not known
  EXPECT_THAT(TrainingWarnings(training, 3), IsEmpty());
}

}  // namespace
}  // namespace creamery
