#include "server/config.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "tests/status_matchers.h"

namespace creamery {
namespace {

using ::testing::HasSubstr;

ServerConfig Valid() {
  ServerConfig config;
  config.set_data("/tmp/creamery-config-test");
  return config;
}

TEST(ConfigTest, TheDefaultsServeLoopbackWithOneWorker) {
  ServerConfig config = Valid();
  ASSERT_THAT(CompleteConfig(&config), IsOk());
  EXPECT_EQ(config.listen(), "127.0.0.1:50051");
  EXPECT_EQ(config.local_workers(), 1);
  EXPECT_EQ(config.worker_threads(), 1);
  EXPECT_EQ(config.socket(), "/tmp/creamery-config-test/server.sock");
  EXPECT_THAT(config.worker_binary(), HasSubstr("/creamery-worker"));
}

TEST(ConfigTest, BeyondLoopbackItTakesTlsAndTokensOrAnInsecureSaidAloud) {
  ServerConfig config = Valid();
  config.set_listen("0.0.0.0:50051");
  EXPECT_THAT(CompleteConfig(&config),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("--tls_cert, --tls_key and --token_file")));
  config.set_token_file("tokens");
  EXPECT_THAT(CompleteConfig(&config), HasCode(absl::StatusCode::kFailedPrecondition));
  config.set_tls_cert("cert.pem");
  EXPECT_THAT(CompleteConfig(&config), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("belong together")));
  config.set_tls_key("key.pem");
  EXPECT_THAT(CompleteConfig(&config), IsOk());
  ServerConfig insecure = Valid();
  insecure.set_listen("0.0.0.0:50051");
  insecure.set_insecure(true);
  EXPECT_THAT(CompleteConfig(&insecure), IsOk());
}

TEST(ConfigTest, LoopbackIsAnAddressNotAName) {
  EXPECT_TRUE(IsLoopback("127.0.0.1:1"));
  EXPECT_TRUE(IsLoopback("127.1.2.3:1"));
  EXPECT_TRUE(IsLoopback("[::1]:1"));
  EXPECT_TRUE(IsLoopback("localhost:1"));
  EXPECT_FALSE(IsLoopback("0.0.0.0:1"));
  EXPECT_FALSE(IsLoopback("127.0.0.1.example.org:1"));
  EXPECT_FALSE(IsLoopback("[::]:1"));
}

TEST(ConfigTest, ANumberOutOfRangeIsNamed) {
  ServerConfig config = Valid();
  config.set_threads(0);
  EXPECT_THAT(CompleteConfig(&config),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("threads is 0, expected at least 1")));
  config = Valid();
  config.set_statistics_threads(0);
  EXPECT_THAT(CompleteConfig(&config), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("statistics_threads")));
  config = Valid();
  config.set_upload_idle_seconds(0);
  EXPECT_THAT(CompleteConfig(&config), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("upload_idle_seconds")));
  config = Valid();
  config.set_listen("nowhere");
  EXPECT_THAT(CompleteConfig(&config), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'nowhere'")));
  config = Valid();
  config.clear_data();
  EXPECT_THAT(CompleteConfig(&config), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--data")));
}

TEST(ConfigTest, AMistakeInTheFileIsNamedByLineAndColumn) {
  const std::string path = ::testing::TempDir() + "config_test." + std::to_string(getpid());
  std::ofstream(path) << "data: \"/data\"\nthraeds: 4\n";
  EXPECT_THAT(ReadConfig(path), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 2, column")));
  std::ofstream(path) << "data: \"/data\"\nthreads: 4\n";
  ASSERT_OK_AND_ASSIGN(const ServerConfig config, ReadConfig(path));
  EXPECT_EQ(config.threads(), 4);
  std::remove(path.c_str());
  EXPECT_THAT(ReadConfig(path), HasCode(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace creamery
