// Which rows of a training one member learns from and which it holds out.
#ifndef CREAMERY_MODELS_TRAINING_MEMBER_ROWS_H_
#define CREAMERY_MODELS_TRAINING_MEMBER_ROWS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "models/data_preparation.h"

namespace creamery {

// Indices into the rows of `data`, which must outlive this.
struct MemberRows {
  const PreparedData* data = nullptr;
  int64_t member = 0;
  std::vector<int64_t> train;
  std::vector<int64_t> held_out;  // fold `member`
};

MemberRows RowsOfMember(const PreparedData& data, int64_t member);

// Effective number of rows among `use`: Kish's size of their weights, times what autocorrelation leaves of all rows.
double EffectiveRowsOf(const PreparedData& data, absl::Span<const int64_t> use);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_MEMBER_ROWS_H_
