// Where the server is and who asks. Each setting is an option of every command, else a variable of the environment,
// else a line of the config file, else a default.
#ifndef CREAMERY_CLIENT_CPP_CLI_SETTINGS_H_
#define CREAMERY_CLIENT_CPP_CLI_SETTINGS_H_

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"

namespace creamery::cli {

struct Setting {
  const char* key;  // in the file: "token_file"; the option is --token-file, the variable CREAMERY_TOKEN_FILE
  const char* description;
  bool is_path;  // a file: `~/` is the home folder
  std::string value = {};
  std::string origin = {};  // of the value, unless the option was given
  const CLI::Option* option = nullptr;

  std::string Origin() const;
};

// Not thread-safe; stays where it is, since options write into it.
class Settings {
 public:
  // Reads environment and file, then adds the options. What is wrong with the file is said by Connect.
  explicit Settings(CLI::App& app);
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  const std::string& project() const { return settings_[kProject].value; }
  const std::array<Setting, 4>& all() const { return settings_; }
  std::array<Setting, 4>& all() { return settings_; }
  // Its value for the server that is asked.
  std::string ForServer(const Setting& setting) const;
  const std::string& path() const { return path_; }  // of the config file, whether it is there or not
  const absl::Status& status() const { return status_; }
  const std::vector<std::string>& notes() const { return notes_; }

  // A client with these settings. Token and authority of the file belong to the server of the file: no other server
  // gets them. Warns of a token file that others may read, and of what the file has too much.
  absl::StatusOr<Client> Connect() const;
  // The same in a hurry and without a word, for completion.
  absl::StatusOr<Client> ConnectFor(absl::Duration timeout) const;

 private:
  enum Index { kServer, kTokenFile, kTlsCa, kProject };  // of settings_
  ClientOptions Options() const;

  std::array<Setting, 4> settings_;
  bool tls_ = false, insecure_ = false;
  std::string path_;
  std::string server_of_file_;
  std::vector<std::string> notes_;
  absl::Status status_;
};

}  // namespace creamery::cli

#endif  // CREAMERY_CLIENT_CPP_CLI_SETTINGS_H_
