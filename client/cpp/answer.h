// What a question about points is made of, and what comes back.
#ifndef CREAMERY_CLIENT_CPP_ANSWER_H_
#define CREAMERY_CLIENT_CPP_ANSWER_H_

#include <algorithm>
#include <string>
#include <vector>

#include "creamery/v1/precision.pb.h"
#include "creamery/v1/warning.pb.h"

namespace creamery {

// Numbers and what to know about them. `values`: one per point, or d per point, row-major.
struct Answer {
  std::vector<double> values;
  std::string model_version;  // the version that answered
  std::vector<v1::Warning> warnings;
  double log_evidence_error = 0;  // LogLikelihood only: standard error common to all points, natural log
  std::vector<double> gradient;   // LogProb only, if asked for: d log_prob / d theta, (n, d)
  std::vector<double> spread;     // LogProb only, if asked for: standard deviation over the trained members, (n)
};

struct LogProbOptions {
  bool gradient = false;
  bool spread = false;
  double prior_fraction = 0;                            // share of the declared prior mixed into the density, [0, 1)
  v1::Precision precision = v1::PRECISION_UNSPECIFIED;  // arithmetic of the networks: single unless told otherwise
};

struct LogLikelihoodOptions {
  std::vector<std::string> more_models;  // of independent data, whose log-likelihoods are added
  bool without_evidence = false;         // log P - log prior
  v1::Precision precision = v1::PRECISION_UNSPECIFIED;
};

// Adds a warning that is not there yet.
inline void AddWarning(v1::Warning warning, std::vector<v1::Warning>* warnings) {
  if (std::find(warnings->begin(), warnings->end(), warning) == warnings->end()) warnings->push_back(warning);
}

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_ANSWER_H_
