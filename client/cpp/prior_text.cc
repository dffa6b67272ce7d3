#include "client/cpp/prior_text.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

// Two finite numbers, comma between them.
bool ParsePair(absl::string_view text, double& first, double& second) {
  const std::vector<absl::string_view> cells = absl::StrSplit(text, ',');
  return cells.size() == 2 && absl::SimpleAtod(absl::StripAsciiWhitespace(cells[0]), &first) &&
         absl::SimpleAtod(absl::StripAsciiWhitespace(cells[1]), &second) && std::isfinite(first) &&
         std::isfinite(second);
}

}  // namespace

absl::StatusOr<v1::Prior> ParsePrior(absl::string_view text) {
  const absl::Status malformed = absl::InvalidArgumentError(
      absl::StrCat("prior '", text, "' is not uniform(lower,upper), normal(mean,stddev) or loguniform(lower,upper)"));
  const absl::string_view stripped = absl::StripAsciiWhitespace(text);
  const size_t open = stripped.find('(');
  if (open == absl::string_view::npos || stripped.back() != ')') return malformed;
  double first, second;
  if (!ParsePair(stripped.substr(open + 1, stripped.size() - open - 2), first, second)) return malformed;
  const std::string density = absl::AsciiStrToLower(absl::StripAsciiWhitespace(stripped.substr(0, open)));
  v1::Prior prior;
  if (density == "normal" || density == "gaussian") {
    if (second <= 0) {
      return absl::InvalidArgumentError(absl::StrCat("prior '", text, "' has stddev ", second, ", expected above 0"));
    }
    prior.mutable_normal()->set_mean(first);
    prior.mutable_normal()->set_stddev(second);
    return prior;
  }
  const bool log_uniform = density == "loguniform" || density == "log_uniform";
  if (density != "uniform" && !log_uniform) return malformed;
  if (first >= second) {
    return absl::InvalidArgumentError(
        absl::StrCat("prior '", text, "' has bounds ", first, " and ", second, ", expected the lower one first"));
  }
  if (!log_uniform) {
    prior.mutable_uniform()->set_lower(first);
    prior.mutable_uniform()->set_upper(second);
    return prior;
  }
  if (first <= 0) {
    return absl::InvalidArgumentError(absl::StrCat("prior '", text, "' has lower bound ", first, ", expected above 0"));
  }
  prior.mutable_log_uniform()->set_lower(first);
  prior.mutable_log_uniform()->set_upper(second);
  return prior;
}

absl::StatusOr<std::map<std::string, v1::Prior>> ParsePriors(const std::vector<std::string>& texts) {
  std::map<std::string, v1::Prior> priors;
  for (const std::string& text : texts) {
    const size_t tilde = text.find('~');
    const std::string name(absl::StripAsciiWhitespace(absl::string_view(text).substr(0, tilde)));
    if (tilde == std::string::npos || name.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("prior '", text, "' is not of the form 'name~uniform(0,1)'"));
    }
    ABSL_ASSIGN_OR_RETURN(v1::Prior prior, ParsePrior(absl::string_view(text).substr(tilde + 1)));
    if (!priors.emplace(name, std::move(prior)).second) {
      return absl::InvalidArgumentError(absl::StrCat("two priors are given for '", name, "'"));
    }
  }
  return priors;
}

std::string PriorToText(const v1::Prior& prior) {
  switch (prior.density_case()) {
    case v1::Prior::kUniform:
      return absl::StrCat("uniform(", prior.uniform().lower(), ",", prior.uniform().upper(), ")");
    case v1::Prior::kNormal:
      return absl::StrCat("normal(", prior.normal().mean(), ",", prior.normal().stddev(), ")");
    case v1::Prior::kLogUniform:
      return absl::StrCat("loguniform(", prior.log_uniform().lower(), ",", prior.log_uniform().upper(), ")");
    case v1::Prior::DENSITY_NOT_SET:
      break;
  }
  return "";
}

absl::StatusOr<v1::LogEvidence> ParseLogEvidence(absl::string_view text) {
  double value, error;
  if (!ParsePair(text, value, error) || error < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("log-evidence '", text, "' is not 'Z,ERR': its natural log and its standard error, at least 0"));
  }
  v1::LogEvidence evidence;
  evidence.set_value(value);
  evidence.set_error(error);
  return evidence;
}

}  // namespace creamery
