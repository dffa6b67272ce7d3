// From a chosen prior to the message that travels. Internal.
#ifndef CREAMERY_CLIENT_CPP_PRIOR_CHOICE_H_
#define CREAMERY_CLIENT_CPP_PRIOR_CHOICE_H_

#include "absl/status/status.h"
#include "client/cpp/model.h"
#include "creamery/v1/statistics_service.pb.h"
#include "proto/support/resource_names.h"
#include "proto/support/status_macros.h"

namespace creamery {

// Sets `request`'s prior, or leaves it unset for the declared one. INVALID_ARGUMENT if both kinds are given, or for a
// malformed name.
template <typename Request>
absl::Status SetPrior(const PriorAgainst& prior, Request& request) {
  if (!prior.analytic.empty() && !prior.model.empty()) {
    return absl::InvalidArgumentError("give analytic priors or a model of the prior, not both");
  }
  if (!prior.model.empty()) {
    ABSL_ASSIGN_OR_RETURN(const VersionName name, ParseTypedVersion(prior.model));
    request.mutable_prior()->set_model(name.ToString());
  }
  for (const auto& [name, density] : prior.analytic) {
    (*request.mutable_prior()->mutable_analytic()->mutable_priors())[name] = density;
  }
  return absl::OkStatus();
}

}  // namespace creamery

#endif  // CREAMERY_CLIENT_CPP_PRIOR_CHOICE_H_
