// One setting of a hyper-parameter search, drawn around another one.
#ifndef CREAMERY_MODELS_TRAINING_TRIAL_H_
#define CREAMERY_MODELS_TRAINING_TRIAL_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "creamery/v1/estimator_spec.pb.h"
#include "models/random.h"

namespace creamery {

// The random numbers of trial `index`, from 0.
class Trial {
 public:
  Trial(uint64_t seed, int64_t index) : stream_(seed, RandomPurpose::kTrials), index_(index) {}

  // Between 1 / range and range, log-uniform. `what` tells the options of a trial apart.
  double Factor(uint32_t what, double range) const {
    return std::pow(range, 2 * stream_.Uniform(static_cast<uint64_t>(index_), what) - 1);
  }
  // `value` times such a factor, at least `least`.
  int32_t Scaled(uint32_t what, double range, int32_t value, int32_t least) const {
    return std::max(least, static_cast<int32_t>(std::lround(value * Factor(what, range))));
  }

 private:
  RandomStream stream_;
  int64_t index_;
};

// Layers and units of any family of networks, complete.
template <typename Network>
void VaryLayers(const Trial& trial, Network& network) {
  network.set_transforms(std::min(64, trial.Scaled(0, 2, network.transforms(), 1)));
  for (int layer = 0; layer < network.hidden_units_size(); ++layer) {
    network.set_hidden_units(layer, std::min(4096, trial.Scaled(1, 2, network.hidden_units(layer), 4)));
  }
}

// Step size.
inline void VaryTraining(const Trial& trial, v1::TrainingOptions& training) {
  training.set_learning_rate(std::min(1.0, training.learning_rate() * trial.Factor(2, 3)));
}

// Bins, for the families that have them.
template <typename Network>
void VaryBins(const Trial& trial, Network& network) {
  if (network.bins() > 0) network.set_bins(std::min(64, trial.Scaled(3, 2, network.bins(), 2)));
}

}  // namespace creamery

#endif  // CREAMERY_MODELS_TRAINING_TRIAL_H_
