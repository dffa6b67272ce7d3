// The options of families and of the training, for --help: what the contract says of each.
#ifndef CREAMERY_CLIENT_CPP_CLI_SPEC_HELP_H_
#define CREAMERY_CLIENT_CPP_CLI_SPEC_HELP_H_

#include <string>

#include "absl/strings/string_view.h"

namespace creamery::cli {

// Of one family, or of all of them if it is empty.
std::string SpecHelp(absl::string_view family);

}  // namespace creamery::cli

#endif  // CREAMERY_CLIENT_CPP_CLI_SPEC_HELP_H_
