// Family `kde`: Gaussian kernels on the mapped rows. Nothing to train.
#ifndef CREAMERY_MODELS_TRAINING_KDE_H_
#define CREAMERY_MODELS_TRAINING_KDE_H_

#include "absl/status/statusor.h"
#include "creamery/v1/estimator_spec.pb.h"
#include "models/densities/density_tree.h"
#include "models/training/flow_training.h"
#include "models/training/member_rows.h"
#include "models/training/trial.h"

namespace creamery {

// Kernels of covariance h^2 Cov_w in the space of the column maps, h = bandwidth (n_eff (d + 2) / 4)^(-1 / (d + 4))
// (Silverman 1986, eq. 4.14, with the effective number of rows or of kernels, whichever is smaller).
absl::StatusOr<DensityTree> FitKde(const MemberRows& rows, const v1::EstimatorSpec& spec, FlowTraining& flows);
void VaryKde(const Trial& trial, v1::EstimatorSpec& spec);

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_KDE_H_
