#include "storage/page_token.h"

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"

namespace creamery {
namespace {

constexpr size_t kCheckBytes = 12;

// Not a secret: it tells a token that was cut or mixed up from a good one.
std::string CheckOf(const std::string& listing, const std::string& key) {
  return Sha256Hex(absl::StrCat("creamery page token 1\n", listing, "\n", key)).substr(0, kCheckBytes);
}

}  // namespace

std::string MakePageToken(const std::string& listing, const std::string& last_key) {
  return absl::WebSafeBase64Escape(absl::StrCat(CheckOf(listing, last_key), last_key));
}

absl::StatusOr<std::string> ParsePageToken(const std::string& listing, const std::string& token) {
  if (token.empty()) return std::string();
  std::string bytes;
  if (absl::WebSafeBase64Unescape(token, &bytes) && bytes.size() > kCheckBytes) {
    const std::string key = bytes.substr(kCheckBytes);
    if (bytes.substr(0, kCheckBytes) == CheckOf(listing, key)) return key;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("page token '", token, "', expected the next_page_token of the page before of the same list"));
}

}  // namespace creamery
