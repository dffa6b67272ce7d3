#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/cli/cli.h"
#include "client/cpp/cli/column_writer.h"
#include "proto/support/safetensors.h"
#include "proto/support/status_macros.h"

namespace creamery::cli {
namespace {

std::string ToSafetensors(const Samples& samples) {
  Safetensors file;
  const RowBlock& rows = samples.rows;
  file.Add("theta", {rows.num_rows, samples.schema.parameters_size()}, absl::MakeConstSpan(rows.theta));
  const auto add = [&](const char* name, const std::vector<double>& values) {
    if (!values.empty()) file.Add(name, {rows.num_rows}, absl::MakeConstSpan(values));
  };
  add("weight", rows.weight);
  add("log_likelihood", rows.log_likelihood);
  add("log_likelihood_birth", rows.log_likelihood_birth);
  if (!rows.chain.empty()) file.Add("chain", {rows.num_rows}, absl::MakeConstSpan(rows.chain));
  file.SetMetadata("dataset", ToJson(samples.schema));
  return file.Serialize();
}

}  // namespace

absl::Status WriteFile(const std::string& path, const std::string& bytes) {
  const std::string temporary = absl::StrCat(path, ".", getpid(), ".part");
  std::ofstream file(temporary, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (file && std::rename(temporary.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const int error = errno;
  std::remove(temporary.c_str());
  return absl::FailedPreconditionError(absl::StrCat("'", path, "' cannot be written: ", std::strerror(error)));
}

absl::Status WriteColumns(const std::string& path, const std::vector<std::string>& names,
                          absl::Span<const double> values) {
  ABSL_ASSIGN_OR_RETURN(const std::unique_ptr<ColumnWriter> writer, ColumnWriter::Open(path, names));
  ABSL_RETURN_IF_ERROR(writer->Add(values));
  return writer->Close();
}

absl::Status WriteSamples(const std::string& path, const Samples& samples) {
  if (absl::EndsWith(path, ".safetensors")) return WriteFile(path, ToSafetensors(samples));
  const RowBlock& rows = samples.rows;
  std::vector<std::string> names;
  for (const v1::Parameter& parameter : samples.schema.parameters()) names.push_back(parameter.name());
  if (absl::EndsWith(path, ".npy")) return WriteColumns(path, names, rows.theta);
  if (!path.empty() && !absl::EndsWith(path, ".csv")) {
    return Usage(absl::InvalidArgumentError(
        absl::StrCat("cannot write '", path, "': expected a name ending in .safetensors, .csv or .npy")));
  }
  const size_t d = names.size();
  if (!rows.weight.empty()) names.push_back("weight");
  if (!rows.chain.empty()) names.push_back("chain");
  if (!rows.log_likelihood.empty()) names.push_back("log_likelihood");
  if (!rows.log_likelihood_birth.empty()) names.push_back("log_likelihood_birth");
  std::vector<double> values;
  values.reserve(rows.num_rows * names.size());
  for (int64_t row = 0; row < rows.num_rows; ++row) {
    values.insert(values.end(), rows.theta.begin() + row * d, rows.theta.begin() + (row + 1) * d);
    if (!rows.weight.empty()) values.push_back(rows.weight[row]);
    if (!rows.chain.empty()) values.push_back(static_cast<double>(rows.chain[row]));
    if (!rows.log_likelihood.empty()) values.push_back(rows.log_likelihood[row]);
    if (!rows.log_likelihood_birth.empty()) values.push_back(rows.log_likelihood_birth[row]);
  }
  return WriteColumns(path, names, values);
}

}  // namespace creamery::cli
