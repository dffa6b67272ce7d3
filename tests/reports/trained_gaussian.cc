#include "tests/reports/trained_gaussian.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/families.h"
#include "models/random.h"
#include "models/statistics/joint_mixture.h"
#include "models/training/trainer.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// The equal mixture of densities, moved; one density is a mixture of itself.
class MovedMixture final : public Density {
 public:
  MovedMixture(std::vector<const Density*> parts, std::vector<double> shift)
      : parts_(std::move(parts)), shift_(std::move(shift)) {}

  int64_t num_parameters() const override { return static_cast<int64_t>(shift_.size()); }
  absl::Status LogProb(absl::Span<const double> theta, absl::Span<double> log_prob,
                       const StopToken& stop) const override {
    std::vector<double> back(theta.begin(), theta.end());
    for (size_t e = 0; e < back.size(); ++e) back[e] -= shift_[e % shift_.size()];
    ABSL_RETURN_IF_ERROR(parts_[0]->LogProb(back, log_prob, stop));
    if (parts_.size() == 1) return absl::OkStatus();
    std::vector<double> sum(log_prob.size());
    for (size_t i = 0; i < sum.size(); ++i) sum[i] = std::exp(log_prob[i]);
    for (size_t k = 1; k < parts_.size(); ++k) {
      ABSL_RETURN_IF_ERROR(parts_[k]->LogProb(back, log_prob, stop));
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += std::exp(log_prob[i]);
    }
    for (size_t i = 0; i < sum.size(); ++i) log_prob[i] = std::log(sum[i] / static_cast<double>(parts_.size()));
    return absl::OkStatus();
  }
  absl::Status PriorTransform(absl::Span<const double> u, absl::Span<double> theta,
                              const StopToken& stop) const override {
    const size_t d = shift_.size();
    std::vector<double> within(d);
    for (size_t i = 0; i < u.size() / d; ++i) {
      std::copy(u.begin() + i * d, u.begin() + (i + 1) * d, within.begin());
      const double place = within[0] * static_cast<double>(parts_.size());
      const size_t k = std::min(static_cast<size_t>(place), parts_.size() - 1);
      within[0] = std::clamp(place - static_cast<double>(k), 1e-15, 1 - 1e-15);
      ABSL_RETURN_IF_ERROR(parts_[k]->PriorTransform(within, theta.subspan(i * d, d), stop));
    }
    for (size_t e = 0; e < theta.size(); ++e) theta[e] += shift_[e % d];
    return absl::OkStatus();
  }
  absl::Status LogProbGradient(absl::Span<const double>, absl::Span<double>, absl::Span<double>,
                               const StopToken&) const override {
    return absl::UnimplementedError("not needed here");
  }
  absl::Status InversePriorTransform(absl::Span<const double>, absl::Span<double>, const StopToken&) const override {
    return absl::UnimplementedError("not needed here");
  }

 private:
  std::vector<const Density*> parts_;
  std::vector<double> shift_;
};

class MovedModel final : public Estimator {
 public:
  MovedModel(v1::ModelVersion description, std::vector<std::unique_ptr<Density>> members)
      : description_(std::move(description)), owned_(std::move(members)) {
    for (const auto& member : owned_) members_.push_back(member.get());
  }
  const v1::ModelVersion& description() const override { return description_; }
  int64_t memory_bytes() const override { return 1; }
  const Density* density() const override { return members_[0]; }
  absl::Span<const Density* const> members() const override { return members_; }

 private:
  v1::ModelVersion description_;
  std::vector<std::unique_ptr<Density>> owned_;
  std::vector<const Density*> members_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Estimator>> TrainGaussian(const std::string& family,
                                                         const std::vector<double>& covariance, int64_t d, int64_t rows,
                                                         uint64_t seed, int32_t members) {
  TrainingInput input;
  input.job.set_name("projects/p/jobs/1");
  v1::EstimatorSpec& spec = *input.job.mutable_training()->mutable_spec();
  if (family == "maf") {
    spec.mutable_maf();
  } else if (family == "nsf") {
    spec.mutable_nsf();
  } else {
    return absl::InvalidArgumentError(absl::StrCat("family is ", family, ", expected maf or nsf"));
  }
  spec.mutable_training()->set_seed(seed);
  spec.mutable_training()->set_members(members);
  input.dataset.set_name("projects/p/datasets/d");
  input.dataset.set_row_kind(v1::INDEPENDENT);
  for (int64_t j = 0; j < d; ++j) {
    v1::Parameter& parameter = *input.dataset.add_parameters();
    parameter.set_name(absl::StrCat("p", j));
    parameter.mutable_prior()->mutable_uniform()->set_lower(-15);
    parameter.mutable_prior()->mutable_uniform()->set_upper(15);
  }
  input.dataset.set_num_rows(rows);
  input.rows.num_rows = rows;
  input.rows.theta.assign(rows * d, 0);
  const std::vector<double> lower = Cholesky(covariance, d);
  const RandomStream random(seed, RandomPurpose::kSample);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < d; ++k) {
      const double z = random.Normal(i, static_cast<uint32_t>(k));
      for (int64_t j = k; j < d; ++j) input.rows.theta[i * d + j] += lower[j * d + k] * z;
    }
  }
  ABSL_ASSIGN_OR_RETURN(std::string artifact, Train(input, TrainingHooks()));
  return LoadEstimator(std::move(artifact));
}

std::unique_ptr<Estimator> Move(const Estimator& model, const std::vector<double>& shift, double half_width,
                                MovedDensity which) {
  v1::ModelVersion description = model.description();
  description.mutable_training()->clear_held_out_log_ratio();  // of the priors it was trained under
  for (v1::Parameter& parameter : *description.mutable_signature()->mutable_parameters()) {
    parameter.mutable_prior()->mutable_uniform()->set_lower(-half_width);
    parameter.mutable_prior()->mutable_uniform()->set_upper(half_width);
  }
  const std::vector<const Density*> all(model.members().begin(), model.members().end());
  std::vector<std::unique_ptr<Density>> members;
  switch (which) {
    case MovedDensity::kAllMembers:
      for (const Density* member : all) {
        members.push_back(std::make_unique<MovedMixture>(std::vector<const Density*>{member}, shift));
      }
      break;
    case MovedDensity::kBestMember:
      members.push_back(std::make_unique<MovedMixture>(std::vector<const Density*>{model.density()}, shift));
      break;
    case MovedDensity::kMixture:
      members.push_back(std::make_unique<MovedMixture>(all, shift));
  }
  return std::make_unique<MovedModel>(std::move(description), std::move(members));
}

}  // namespace creamery
