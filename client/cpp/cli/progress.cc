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
    std::fprintf(stderr, "\r%s %3.0f%% %s  %s\033[K", Bar(fraction).c_str(), 100 * fraction, state.c_str(),
                 details.c_str());
    std::fflush(stderr);
    open_ = true;
    return;
  }
  // In a log: a line when the state or the member changes, and every five per cent.
  const std::string now = absl::StrCat(state, " ", progress.member(), " ", job.attempt());
  if (now == last_plain_ && fraction < last_fraction_ + .05) return;
  last_plain_ = now;
  last_fraction_ = fraction;
  std::fprintf(stderr, "%s %3.0f%%  %s\n", state.c_str(), 100 * fraction, details.c_str());
}

void PrintJob(const v1::Job& job) {
  std::printf("%s  %s", TypedName(job.name()).c_str(), StateName(job.state()).c_str());
  if (job.has_training()) std::printf("  %s", TypedName(job.training().model()).c_str());
  if (job.has_statistics()) std::printf("  %s", StatisticName(job.statistics()).c_str());
  if (job.state() == v1::RUNNING) std::printf("  %.0f%%", 100 * job.progress().fraction());
  if (!job.model_version().empty()) std::printf("  -> %s", TypedName(job.model_version()).c_str());
  if (job.state() == v1::FAILED) std::printf("  %s", job.error().message().c_str());
  if (job.cancel_requested() && !HasEnded(job.state())) std::printf("  (cancel requested)");
  std::printf("\n");
}

absl::Status Follow(const Job& job, const Context& context) {
  absl::StatusOr<v1::Job> ended;
  {
    ProgressLine line;
    ended = job.Wait([&](const v1::Job& now) { line.Show(now); });
  }
  ABSL_RETURN_IF_ERROR(ended.status());
  if (context.json) {
    std::printf("%s\n", ToJson(*ended).c_str());
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
