// CompleteSpec of families.h: every default written out, every option in its range.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/complete_family.h"
#include "models/families.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// About sixteen steps or more an epoch.
int DefaultBatchSize(int64_t num_rows) {
  int size = 64;
  while (size < 1024 && size * 2 * 16 <= num_rows) size *= 2;
  return size;
}

absl::Status CompleteTraining(int64_t num_rows, v1::EstimatorSpec::FamilyCase family, v1::TrainingOptions& options) {
  if (!options.has_members()) options.set_members(4);
  if (!options.has_seed()) options.set_seed(0);
  if (!options.has_learning_rate()) options.set_learning_rate(1e-3);
  if (!options.has_batch_size()) options.set_batch_size(DefaultBatchSize(num_rows));
  if (!options.has_max_epochs()) options.set_max_epochs(300);
  if (!options.has_patience()) options.set_patience(20);
  if (!options.has_clip_norm()) options.set_clip_norm(5);
  if (options.answer() == v1::ANSWER_UNSPECIFIED) {
    options.set_answer(family == v1::EstimatorSpec::kAuto ? v1::MEMBER_MIXTURE : v1::BEST_MEMBER);
  }
  if (!v1::Answer_IsValid(options.answer())) {
    return absl::InvalidArgumentError(absl::StrCat("training.answer is ", static_cast<int>(options.answer()),
                                                   ", expected BEST_MEMBER or MEMBER_MIXTURE"));
  }
  ABSL_RETURN_IF_ERROR(CheckRange("training.members", options.members(), 2, 16));
  ABSL_RETURN_IF_ERROR(CheckRange("training.batch_size", options.batch_size(), 1, 65536));
  ABSL_RETURN_IF_ERROR(CheckRange("training.max_epochs", options.max_epochs(), 1, 100000));
  ABSL_RETURN_IF_ERROR(CheckRange("training.patience", options.patience(), 1, 100000));
  if (!(options.learning_rate() > 0 && options.learning_rate() <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("training.learning_rate is ", options.learning_rate(), ", expected a number in (0, 1]"));
  }
  if (!(options.clip_norm() > 0 && std::isfinite(options.clip_norm()))) {
    return absl::InvalidArgumentError(
        absl::StrCat("training.clip_norm is ", options.clip_norm(), ", expected a positive number"));
  }
  return absl::OkStatus();
}

absl::Status CheckMap(const v1::Parameter& parameter, v1::ParameterMap map) {
  const Bounds bounds = BoundsOf(parameter);
  const int num_bounds = (std::isfinite(bounds.lower) ? 1 : 0) + (std::isfinite(bounds.upper) ? 1 : 0);
  const auto refuse = [&](absl::string_view needs) {
    return absl::InvalidArgumentError(absl::StrCat("parameter_maps: ", v1::ParameterMap_Name(map), " of '",
                                                   parameter.name(), "' needs ", needs, "; its bounds are (",
                                                   bounds.lower, ", ", bounds.upper, ")"));
  };
  switch (map) {
    case v1::PARAMETER_MAP_UNSPECIFIED:
      return absl::OkStatus();
    case v1::UNBOUNDED:
      // A density on the whole line would leak past the bounds and not normalise between them.
      return num_bounds == 0 ? absl::OkStatus() : refuse("no bounds");
    case v1::PROBIT:
    case v1::BOX_SPLINE:
      return num_bounds == 2 ? absl::OkStatus() : refuse("two bounds");
    case v1::HALF_BOUNDED:
      return num_bounds == 1 ? absl::OkStatus() : refuse("exactly one bound");
    case v1::LOG:
      // Without a lower bound the samples decide, and training refuses them if one is not positive.
      return num_bounds == 0 || bounds.lower > 0 ? absl::OkStatus() : refuse("a positive lower bound, or no bounds");
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("parameter_maps: '", parameter.name(), "' has the unknown map ", static_cast<int>(map)));
  }
}

const v1::Parameter* FindParameter(const v1::Dataset& schema, const std::string& name) {
  for (const v1::Parameter& parameter : schema.parameters()) {
    if (parameter.name() == name) return &parameter;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<v1::EstimatorSpec> CompleteSpec(const v1::EstimatorSpec& spec, const v1::Dataset& schema,
                                               absl::Span<const std::string> parameters) {
  std::vector<std::string> all;
  for (const v1::Parameter& parameter : schema.parameters()) all.push_back(parameter.name());
  std::vector<std::string> kept(parameters.begin(), parameters.end());
  if (kept.empty()) kept = all;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (FindParameter(schema, kept[i]) == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameters: the dataset has no '", kept[i], "'; it has ", absl::StrJoin(all, ", ")));
    }
    if (std::find(kept.begin(), kept.begin() + i, kept[i]) != kept.begin() + i) {
      return absl::InvalidArgumentError(absl::StrCat("parameters: '", kept[i], "' is given twice"));
    }
  }
  ABSL_RETURN_IF_ERROR(FindFamily(spec).status());
  // Never ignored in silence: whoever asks for a tail would take the answer for one.
  if (spec.has_tail()) return absl::UnimplementedError("tail: this program does not learn tails yet; leave it out");
  v1::EstimatorSpec complete = spec;
  ABSL_RETURN_IF_ERROR(CompleteFamily(kept, complete));
  ABSL_RETURN_IF_ERROR(CompleteTraining(schema.num_rows(), complete.family_case(), *complete.mutable_training()));
  // In the order of the parameters, so that the same spec gives the same message when two maps are wrong.
  size_t known = 0;
  for (const std::string& name : kept) {
    const auto map = spec.parameter_maps().find(name);
    if (map == spec.parameter_maps().end()) continue;
    ++known;
    ABSL_RETURN_IF_ERROR(CheckMap(*FindParameter(schema, name), map->second));
  }
  if (known < static_cast<size_t>(spec.parameter_maps().size())) {
    for (const auto& entry : spec.parameter_maps()) {
      if (std::find(kept.begin(), kept.end(), entry.first) != kept.end()) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "parameter_maps: '", entry.first, "' is not one of the model's parameters ", absl::StrJoin(kept, ", ")));
    }
  }
  return complete;
}

}  // namespace creamery
