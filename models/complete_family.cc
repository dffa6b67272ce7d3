#include "models/complete_family.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "models/families.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

constexpr int kMaxTransforms = 64;
constexpr int kMaxHiddenLayers = 8;
constexpr int kMaxHiddenUnits = 4096;

int DefaultTransforms(absl::string_view flow, int64_t d) {
  if (flow == "maf") return 6;
  return d == 1 ? 1 : 3;
}

int DefaultBins(int64_t d) { return d == 1 ? 16 : 8; }

template <typename Spec>
absl::Status CheckHiddenUnits(absl::string_view family, const Spec& spec) {
  ABSL_RETURN_IF_ERROR(CheckRange(absl::StrCat("the number of hidden layers in ", family, ".hidden_units"),
                                  spec.hidden_units_size(), 0, kMaxHiddenLayers));
  for (const int units : spec.hidden_units()) {
    ABSL_RETURN_IF_ERROR(CheckRange(absl::StrCat(family, ".hidden_units"), units, 1, kMaxHiddenUnits));
  }
  return absl::OkStatus();
}

template <typename Spec>
void DefaultHiddenUnits(Spec& spec) {
  if (!spec.hidden_units().empty()) return;
  spec.add_hidden_units(50);
  spec.add_hidden_units(50);
}

template <typename Spec>
absl::Status CheckTransforms(absl::string_view family, const Spec& spec) {
  return CheckRange(absl::StrCat(family, ".transforms"), spec.transforms(), 1, kMaxTransforms);
}

template <typename Spec>
absl::Status CheckBins(absl::string_view family, const Spec& spec) {
  return CheckRange(absl::StrCat(family, ".bins"), spec.bins(), 2, 64);
}

// Of flows that are parts: `maf` or `nsf`.
template <typename Spec>
absl::Status CompletePartFamily(absl::string_view family, Spec& spec) {
  if (!spec.has_family()) spec.set_family("maf");
  if (spec.family() == "maf" || spec.family() == "nsf") return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(family, ".family is '", spec.family(), "', expected 'maf' or 'nsf'"));
}

absl::Status CompleteMaf(int64_t d, v1::MafSpec& maf) {
  if (!maf.has_transforms()) maf.set_transforms(DefaultTransforms("maf", d));
  ABSL_RETURN_IF_ERROR(CheckTransforms("maf", maf));
  DefaultHiddenUnits(maf);
  return CheckHiddenUnits("maf", maf);
}

absl::Status CompleteNsf(int64_t d, v1::NsfSpec& nsf) {
  if (!nsf.has_bins()) nsf.set_bins(DefaultBins(d));
  ABSL_RETURN_IF_ERROR(CheckBins("nsf", nsf));
  if (!nsf.has_transforms()) nsf.set_transforms(DefaultTransforms("nsf", d));
  ABSL_RETURN_IF_ERROR(CheckTransforms("nsf", nsf));
  DefaultHiddenUnits(nsf);
  return CheckHiddenUnits("nsf", nsf);
}

absl::Status CompleteKde(v1::KdeSpec& kde) {
  if (!kde.has_bandwidth()) kde.set_bandwidth(1);
  if (!kde.has_kernels()) kde.set_kernels(10000);
  if (!(kde.bandwidth() >= 0.01 && kde.bandwidth() <= 100)) {
    return absl::InvalidArgumentError(
        absl::StrCat("kde.bandwidth is ", kde.bandwidth(), ", expected a number from 0.01 to 100"));
  }
  return CheckRange("kde.kernels", kde.kernels(), 10, 1000000);
}

absl::Status CompletePiecewise(int64_t d, v1::PiecewiseSpec& piecewise) {
  ABSL_RETURN_IF_ERROR(CompletePartFamily("piecewise", piecewise));
  if (piecewise.has_pieces()) {
    ABSL_RETURN_IF_ERROR(CheckRange("piecewise.pieces", piecewise.pieces(), 1, 64));
  } else if (!piecewise.has_max_pieces()) {
    piecewise.set_max_pieces(4);
  }
  if (piecewise.has_max_pieces()) {
    ABSL_RETURN_IF_ERROR(CheckRange("piecewise.max_pieces", piecewise.max_pieces(), 1, 16));
  }
  if (!piecewise.has_transforms()) piecewise.set_transforms(DefaultTransforms(piecewise.family(), d));
  ABSL_RETURN_IF_ERROR(CheckTransforms("piecewise", piecewise));
  ABSL_RETURN_IF_ERROR(CheckHiddenUnits("piecewise", piecewise));
  if (piecewise.family() == "nsf") {
    if (!piecewise.has_bins()) piecewise.set_bins(DefaultBins(d));
    return CheckBins("piecewise", piecewise);
  }
  if (!piecewise.has_bins()) return absl::OkStatus();
  return absl::InvalidArgumentError("piecewise.bins is given, expected only where piecewise.family is 'nsf'");
}

