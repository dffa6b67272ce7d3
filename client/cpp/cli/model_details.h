// A version for `models show`: what it is of, how it was trained, how well it did, and the reasons for care.
#ifndef CREAMERY_CLIENT_CPP_CLI_MODEL_DETAILS_H_
#define CREAMERY_CLIENT_CPP_CLI_MODEL_DETAILS_H_

#include "creamery/v1/model.pb.h"

namespace creamery::cli {

void PrintDetails(const v1::ModelVersion& version);

}  // namespace creamery::cli

#endif  // CREAMERY_CLIENT_CPP_CLI_MODEL_DETAILS_H_
