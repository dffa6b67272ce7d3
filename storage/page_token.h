// Opaque page tokens: the key of the last entry, bound to the listing it came from.
#ifndef CREAMERY_STORAGE_PAGE_TOKEN_H_
#define CREAMERY_STORAGE_PAGE_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"

namespace creamery {

// `listing` says what is listed ("projects/p/datasets"); a token of another listing is not taken.
std::string MakePageToken(const std::string& listing, const std::string& last_key);
// The key of the last entry, "" for an empty token. INVALID_ARGUMENT if it is not one of ours.
absl::StatusOr<std::string> ParsePageToken(const std::string& listing, const std::string& token);

}  // namespace creamery

#endif  // CREAMERY_STORAGE_PAGE_TOKEN_H_