// Every parameter in exactly one block.
absl::Status CheckBlocks(absl::Span<const std::string> parameters, const v1::BlocksSpec& blocks) {
  std::map<std::string, int> block_of;
  for (int b = 0; b < blocks.blocks_size(); ++b) {
    const std::vector<std::string> names =
        absl::StrSplit(blocks.blocks(b), absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
    if (names.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("blocks.blocks: block ", b, " is empty, expected names separated by spaces"));
    }
    for (const std::string& name : names) {
      if (std::find(parameters.begin(), parameters.end(), name) == parameters.end()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "blocks.blocks: '", name, "' is not one of the model's parameters ", absl::StrJoin(parameters, ", ")));
      }
      const auto [other, is_new] = block_of.emplace(name, b);
      if (is_new) continue;
      return absl::InvalidArgumentError(absl::StrCat("blocks.blocks: '", name, "' is in block ", other->second,
                                                     " and again in block ", b, ", expected it once"));
    }
  }
  for (const std::string& name : parameters) {
    if (block_of.count(name) != 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("blocks.blocks: '", name, "' is in no block, expected every parameter in one"));
  }
  return absl::OkStatus();
}

absl::Status CompleteBlocks(absl::Span<const std::string> parameters, v1::BlocksSpec& blocks) {
  ABSL_RETURN_IF_ERROR(CompletePartFamily("blocks", blocks));
  if (!blocks.blocks().empty()) {
    ABSL_RETURN_IF_ERROR(CheckBlocks(parameters, blocks));
  } else if (!blocks.has_dependence()) {
    blocks.set_dependence(0.02);
  }
  if (blocks.has_dependence() && !(blocks.dependence() > 0 && std::isfinite(blocks.dependence()))) {
    return absl::InvalidArgumentError(
        absl::StrCat("blocks.dependence is ", blocks.dependence(), ", expected a positive number"));
  }
  if (blocks.has_transforms()) ABSL_RETURN_IF_ERROR(CheckTransforms("blocks", blocks));
  DefaultHiddenUnits(blocks);
  ABSL_RETURN_IF_ERROR(CheckHiddenUnits("blocks", blocks));
  if (blocks.has_bins()) ABSL_RETURN_IF_ERROR(CheckBins("blocks", blocks));
  return absl::OkStatus();
}

absl::Status CompleteAuto(v1::AutoSpec& automatic) {
  std::vector<std::string> known = FamilyNames();
  known.erase(std::find(known.begin(), known.end(), "auto"));
  for (int i = 0; i < automatic.candidates_size(); ++i) {
    const std::string& name = automatic.candidates(i);
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "auto.candidates: '", name, "' is not a family to compare; those are ", absl::StrJoin(known, ", ")));
    }
    const auto begin = automatic.candidates().begin();
    if (std::find(begin, begin + i, name) != begin + i) {
      return absl::InvalidArgumentError(absl::StrCat("auto.candidates: '", name, "' is given twice"));
    }
  }
  if (!automatic.has_trials()) automatic.set_trials(0);
  return CheckRange("auto.trials", automatic.trials(), 0, 100);
}

}  // namespace

absl::Status CheckRange(absl::string_view option, int64_t given, int64_t lowest, int64_t highest) {
  if (given >= lowest && given <= highest) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(option, " is ", given, ", expected ", lowest, " to ", highest));
}

absl::Status CompleteFamily(absl::Span<const std::string> parameters, v1::EstimatorSpec& spec) {
  const int64_t d = static_cast<int64_t>(parameters.size());
  switch (spec.family_case()) {
    case v1::EstimatorSpec::kMaf:
      return CompleteMaf(d, *spec.mutable_maf());
    case v1::EstimatorSpec::kNsf:
      return CompleteNsf(d, *spec.mutable_nsf());
    case v1::EstimatorSpec::kKde:
      return CompleteKde(*spec.mutable_kde());
    case v1::EstimatorSpec::kPiecewise:
      return CompletePiecewise(d, *spec.mutable_piecewise());
    case v1::EstimatorSpec::kBlocks:
      return CompleteBlocks(parameters, *spec.mutable_blocks());
    case v1::EstimatorSpec::kAuto:
      return CompleteAuto(*spec.mutable_auto_());
    case v1::EstimatorSpec::FAMILY_NOT_SET:
      break;
  }
  return FindFamily(spec).status();
}

}  // namespace creamery
