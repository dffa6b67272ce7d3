#include "models/training/trainers.h"

#include "models/training/auto.h"
#include "models/training/blocks.h"
#include "models/training/flow.h"
#include "models/training/kde.h"
#include "models/training/piecewise.h"
#include "models/training/trainer.h"

namespace creamery {
namespace {

constexpr Trainer kTrainers[] = {
    {"maf", v1::EstimatorSpec::kMaf, nullptr, &FitFlow, &VaryFlow},
    {"nsf", v1::EstimatorSpec::kNsf, nullptr, &FitFlow, &VaryFlow},
    {"kde", v1::EstimatorSpec::kKde, nullptr, &FitKde, &VaryKde},
    {"piecewise", v1::EstimatorSpec::kPiecewise, &PiecewiseCandidates, &FitPiecewise, &VaryPiecewise},
    {"blocks", v1::EstimatorSpec::kBlocks, nullptr, &FitBlocks, &VaryBlocks},
    {"auto", v1::EstimatorSpec::kAuto, &AutoCandidates, nullptr, nullptr},
};

}  // namespace

absl::Span<const Trainer> Trainers() { return kTrainers; }

absl::StatusOr<const Trainer*> FindTrainer(const v1::EstimatorSpec& spec) {
  for (const Trainer& trainer : kTrainers) {
    if (trainer.spec_case == spec.family_case()) return &trainer;
  }
  return absl::UnimplementedError("this program cannot train the family of the spec");
}

std::vector<std::string> TrainableFamilies() {
  std::vector<std::string> names;
  for (const Trainer& trainer : kTrainers) names.emplace_back(trainer.name);
  return names;
}

}  // namespace creamery
