#include "tests/server/jobs/process.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace creamery {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

std::string Program(const std::string& name) { return absl::StrCat(CREAMERY_BINARY_DIR, "/bin/", name); }

}  // namespace

ServerProcess::ServerProcess(std::vector<std::string> more) : more_(std::move(more)) {
  directory_.Write("tokens", "person-token-of-tests person\nworker-token-of-tests worker worker\n");
  directory_.Write("worker-token", "worker-token-of-tests\n");
  Start();
}

void ServerProcess::Start() {
  const std::string port_file = directory_ / "port";
  std::filesystem::remove(port_file);
  std::vector<std::string> argv = {Program("creamery-server"), "--listen=" + address_,
                                   "--data=" + (directory_ / "data"), "--port_file=" + port_file,
                                   "--token_file=" + (directory_ / "tokens")};
  argv.insert(argv.end(), more_.begin(), more_.end());
  process_ = std::make_unique<ChildProcess>(argv, directory_ / "server.log");
  address_ = WaitForWord(port_file, *process_, absl::Seconds(20));
  if (address_.empty()) {
    std::cerr << "the server did not start: " << process_->log() << std::endl;
    abort();
  }
}

std::unique_ptr<ChildProcess> ServerProcess::StartWorker(const std::vector<std::string>& more) {
  std::vector<std::string> argv = {Program("creamery-worker"), "--server=" + address_,
                                   "--token-file=" + (directory_ / "worker-token")};
  argv.insert(argv.end(), more.begin(), more.end());
  return std::make_unique<ChildProcess>(argv, directory_ / absl::StrCat("worker-", ++started_, ".log"));
}

std::string ServerProcess::Blob(const std::string& digest) const {
  return ReadFile(directory_ / ("data/blobs/" + digest));
}

}  // namespace creamery
