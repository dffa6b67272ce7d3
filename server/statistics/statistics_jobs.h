// Statistics as jobs: the same questions and answers as the methods', pinned and kept.
#ifndef CREAMERY_SERVER_STATISTICS_STATISTICS_JOBS_H_
#define CREAMERY_SERVER_STATISTICS_STATISTICS_JOBS_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "creamery/v1/job.pb.h"
#include "proto/support/resource_names.h"
#include "server/jobs/statistics_runner.h"
#include "server/statistics/source.h"

namespace creamery {

// Checks the question as its method would before it computes, writes the versions and the seed it means into it, and
// lists those versions.
absl::Status PinStatistics(const StatisticsSource& source, v1::StatisticsJob* job, std::vector<VersionName>* versions);

// Answers a pinned question; what a method would send as arrays of points are the answer's samples.
absl::StatusOr<StatisticsAnswer> AnswerStatistics(const StatisticsSource& source, const v1::StatisticsJob& job,
                                                  const StatisticsProgress& progress, const StopToken& stop);

}  // namespace creamery

#endif  // CREAMERY_SERVER_STATISTICS_STATISTICS_JOBS_H_
