#include "client/cpp/cli/model_details.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/prior_text.h"

namespace creamery::cli {
namespace {

void PrintRows(const v1::TrainingSummary& training) {
  std::string rows = absl::StrCat(training.num_rows(), " rows");
  if (training.num_distinct_rows() > 0) absl::StrAppend(&rows, ", ", training.num_distinct_rows(), " of them distinct");
  absl::StrAppend(&rows, "; ", training.num_rows_dropped(), " left out");
  if (training.num_rows_outside() > 0) {
    absl::StrAppend(&rows, ", ", training.num_rows_outside(), " of them on or outside a bound");
  }
  Out("trained on %s at revision %d: %s; %.0f s on %s, %d members\n", TypedName(training.dataset()),
      training.dataset_revision(), rows, training.seconds(), training.device().empty() ? "cpu" : training.device(),
      training.members_size());
}

// Natural logarithms, over rows that the member asked has not seen.
void PrintHeldOut(const v1::TrainingSummary& training) {
  const v1::HeldOutStatistics& held_out = training.held_out();
  Out("held out: mean log q %.4f +- %.4f (seen rows %.4f), spread of the members %.4f\n",
      held_out.out_of_fold_log_prob(), held_out.chain_error(), held_out.in_sample_log_prob(), held_out.member_spread());
  Out("  effective size %.0f, of the weights alone %.0f", held_out.effective_size(), held_out.kish_size());
  if (held_out.num_chains() > 0) Out(", %d chains", held_out.num_chains());
  if (held_out.misfit_error() > 0) Out("; misfit %.4f +- %.4f nats", held_out.misfit(), held_out.misfit_error());
  Out("\n");
  if (training.has_held_out_log_ratio()) {
    Out("  mean log q - log prior %.4f +- %.4f\n", training.held_out_log_ratio().out_of_fold_log_prob(),
        training.held_out_log_ratio().chain_error());
  }
}

}  // namespace

void PrintDetails(const v1::ModelVersion& version) {
  for (const v1::Parameter& parameter : version.signature().parameters()) {
    const std::string prior = PriorToText(parameter.prior());
    Out("  %s%s%s%s\n", parameter.name(), prior.empty() ? "" : " ~ ", prior,
        parameter.unit().empty() ? "" : absl::StrCat(" [", parameter.unit(), "]"));
  }
  const v1::TrainingSummary& training = version.training();
  PrintRows(training);
  PrintHeldOut(training);
  for (const v1::Candidate& candidate : training.compared()) {
    Out("  %s %s: held-out log q %.4f (+- %.4f from the best)%s%s\n", candidate.chosen() ? "*" : " ",
        candidate.spec().ShortDebugString(), candidate.held_out_log_prob(), candidate.difference_error(),
        candidate.failure().empty() ? "" : "  ", candidate.failure());
  }
  if (version.signature().marginalised_size() > 0) {
    Out("marginalised over %s\n", absl::StrJoin(version.signature().marginalised(), ", "));
  }
  if (!version.signature().prior_model().empty()) Out("prior: %s\n", TypedName(version.signature().prior_model()));
  if (version.has_log_evidence()) {
    Out("log Z = %g +- %g\n", version.log_evidence().value(), version.log_evidence().error());
  }
  Out("digest: %s\n", version.artifact_digest());
  PrintCare(training);
}

}  // namespace creamery::cli
