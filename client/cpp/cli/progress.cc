#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/cli/cli.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

std::string StateName(v1::JobState state) { return absl::AsciiStrToLower(v1::JobState_Name(state)); }

std::string Details(const v1::Progress& p) {
  if (p.members() == 0) return p.stage();  // a statistic
  std::string left = p.seconds_left() > 0 ? absl::StrFormat(", at most %.0f s left", p.seconds_left()) : "";
  const std::string stage = p.stage().empty() ? "" : absl::StrCat(p.stage(), "  ");
  return absl::StrFormat("%smember %d/%d  epoch %d  loss %.4f  held out %.4f (best %.4f at %d)%s", stage,
                         p.member() + 1, p.members(), p.epoch(), p.train_loss(), p.held_out_loss(),
                         p.best_held_out_loss(), p.best_epoch(), left);
}

// "joint_posterior".
std::string StatisticName(const v1::StatisticsJob& statistics) {
  const auto* field = statistics.GetReflection()->GetOneofFieldDescriptor(
      statistics, v1::StatisticsJob::descriptor()->FindOneofByName("request"));
  return field == nullptr ? "?" : std::string(field->name());
}

std::string Bar(double fraction) {
  constexpr int kWidth = 24;
  const int done = std::lround(std::min(std::max(fraction, 0.), 1.) * kWidth);
  return absl::StrCat("[", std::string(done, '='), std::string(kWidth - done, ' '), "]");
}

}  // namespace

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (open_) std::fputc('\n', stderr);
}

void ProgressLine::Show(const v1::Job& job) {
  const std::string state = StateName(job.state());
  const v1::Progress& progress = job.progress();
  const double fraction = job.state() == v1::SUCCEEDED ? 1 : progress.fraction();
  const std::string details = job.has_progress() && !HasEnded(job.state()) ? Details(progress) : "";
  if (terminal_) {
    // \033[K clears what a longer line left behind.
    Err("\r%s %3.0f%% %s  %s\033[K", Bar(fraction), 100 * fraction, state, details);
    std::fflush(stderr);
    open_ = true;
    return;
  }
  // In a log: a line when the state or the member changes, and every five per cent.
  const std::string now = absl::StrCat(state, " ", progress.member(), " ", job.attempt());
  if (now == last_plain_ && fraction < last_fraction_ + .05) return;
  last_plain_ = now;
  last_fraction_ = fraction;
  Err("%s %3.0f%%  %s\n", state, 100 * fraction, details);
}

void PrintJob(const v1::Job& job) {
  Out("%s  %s", TypedName(job.name()), StateName(job.state()));
  if (job.has_training()) Out("  %s", TypedName(job.training().model()));
  if (job.has_statistics()) Out("  %s", StatisticName(job.statistics()));
  if (job.state() == v1::RUNNING) Out("  %.0f%%", 100 * job.progress().fraction());
  if (!job.model_version().empty()) Out("  -> %s", TypedName(job.model_version()));
  if (job.state() == v1::FAILED) Out("  %s", job.error().message());
  if (job.cancel_requested() && !HasEnded(job.state())) Out("  (cancel requested)");
  Out("\n");
}

absl::Status Follow(const Job& job, const Context& context) {
  absl::StatusOr<v1::Job> ended;
  {
    ProgressLine line;
    ended = job.Wait([&](const v1::Job& now) { line.Show(now); });
  }
  ABSL_RETURN_IF_ERROR(ended.status());
  if (context.json) {
    PrintJson(*ended);
  } else {
    PrintJob(*ended);
  }
  if (!ended->model_version().empty()) {
    ABSL_ASSIGN_OR_RETURN(const Client client, context.Connect());
    ABSL_ASSIGN_OR_RETURN(const Model model, client.GetModel(ended->model_version()));
    PrintTrainingWarnings(model.version());
  }
  return JobStatus(*ended);
}

}  // namespace creamery::cli
