#include "server/auth.h"

#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/digest.h"

namespace creamery {
namespace {

constexpr absl::string_view kScheme = "bearer ";

}  // namespace

absl::StatusOr<Authenticator> Authenticator::FromFile(const std::string& path) {
  struct stat info {};
  std::ifstream file(path);
  if (!file || stat(path.c_str(), &info) != 0) {
    return absl::NotFoundError(absl::StrCat("the token file ", path, " cannot be read"));
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the token file ", path, " may be read by others than its owner: run chmod 600 on it"));
  }
  std::stringstream text;
  text << file.rdbuf();
  return FromText(text.str());
}

absl::StatusOr<Authenticator> Authenticator::FromText(absl::string_view text) {
  Authenticator auth;
  auth.anonymous_clients_ = false;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = line.substr(0, line.find('#'));
    const std::vector<absl::string_view> words = absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    if (words.size() > 3 || words.size() < 2 || (words.size() == 3 && words[2] != "worker")) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, " of the token file has ", words.size(),
                                                     " words, expected `token principal` or `token principal worker`"));
    }
    if (words[0].size() < 16) {
      return absl::InvalidArgumentError(absl::StrCat("the token in line ", number, " of the token file has ",
                                                     words[0].size(), " characters, expected at least 16"));
    }
    if (auth.by_digest_.count(Sha256Hex(words[0])) != 0) {
      return absl::InvalidArgumentError(absl::StrCat("the token in line ", number, " of the token file is repeated"));
    }
    auth.AddToken(words[0], std::string(words[1]), words.size() == 3 ? Role::kWorker : Role::kClient);
  }
  if (auth.by_digest_.empty()) return absl::InvalidArgumentError("the token file names no token");
  return auth;
}

void Authenticator::AddToken(absl::string_view token, const std::string& principal, Role role) {
  by_digest_[Sha256Hex(token)] = {principal, role};
}

absl::StatusOr<std::string> Authenticator::Authenticate(std::optional<absl::string_view> authorization,
                                                        Role role) const {
  if (!authorization.has_value()) {
    if (anonymous_clients_ && role == Role::kClient) return "anonymous";
    return absl::UnauthenticatedError("a token is needed: send the metadata `authorization: Bearer TOKEN`");
  }
  if (!absl::StartsWithIgnoreCase(*authorization, kScheme)) {
    return absl::UnauthenticatedError("the metadata `authorization` is not of the form `Bearer TOKEN`");
  }
  const auto found = by_digest_.find(Sha256Hex(absl::StripAsciiWhitespace(authorization->substr(kScheme.size()))));
  if (found == by_digest_.end()) return absl::UnauthenticatedError("the token is not known to this server");
  const Entry& entry = found->second;
  if (entry.role != role) {
    return absl::PermissionDeniedError(
        entry.role == Role::kWorker
            ? absl::StrCat(entry.principal, "'s token is a worker's: it opens WorkerService alone")
            : absl::StrCat(entry.principal, "'s token is not a worker's"));
  }
  return entry.principal;
}

}  // namespace creamery
