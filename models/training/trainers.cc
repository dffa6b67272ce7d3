#include "models/training/trainers.h"

#include "models/training/trainer.h"

namespace creamery {
namespace {

FlowShape MafShape(const v1::EstimatorSpec& spec, int64_t d) {
  const v1::MafSpec& maf = spec.maf();
  FlowShape shape;
  shape.kind = AutoregressiveLayer::Kind::kAffine;
  shape.d = d;
  shape.transforms = maf.transforms();
  shape.hidden_units.assign(maf.hidden_units().begin(), maf.hidden_units().end());
  return shape;
}

FlowShape NsfShape(const v1::EstimatorSpec& spec, int64_t d) {
  const v1::NsfSpec& nsf = spec.nsf();
  FlowShape shape;
  shape.kind = AutoregressiveLayer::Kind::kSpline;
  shape.d = d;
  shape.transforms = nsf.transforms();
  shape.hidden_units.assign(nsf.hidden_units().begin(), nsf.hidden_units().end());
  shape.bins = nsf.bins();
  return shape;
}

constexpr Trainer kTrainers[] = {
    {"maf", v1::EstimatorSpec::kMaf, &MafShape},
    {"nsf", v1::EstimatorSpec::kNsf, &NsfShape},
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
