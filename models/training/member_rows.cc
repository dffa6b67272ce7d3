#include "models/training/member_rows.h"

#include "models/statistics/weights.h"

namespace creamery {

MemberRows RowsOfMember(const PreparedData& data, int64_t member) {
  MemberRows rows;
  rows.data = &data;
  rows.member = member;
  for (int64_t i = 0; i < data.n(); ++i) (data.fold[i] == member ? rows.held_out : rows.train).push_back(i);
  return rows;
}

double EffectiveRowsOf(const PreparedData& data, absl::Span<const int64_t> use) {
  std::vector<double> weight;
  weight.reserve(use.size());
  for (const int64_t row : use) weight.push_back(data.weight[row]);
  return KishSize(weight) * data.effective_rows / KishSize(data.weight);
}

}  // namespace creamery
