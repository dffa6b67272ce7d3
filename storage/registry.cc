#include "storage/registry.h"

#include <algorithm>

#include "storage/registry_impl.h"

namespace creamery {

// Keys of older tokens of one project are ids alone.
ListPosition::ListPosition(const ProjectName& parent, const std::string& last_key)
    : all(parent.project == kAllProjects),
      project(all ? last_key.substr(0, last_key.find('/')) : parent.project),
      id(last_key.substr(last_key.find('/') + 1)) {}

int PageSize(const PageRequest& page) { return page.size < 1 ? 50 : std::min(page.size, 1000); }

absl::StatusOr<bool> RegistryImpl::FindAnswer(Database& db, const Caller& caller, std::string* first_answer) {
  if (caller.request_digest.empty()) return absl::InternalError("a request_id came without a request_digest");
  Statement query(db, "SELECT digest, response FROM requests WHERE principal = ? AND request_id = ?", caller.principal,
                  caller.request_id);
  ABSL_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return false;
  if (query.Text(0) != caller.request_digest) {
    return absl::AlreadyExistsError(
        absl::StrCat("request_id '", caller.request_id, "' was used for a request with other content: use a new one"));
  }
  *first_answer = query.Text(1);
  return true;
}

absl::Status RegistryImpl::SaveAnswer(Database& db, const Caller& caller, const std::string& answer) {
  return db.Run("INSERT INTO requests (principal, request_id, digest, response, unix_seconds) VALUES (?, ?, ?, ?, ?)",
                caller.principal, caller.request_id, caller.request_digest, Bytes{answer},
                absl::ToUnixSeconds(caller.time));
}

}  // namespace creamery
