// What a training was estimated to take, held against what it takes.
#include "models/training_cost.h"

#include <malloc.h>

#include <fstream>
#include <string>

#include "models/families.h"
#include "models/training/flow.h"
#include "models/training/flow_network.h"
#include "tests/models/training/training_samples.h"
#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kMebi = 1 << 20;

v1::Dataset SchemaOf(int64_t d, int64_t rows) {
  v1::Dataset schema;
  for (int64_t i = 0; i < d; ++i) schema.add_parameters()->set_name("p" + std::to_string(i));
  schema.set_num_rows(rows);
  return schema;
}

v1::EstimatorSpec Complete(const std::string& family, int64_t d, int transforms, int layers, int units) {
  v1::EstimatorSpec spec = SpecOf(family);
  const auto set = [&](auto& flow) {
    flow.set_transforms(transforms);
    for (int i = 0; i < layers; ++i) flow.add_hidden_units(units);
  };
  family == "maf" ? set(*spec.mutable_maf()) : set(*spec.mutable_nsf());
  return CompleteSpec(spec, SchemaOf(d, 1000), {}).value();
}

// VmHWM of this process since the last Reset, bytes.
class PeakMemory {
 public:
  PeakMemory() {
    malloc_trim(0);  // what earlier work has let go
    std::ofstream("/proc/self/clear_refs") << "5";
    before_ = Read();
  }
  int64_t Grown() const { return Read() - before_; }

 private:
  static int64_t Read() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
      int64_t kibibytes = 0;
      if (word == "VmHWM:" && status >> kibibytes) return kibibytes << 10;
    }
    return 0;
  }
  int64_t before_ = 0;
};

TEST(TrainingCostTest, CountsTheWeightsOfTheNetworkThatIsMade) {
  for (const char* family : {"maf", "nsf"}) {
    for (const int64_t d : {1, 2, 7}) {
      const v1::EstimatorSpec spec = Complete(family, d, 2, 3, 20);
      EXPECT_EQ(EstimateTrainingCost(spec, d, d, 1000, 1).weights, FlowNetwork(ShapeOf(spec, d), 1, 0).num_weights())
          << family << " of " << d;
    }
  }
}

TEST(TrainingCostTest, OptionsInRangeWhoseProductIsNotAreRefusedWithWhatToReduce) {
  const auto check = [](const v1::EstimatorSpec& spec, int64_t d, int64_t rows, int64_t threads = 1) {
    return CheckTrainingCost(spec, SchemaOf(d, rows), d, threads, 4096 * kMebi, "max_training_mib");
  };
  for (const auto& [transforms, layers] : {std::pair{64, 8}, std::pair{6, 8}}) {
    v1::EstimatorSpec spec = Complete("maf", 5, transforms, layers, 4096);
    spec.mutable_training()->set_members(16);
    EXPECT_THAT(check(spec, 5, 1000),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         AllOf(HasSubstr("more than the 4.0 GiB that max_training_mib allows"), HasSubstr("16 members"),
                               HasSubstr("use fewer transforms, hidden_units"))));
  }
  EXPECT_THAT(check(Complete("nsf", 60, 64, 8, 4096), 60, 1000), HasCode(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(check(Complete("maf", 3, 6, 2, 50), 3, 200000000),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("give fewer rows")));
  for (const char* family : {"maf", "nsf", "kde", "piecewise", "blocks", "auto"}) {
    for (const int64_t d : {1, 6, 60}) {
      const auto spec = CompleteSpec(SpecOf(family), SchemaOf(d, 1000000), {});
      ASSERT_THAT(spec, IsOk());
      EXPECT_THAT(check(*spec, d, 1000000, 4), IsOk()) << family << " of " << d;
    }
  }
}

TEST(TrainingCostTest, IsWithinAFactorOfTwoOfWhatIsTaken) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer takes memory of its own";
#endif
  for (const char* family : {"maf", "nsf"}) {
    TrainingInput input =
        MakeInput({FreeParameter("a"), FreeParameter("b"), FreeParameter("c")}, 200, [](const auto& u, double* row) {
          for (int i = 0; i < 3; ++i) row[i] = u(i) + u(i + 3);
        });
    v1::EstimatorSpec& spec = *input.job.mutable_training()->mutable_spec();
    spec = Complete(family, 3, 1, 2, 1400);
    spec.mutable_training()->set_members(2);
    spec.mutable_training()->set_max_epochs(1);
    TrainingHooks hooks;
    hooks.checkpoint_due = [] { return true; };
    hooks.checkpoint = [](std::string) { return absl::OkStatus(); };
    const PeakMemory peak;
    ASSERT_THAT(Train(input, hooks), IsOk());
    const double measured = static_cast<double>(peak.Grown());
    const double estimated = static_cast<double>(EstimateTrainingCost(spec, 3, 3, 200, 1).bytes());
    RecordProperty(std::string(family) + "_measured_mib", static_cast<int>(measured / kMebi));
    RecordProperty(std::string(family) + "_estimated_mib", static_cast<int>(estimated / kMebi));
    EXPECT_LT(measured, 2 * estimated) << family;
    EXPECT_GT(measured, estimated / 2) << family;
  }
}

}  // namespace
}  // namespace creamery
