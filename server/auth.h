// Who a caller is: bearer tokens and what they open. A client's token opens every service but WorkerService, a worker's
// opens WorkerService alone. Without a token file callers are "anonymous" clients (the server then listens on loopback
// only, unless told otherwise); a token that is given must always be a known one.
#ifndef CREAMERY_SERVER_AUTH_H_
#define CREAMERY_SERVER_AUTH_H_

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace creamery {

enum class Role { kClient, kWorker };

// Constant once the server runs, and then safe to use from any thread.
class Authenticator {
 public:
  // No tokens: anonymous clients.
  Authenticator() = default;
  // Reads a token file, `token principal [worker]` a line. NOT_FOUND if it cannot be read, INVALID_ARGUMENT naming a
  // bad line (never its token), FAILED_PRECONDITION if others than its owner may read it.
  static absl::StatusOr<Authenticator> FromFile(const std::string& path);
  // The same from the file's text.
  static absl::StatusOr<Authenticator> FromText(absl::string_view text);

  void AddToken(absl::string_view token, const std::string& principal, Role role);

  // The principal behind the value of the `authorization` metadata. UNAUTHENTICATED without or with an unknown token,
  // PERMISSION_DENIED if the token does not open what `role` names.
  absl::StatusOr<std::string> Authenticate(std::optional<absl::string_view> authorization, Role role) const;

 private:
  struct Entry {
    std::string principal;
    Role role;
  };
  bool anonymous_clients_ = true;
  std::map<std::string, Entry> by_digest_;  // SHA-256 of the token: looking it up tells nothing by its timing
};

}  // namespace creamery

#endif  // CREAMERY_SERVER_AUTH_H_
