#include "models/training/mapped_columns.h"

#include "models/training/box_spline.h"
#include "models/training/column_choice.h"
#include "models/training/member_rows.h"
#include "proto/support/status_macros.h"

namespace creamery {

absl::StatusOr<std::vector<ColumnMap>> MappedColumns(const PreparedData& data, absl::Span<const int64_t> use,
                                                     const v1::EstimatorSpec& spec, const StopToken& stop) {
  const double effective_rows = EffectiveRowsOf(data, use);
  const auto fit = [&](absl::Span<const double> u, absl::Span<const double> weight) {
    return FitBoxSpline(u, weight, effective_rows, stop);
  };
  ABSL_ASSIGN_OR_RETURN(Plan plan, ChooseColumns(data, use, spec, AutoregressiveLayer::Kind::kAffine, fit));
  return std::move(plan.columns);
}

}  // namespace creamery
