#include "server/auth.h"

#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kTokens[] =
    "# who may come\n"
    "0123456789abcdef alice\n"
    "\n"
    "fedcba9876543210 gpu-node worker  # under the stairs\n";

TEST(AuthenticatorTest, AKnownTokenNamesItsPrincipal) {
  ASSERT_OK_AND_ASSIGN(const Authenticator auth, Authenticator::FromText(kTokens));
  ASSERT_OK_AND_ASSIGN(const std::string client, auth.Authenticate("Bearer 0123456789abcdef", Role::kClient));
  EXPECT_EQ(client, "alice");
  ASSERT_OK_AND_ASSIGN(const std::string worker, auth.Authenticate("bearer fedcba9876543210", Role::kWorker));
  EXPECT_EQ(worker, "gpu-node");
}

TEST(AuthenticatorTest, NoTokenOrAnUnknownOneIsUnauthenticated) {
  ASSERT_OK_AND_ASSIGN(const Authenticator auth, Authenticator::FromText(kTokens));
  EXPECT_THAT(auth.Authenticate({}, Role::kClient),
              StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("authorization: Bearer TOKEN")));
  EXPECT_THAT(auth.Authenticate("Bearer 0123456789abcdeX", Role::kClient), HasCode(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(auth.Authenticate("Basic 0123456789abcdef", Role::kClient), HasCode(absl::StatusCode::kUnauthenticated));
}

TEST(AuthenticatorTest, ATokenOpensItsOwnSideOnly) {
  ASSERT_OK_AND_ASSIGN(const Authenticator auth, Authenticator::FromText(kTokens));
  EXPECT_THAT(auth.Authenticate("Bearer 0123456789abcdef", Role::kWorker),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("alice")));
  EXPECT_THAT(auth.Authenticate("Bearer fedcba9876543210", Role::kClient),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("gpu-node")));
}

TEST(AuthenticatorTest, WithoutATokenFileClientsAreAnonymousAndWorkersAreNot) {
  const Authenticator auth;
  ASSERT_OK_AND_ASSIGN(const std::string principal, auth.Authenticate({}, Role::kClient));
  EXPECT_EQ(principal, "anonymous");
  EXPECT_THAT(auth.Authenticate({}, Role::kWorker), HasCode(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(auth.Authenticate("Bearer anything-at-all-x", Role::kClient),
              HasCode(absl::StatusCode::kUnauthenticated));
}

TEST(AuthenticatorTest, ABadLineIsNamedWithoutItsToken) {
  const absl::StatusOr<Authenticator> auth = Authenticator::FromText("0123456789abcdef alice admin\n");
  EXPECT_THAT(auth, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 1")));
  EXPECT_THAT(auth, StatusIs(absl::StatusCode::kInvalidArgument, Not(HasSubstr("0123456789abcdef"))));
  EXPECT_THAT(Authenticator::FromText("short alice\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at least 16")));
  EXPECT_THAT(Authenticator::FromText("# nobody\n"), HasCode(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace creamery
