#include "server/rpc/method_limits.h"

#include <algorithm>

#include "absl/strings/string_view.h"

namespace creamery {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kAny = INT64_MAX;  // what the configuration allows

struct Row {
  absl::string_view method;
  int64_t message_bytes;
  int64_t structure_bytes;
  bool lasting;
};

// Methods that are not here have the defaults of MethodLimits.
constexpr Row kRows[] = {
    // Points, rows, bytes of files.
    {"creamery.v1.InferenceService.LogProb", kAny, 4 * kMiB, false},
    {"creamery.v1.InferenceService.LogProbStream", kAny, 4 * kMiB, true},
    {"creamery.v1.InferenceService.Sample", kAny, 4 * kMiB, false},
    {"creamery.v1.InferenceService.PriorTransform", kAny, 4 * kMiB, false},
    {"creamery.v1.InferenceService.InversePriorTransform", kAny, 4 * kMiB, false},
    {"creamery.v1.InferenceService.LogLikelihood", kAny, 4 * kMiB, false},
    {"creamery.v1.StatisticsService.MarginalKL", kAny, 4 * kMiB, false},
    {"creamery.v1.StatisticsService.ModelDimensionality", kAny, 4 * kMiB, false},
    {"creamery.v1.StatisticsService.JointPosterior", kAny, 4 * kMiB, false},
    {"creamery.v1.StatisticsService.Evidence", kAny, 4 * kMiB, false},
    {"creamery.v1.StatisticsService.EvidenceRatio", kAny, 4 * kMiB, false},
    {"creamery.v1.StatisticsService.Reweight", kAny, 4 * kMiB, false},
    {"creamery.v1.DatasetService.AppendRows", kAny, 4 * kMiB, true},
    {"creamery.v1.ModelService.ImportVersion", kAny, 4 * kMiB, true},
    {"creamery.v1.WorkerService.PutBlob", kAny, 4 * kMiB, false},
    // Schemas of many parameters; specs with everything spelled out.
    {"creamery.v1.DatasetService.CreateDataset", 4 * kMiB, 16 * kMiB, false},
    {"creamery.v1.JobService.CreateJob", kAny, 16 * kMiB, false},
    {"creamery.v1.JobService.CreateJobArray", 32 * kMiB, kMostStructureBytes, false},  // ten thousand jobs
    {"creamery.v1.WorkerService.Complete", 4 * kMiB, 16 * kMiB, false},
    // Small, but open for long.
    {"creamery.v1.JobService.WatchJob", 64 << 10, kMiB, true},
    // Of workers, which a token lets in and which all come over one socket: not counted by connection.
    {"creamery.v1.WorkerService.Heartbeat", kMiB, 4 * kMiB, false},
    {"creamery.v1.WorkerService.Lease", 64 << 10, kMiB, false},
};

}  // namespace

MethodLimits LimitsOf(const google::protobuf::MethodDescriptor& method, int64_t max_message_bytes) {
  MethodLimits limits;
  const auto* const row = std::find_if(std::begin(kRows), std::end(kRows),
                                       [&](const Row& candidate) { return candidate.method == method.full_name(); });
  if (row != std::end(kRows)) limits = {row->message_bytes, row->structure_bytes, row->lasting};
  limits.message_bytes = std::min(limits.message_bytes, max_message_bytes);
  return limits;
}

}  // namespace creamery
