// What the verbs that ask a density share.
#ifndef CREAMERY_CLIENT_CPP_CLI_ASK_H_
#define CREAMERY_CLIENT_CPP_CLI_ASK_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/cli/points.h"

namespace creamery::cli {

struct AskArguments {
  std::string model, out;
  PointArguments points;
  int64_t num_samples = 0;
  std::optional<uint64_t> seed;
  bool log_prob = false;
  v1::Precision precision = v1::PRECISION_UNSPECIFIED;
  LogProbOptions log_prob_options;
  LogLikelihoodOptions log_likelihood_options;
};

// Log-densities of points of any number, written as they come.
absl::Status LogProb(const Context& context, const AskArguments& arguments);

// One number per line, or as JSON under `key`.
absl::Status PrintNumbers(const Context& context, const AskArguments& arguments, const std::string& key,
                          const Answer& answer);

}  // namespace creamery::cli

#endif  // CREAMERY_CLIENT_CPP_CLI_ASK_H_
