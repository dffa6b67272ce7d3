#include "models/families.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/check_description.h"
#include "models/densities/density_estimator.h"
#include "proto/support/rows.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr char kFormat[] = "creamery-artifact";
// 1: flows, one tree level. 2: trees of densities, specs of all families, the answer of a training.
constexpr int kFormatVersion = 2;

// JSON of the same message is the same text: maps go by key.
std::string ToJson(const google::protobuf::Message& message) {
  std::string binary;
  {
    google::protobuf::io::StringOutputStream stream(&binary);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  const std::unique_ptr<google::protobuf::util::TypeResolver> resolver(
      google::protobuf::util::NewTypeResolverForDescriptorPool("type.googleapis.com",
                                                               google::protobuf::DescriptorPool::generated_pool()));
  std::string json;
  const auto status = google::protobuf::util::BinaryToJsonString(
      resolver.get(), absl::StrCat("type.googleapis.com/", message.GetDescriptor()->full_name()), binary, &json);
  return status.ok() ? json : std::string();
}

// FAILED_PRECONDITION for a format newer than this program, DATA_LOSS for what is not an artifact.
absl::Status CheckFormat(const Safetensors& artifact) {
  const auto format = artifact.metadata().find("format");
  if (format == artifact.metadata().end() || format->second != kFormat) {
    return absl::DataLossError(absl::StrCat("not an artifact: metadata 'format' is not '", kFormat, "'"));
  }
  const auto text = artifact.metadata().find("format_version");
  int version = 0;
  if (text == artifact.metadata().end() || !absl::SimpleAtoi(text->second, &version) || version < 1) {
    return absl::DataLossError("the artifact's 'format_version' is missing or not a positive number");
  }
  if (version > kFormatVersion) {
    return absl::FailedPreconditionError(absl::StrCat("the artifact has format version ", version,
                                                      ", this program reads up to ", kFormatVersion,
                                                      "; install a newer creamery"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Span<const Family> Families() {
  static constexpr Family kFamilies[] = {
      {"maf", v1::EstimatorSpec::kMaf, &DensityEstimator::Load},
      {"nsf", v1::EstimatorSpec::kNsf, &DensityEstimator::Load},
      {"kde", v1::EstimatorSpec::kKde, &DensityEstimator::Load},
      {"piecewise", v1::EstimatorSpec::kPiecewise, &DensityEstimator::Load},
      {"blocks", v1::EstimatorSpec::kBlocks, &DensityEstimator::Load},
      {"auto", v1::EstimatorSpec::kAuto, &DensityEstimator::Load},
  };
  return kFamilies;
}

std::vector<std::string> FamilyNames() {
  std::vector<std::string> names;
  for (const Family& family : Families()) names.emplace_back(family.name);
  return names;
}

absl::StatusOr<const Family*> FindFamily(const v1::EstimatorSpec& spec) {
  for (const Family& family : Families()) {
    if (family.spec_case == spec.family_case()) return &family;
  }
  return absl::InvalidArgumentError(absl::StrCat("the spec names no family that is known here; the families are ",
                                                 absl::StrJoin(FamilyNames(), ", ")));
}

absl::StatusOr<v1::ModelVersion> ReadDescription(const Safetensors& artifact) {
  ABSL_RETURN_IF_ERROR(CheckFormat(artifact));
  const auto text = artifact.metadata().find("description");
  if (text == artifact.metadata().end()) return absl::DataLossError("the artifact's description is missing");
  v1::ModelVersion description;
  const auto status = google::protobuf::util::JsonStringToMessage(text->second, &description);
  if (!status.ok()) {
    return absl::DataLossError(absl::StrCat("the artifact's description cannot be read: ", status.ToString()));
  }
  if (description.signature().parameters().empty()) {
    return absl::DataLossError("the artifact's description has no parameters");
  }
  return description;
}

void WriteDescription(const v1::ModelVersion& description, Safetensors& artifact) {
  artifact.SetMetadata("format", kFormat);
  artifact.SetMetadata("format_version", absl::StrCat(kFormatVersion));
  artifact.SetMetadata("description", ToJson(description));
}

namespace {

constexpr int64_t kProbes = 256;
constexpr double kLargestShareAtABound = 0.05;

// The maps of an artifact and the bounds that it declares are told apart in it. Draws show whether they agree: those
// that its maps put outside the box come to lie on the last number inside.
absl::Status CheckBox(const Estimator& estimator) {
  if (estimator.density() == nullptr) return absl::OkStatus();
  const auto& parameters = estimator.description().signature().parameters();
  const int64_t d = parameters.size();
  std::vector<double> theta(kProbes * d);
  ABSL_RETURN_IF_ERROR(Sample(*estimator.density(), 0, 0, absl::MakeSpan(theta), StopToken()));
  for (int64_t j = 0; j < d; ++j) {
    const Bounds bounds = BoundsOf(parameters[static_cast<int>(j)]);
    int64_t at_a_bound = 0;
    for (int64_t i = 0; i < kProbes; ++i) {
      const double value = theta[i * d + j];
      if (value <= std::nextafter(bounds.lower, HUGE_VAL) || value >= std::nextafter(bounds.upper, -HUGE_VAL)) {
        ++at_a_bound;
      }
    }
    if (static_cast<double>(at_a_bound) <= kLargestShareAtABound * static_cast<double>(kProbes)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(at_a_bound, " of ", kProbes, " draws of '", parameters[static_cast<int>(j)].name(),
                     "' lie outside the bounds that the signature declares, ", bounds.lower, " and ", bounds.upper,
                     ", expected those of its maps"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Estimator>> LoadEstimator(absl::string_view artifact_bytes, const std::string& name) {
  ABSL_ASSIGN_OR_RETURN(const Safetensors artifact, Safetensors::Parse(artifact_bytes));
  ABSL_ASSIGN_OR_RETURN(v1::ModelVersion description, ReadDescription(artifact));
  // What has no name yet arrives.
  const TextOrigin origin = name.empty() ? TextOrigin::kArriving : TextOrigin::kStored;
  if (const absl::Status status = CheckDescription(description, origin); !status.ok()) {
    return absl::DataLossError(absl::StrCat("the artifact's description: ", status.message()));
  }
  if (!name.empty()) description.set_name(name);
  const auto family = FindFamily(description.spec());
  if (!family.ok()) return absl::DataLossError(absl::StrCat("the artifact's ", family.status().message()));
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Estimator> estimator, (*family)->load(std::move(description), artifact));
  if (origin == TextOrigin::kArriving) {
    if (const absl::Status status = CheckBox(*estimator); !status.ok()) {
      return absl::DataLossError(absl::StrCat("the artifact: ", status.message()));
    }
  }
  return estimator;
}

}  // namespace creamery
