// One question about many rows on several threads of a pool. Rows are independent, so the answer has the same bits as
// on one thread.
#ifndef CREAMERY_SERVER_ROW_BLOCKS_H_
#define CREAMERY_SERVER_ROW_BLOCKS_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/compute_pool.h"

namespace creamery {

// Calls work(begin, end) for blocks of rows [0, rows), each about 5 ms by `cost_per_row`, on the calling thread and on
// threads of `pool` that are free meanwhile; questions that wait there go between blocks of others, not after them all.
// `work` must be thread-safe. Returns when all have ended: the error of the first block that failed.
absl::Status ForRowBlocks(ComputePool& pool, int64_t rows, absl::Duration cost_per_row,
                          absl::FunctionRef<absl::Status(int64_t begin, int64_t end)> work);

}  // namespace creamery

#endif  // CREAMERY_SERVER_ROW_BLOCKS_H_
