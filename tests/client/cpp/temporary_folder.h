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
  // Writes a file and returns its path.
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
    return path_ + "/" + name;
  }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace creamery

#endif  // CREAMERY_TESTS_CLIENT_CPP_TEMPORARY_FOLDER_H_
