// First queries from C++: what the quick start's server knows about a model. usage: first-queries [ADDRESS [MODEL]]
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_join.h"
#include "client/cpp/client.h"
#include "proto/support/status_macros.h"

namespace {

absl::Status Ask(const std::string& address, const std::string& name) {
  ABSL_ASSIGN_OR_RETURN(const creamery::Client client, creamery::Client::Connect(address));
  // The latest version, resolved now: all answers below come from it, whatever is trained meanwhile.
  ABSL_ASSIGN_OR_RETURN(const creamery::Model model, client.GetModel(name));
  std::cout << model.version().name() << ", a density of " << absl::StrJoin(model.parameters(), ", ") << "\n";

  ABSL_ASSIGN_OR_RETURN(const creamery::Draws draws, model.Sample(5, /*seed=*/1));
  ABSL_ASSIGN_OR_RETURN(const creamery::Answer log_prob, model.LogProb(draws.theta));
  const size_t d = draws.columns.size();
  for (size_t i = 0; i < log_prob.values.size(); ++i) {
    const std::vector<double> row(draws.theta.begin() + i * d, draws.theta.begin() + (i + 1) * d);
    std::cout << "  (" << absl::StrJoin(row, ", ") << ")  log p = " << log_prob.values[i] << "\n";
  }

  ABSL_ASSIGN_OR_RETURN(const creamery::v1::MarginalKLResponse kl, model.Kl());
  std::cout << "D_KL = " << kl.kl().value() << " +- " << kl.kl().error() << " nats\n";
  ABSL_ASSIGN_OR_RETURN(const creamery::v1::ModelDimensionalityResponse d_g, model.Dimensionality());
  std::cout << "dimensionality = " << d_g.dimensionality().value() << " +- " << d_g.dimensionality().error() << "\n";
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status = Ask(argc > 1 ? argv[1] : "localhost:50051", argc > 2 ? argv[2] : "bao/desi");
  if (!status.ok()) std::cerr << "first-queries: " << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
