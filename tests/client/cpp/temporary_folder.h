// A folder of files that a test writes, removed when it ends.
#ifndef CREAMERY_TESTS_CLIENT_CPP_TEMPORARY_FOLDER_H_
#define CREAMERY_TESTS_CLIENT_CPP_TEMPORARY_FOLDER_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace creamery {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "creamery-client-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  // Writes a file that only its owner may read, as the server wants its tokens, and returns its path.
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
    std::filesystem::permissions(Path(name), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return Path(name);
  }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace creamery

#endif  // CREAMERY_TESTS_CLIENT_CPP_TEMPORARY_FOLDER_H_
