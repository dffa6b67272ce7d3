#include "models/check_description.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "models/families.h"
#include "proto/support/parameters.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"
#include "proto/support/text_check.h"

namespace creamery {
namespace {

constexpr double kLargestStatistic = 1e60;
constexpr int kMostMembers = 16;
constexpr int kMostCandidates = 10000;
constexpr size_t kDigestBytes = 64;

absl::Status Bad(absl::string_view field, absl::string_view given, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", given, ", expected ", expected));
}

absl::Status CheckAtLeastZero(absl::string_view field, int64_t value) {
  return value >= 0 ? absl::OkStatus() : Bad(field, absl::StrCat(value), "0 or more");
}

// A number of HeldOutStatistics and its kind.
absl::Status CheckNumber(absl::string_view field, double value, double least) {
  if (value >= least && value <= kLargestStatistic) return absl::OkStatus();
  return Bad(field, absl::StrCat(value),
             least == 0 ? absl::StrCat("a number from 0 to ", kLargestStatistic)
                        : absl::StrCat("a number within +-", kLargestStatistic));
}
absl::Status CheckReal(absl::string_view field, double value) { return CheckNumber(field, value, -kLargestStatistic); }
absl::Status CheckPositive(absl::string_view field, double value) { return CheckNumber(field, value, 0); }

absl::Status CheckSignature(const v1::Signature& signature, TextOrigin origin) {
  ABSL_RETURN_IF_ERROR(CheckParameters("the signature", signature.parameters(), origin));
  std::set<int> abilities;
  for (const int ability : signature.abilities()) {
    if (ability != v1::ABILITY_UNSPECIFIED && v1::Ability_IsValid(ability) && abilities.insert(ability).second)
      continue;
    return Bad("signature.abilities", absl::StrCat("a list with ", ability), "abilities that are known, each once");
  }
  if (signature.context_size() != 0) {
    return Bad("signature.context_size", absl::StrCat(signature.context_size()), "0: no family is conditional");
  }
  if (const absl::Status status = CheckMarginalised(signature.marginalised(), signature.parameters(), origin);
      !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("signature: ", status.message()));
  }
  if (signature.prior_model().empty()) return absl::OkStatus();
  const absl::Status prior = VersionName::Parse(signature.prior_model()).status();
  return prior.ok() ? prior : absl::InvalidArgumentError(absl::StrCat("signature.prior_model: ", prior.message()));
}

absl::Status CheckSpec(const v1::ModelVersion& description) {
  v1::Dataset schema;
  *schema.mutable_parameters() = description.signature().parameters();
  schema.set_num_rows(std::max<int64_t>(description.training().num_rows(), 0));
  const absl::Status status = CompleteSpec(description.spec(), schema, {}).status();
  return status.ok() ? status : absl::InvalidArgumentError(absl::StrCat("spec: ", status.message()));
}

absl::Status CheckHeldOut(const std::string& field, const v1::HeldOutStatistics& held_out) {
  const auto name = [&](absl::string_view of) { return absl::StrCat(field, ".", of); };
  ABSL_RETURN_IF_ERROR(CheckReal(name("out_of_fold_log_prob"), held_out.out_of_fold_log_prob()));
  ABSL_RETURN_IF_ERROR(CheckReal(name("in_sample_log_prob"), held_out.in_sample_log_prob()));
  ABSL_RETURN_IF_ERROR(CheckPositive(name("log_prob_variance"), held_out.log_prob_variance()));
  ABSL_RETURN_IF_ERROR(CheckReal(name("log_prob_covariance"), held_out.log_prob_covariance()));
  ABSL_RETURN_IF_ERROR(CheckPositive(name("member_spread"), held_out.member_spread()));
  ABSL_RETURN_IF_ERROR(CheckPositive(name("covariance_spread"), held_out.covariance_spread()));
  ABSL_RETURN_IF_ERROR(CheckPositive(name("chain_error"), held_out.chain_error()));
  ABSL_RETURN_IF_ERROR(CheckPositive(name("variance_chain_error"), held_out.variance_chain_error()));
  ABSL_RETURN_IF_ERROR(CheckPositive(name("effective_size"), held_out.effective_size()));
  ABSL_RETURN_IF_ERROR(CheckPositive(name("kish_size"), held_out.kish_size()));
  ABSL_RETURN_IF_ERROR(CheckReal(name("log_prob_floor"), held_out.log_prob_floor()));
  ABSL_RETURN_IF_ERROR(CheckAtLeastZero(name("num_chains"), held_out.num_chains()));
  ABSL_RETURN_IF_ERROR(CheckReal(name("misfit"), held_out.misfit()));
  return CheckPositive(name("misfit_error"), held_out.misfit_error());
}

absl::Status CheckMembers(const v1::TrainingSummary& training, const v1::TrainingOptions& options) {
  const int members = training.members_size();
  if (members > kMostMembers) {
    return Bad("training.members", absl::StrCat("a list of ", members), absl::StrCat("at most ", kMostMembers));
  }
  if (members > 0 && options.has_members() && options.members() != members) {
    return Bad("training.members", absl::StrCat("a list of ", members),
               absl::StrCat(options.members(), " as the spec says"));
  }
  // Without summaries, as many members as are needed for the one that answers.
  const int most = members > 0 ? members : kMostMembers;
  if (training.answering_member() < 0 || training.answering_member() >= most) {
    return Bad("training.answering_member", absl::StrCat(training.answering_member()), absl::StrCat("0 to ", most - 1));
  }
  for (int k = 0; k < members; ++k) {
    const v1::MemberSummary& member = training.members(k);
    const std::string field = absl::StrCat("training.members[", k, "].");
    ABSL_RETURN_IF_ERROR(CheckAtLeastZero(field + "epochs", member.epochs()));
    if (member.best_epoch() < 0 || member.best_epoch() > member.epochs()) {
      return Bad(field + "best_epoch", absl::StrCat(member.best_epoch()), absl::StrCat("0 to ", member.epochs()));
    }
    ABSL_RETURN_IF_ERROR(CheckReal(field + "train_loss", member.train_loss()));
    ABSL_RETURN_IF_ERROR(CheckReal(field + "held_out_loss", member.held_out_loss()));
    ABSL_RETURN_IF_ERROR(CheckReal(field + "mean_log_prob", member.mean_log_prob()));
  }
  return absl::OkStatus();
}

absl::Status CheckRowCounts(const v1::TrainingSummary& training) {
  ABSL_RETURN_IF_ERROR(CheckAtLeastZero("training.dataset_revision", training.dataset_revision()));
  ABSL_RETURN_IF_ERROR(CheckAtLeastZero("training.num_rows", training.num_rows()));
  ABSL_RETURN_IF_ERROR(CheckAtLeastZero("training.num_rows_dropped", training.num_rows_dropped()));
  if (training.num_rows_outside() < 0 || training.num_rows_outside() > training.num_rows_dropped()) {
    return Bad("training.num_rows_outside", absl::StrCat(training.num_rows_outside()),
               absl::StrCat("0 to num_rows_dropped = ", training.num_rows_dropped()));
  }
  if (training.num_distinct_rows() < 0 || training.num_distinct_rows() > training.num_rows()) {
    return Bad("training.num_distinct_rows", absl::StrCat(training.num_distinct_rows()),
               absl::StrCat("0 to num_rows = ", training.num_rows()));
  }
  return absl::OkStatus();
}

absl::Status CheckTexts(const v1::TrainingSummary& training) {
  for (int i = 0; i < training.compared_size(); ++i) {
    ABSL_RETURN_IF_ERROR(CheckText(absl::StrCat("training.compared[", i, "].failure"), training.compared(i).failure(),
                                   TextKind::kParagraphs));
  }
  ABSL_RETURN_IF_ERROR(CheckShortText("training.job", training.job()));
  ABSL_RETURN_IF_ERROR(CheckShortText("training.dataset", training.dataset()));
  ABSL_RETURN_IF_ERROR(CheckShortText("training.build", training.build()));
  return CheckShortText("training.device", training.device());
}

absl::Status CheckTraining(const v1::TrainingSummary& training, const v1::TrainingOptions& options) {
  const std::string& digest = training.dataset_digest();
  if (!digest.empty() && (digest.size() != kDigestBytes || !std::all_of(digest.begin(), digest.end(), [](char c) {
                            return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
                          }))) {
    return Bad("training.dataset_digest", absl::StrCat("a text of ", digest.size(), " bytes"),
               "64 lower-case hexadecimal digits");
  }
  if (!v1::RowKind_IsValid(training.row_kind())) {
    return Bad("training.row_kind", absl::StrCat(static_cast<int>(training.row_kind())), "one that is known");
  }
  ABSL_RETURN_IF_ERROR(CheckRowCounts(training));
  ABSL_RETURN_IF_ERROR(CheckMembers(training, options));
  ABSL_RETURN_IF_ERROR(CheckHeldOut("training.held_out", training.held_out()));
  ABSL_RETURN_IF_ERROR(CheckHeldOut("training.held_out_log_ratio", training.held_out_log_ratio()));
  ABSL_RETURN_IF_ERROR(CheckPositive("training.seconds", training.seconds()));
  if (training.compared_size() > kMostCandidates) {
    return Bad("training.compared", absl::StrCat("a list of ", training.compared_size()),
               absl::StrCat("at most ", kMostCandidates));
  }
  for (int i = 0; i < training.compared_size(); ++i) {
    const v1::Candidate& candidate = training.compared(i);
    const std::string field = absl::StrCat("training.compared[", i, "].");
    ABSL_RETURN_IF_ERROR(CheckReal(field + "held_out_log_prob", candidate.held_out_log_prob()));
    ABSL_RETURN_IF_ERROR(CheckPositive(field + "difference_error", candidate.difference_error()));
  }
  for (const int warning : training.warnings()) {
    if (warning != v1::WARNING_UNSPECIFIED && v1::Warning_IsValid(warning)) continue;
    return Bad("training.warnings", absl::StrCat("a list with ", warning), "warnings that are known");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckDescription(const v1::ModelVersion& description, TextOrigin origin) {
  ABSL_RETURN_IF_ERROR(CheckSignature(description.signature(), origin));
  if (origin == TextOrigin::kArriving) ABSL_RETURN_IF_ERROR(CheckTexts(description.training()));
  ABSL_RETURN_IF_ERROR(CheckSpec(description));
  ABSL_RETURN_IF_ERROR(CheckTraining(description.training(), description.spec().training()));
  const v1::LogEvidence& evidence = description.log_evidence();
  if (std::fabs(evidence.value()) <= kLargestStatistic && evidence.error() >= 0 &&
      evidence.error() <= kLargestStatistic) {
    return absl::OkStatus();
  }
  return Bad("log_evidence", absl::StrCat(evidence.value(), " with error ", evidence.error()),
             "finite numbers and an error >= 0");
}

}  // namespace creamery
