#include "client/cpp/readers/chain_root.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kDeadBirth = "dead-birth.txt";
// What samplers write beside their chains: such a file stands for its root.
constexpr absl::string_view kBeside[] = {".paramnames",  ".ranges",         ".updated.yaml", ".input.yaml", ".stats",
                                         ".inputparams", ".properties.ini", ".logZ",         ".progress",   ".covmat"};
// A text file of PolyChord or MultiNest that holds neither weights nor births.
constexpr absl::string_view kOtherPoints[] = {"phys_live-birth.txt", "phys_live.txt",   "_dead.txt",
                                              "_prior.txt",          "_prior_info.txt", "summary.txt"};

bool IsFile(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// `root_7.txt` or `root.7.txt` -> root, the sign before the number, and 7; false for any other name.
bool SplitChainFile(absl::string_view path, std::string* root, char* sign, int64_t* chain) {
  if (!absl::ConsumeSuffix(&path, ".txt")) return false;
  const size_t at = path.find_last_not_of("0123456789");
  if (at == absl::string_view::npos || at + 1 == path.size() || (path[at] != '_' && path[at] != '.')) return false;
  *root = std::string(path.substr(0, at));
  *sign = path[at];
  return absl::SimpleAtoi(path.substr(at + 1), chain);
}

std::vector<std::string> FilesOf(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder.empty() ? "." : folder, error)) {
    if (entry.is_regular_file(error)) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The files root + sign + number + ".txt".
std::vector<ChainFile> Numbered(const std::string& root, char sign) {
  std::vector<ChainFile> chains;
  const fs::path folder = fs::path(root).parent_path();
  const std::string stem = fs::path(root).filename().string();
  for (const std::string& name : FilesOf(folder)) {
    ChainFile file{0, true, (folder / name).string()};
    std::string found;
    char by;
    if (SplitChainFile(name, &found, &by, &file.chain) && found == stem && by == sign) chains.push_back(file);
  }
  std::sort(chains.begin(), chains.end(), [](const ChainFile& a, const ChainFile& b) { return a.chain < b.chain; });
  return chains;
}

Sampler SamplerOf(const std::string& root, char sign) {
  for (const char* beside :
       {".stats", "_dead-birth.txt", "_dead.txt", "_phys_live.txt", "_equal_weights.txt", ".resume"}) {
    if (IsFile(root + beside)) return Sampler::kPolyChord;
  }
  for (const char* beside : {"stats.dat", "dead-birth.txt", "ev.dat", "post_equal_weights.dat", "phys_live.points"}) {
    if (IsFile(root + beside)) return Sampler::kMultiNest;
  }
  if (sign == '.' || IsFile(root + ".updated.yaml") || IsFile(root + ".input.yaml")) return Sampler::kCobaya;
  return IsFile((fs::path(root).parent_path() / "log.param").string()) ? Sampler::kMontePython : Sampler::kGetDist;
}

// The run whose dead points are in `path`. `root_dead-birth.txt` is MultiNest's where `root_.paramnames` exists.
ChainRoot OfDeadBirth(const std::string& path) {
  ChainRoot run;
  run.dead_birth = path;
  run.root = path.substr(0, path.size() - kDeadBirth.size());
  run.sampler = Sampler::kMultiNest;
  if (absl::EndsWith(run.root, "_") && !IsFile(run.root + ".paramnames")) {
    run.root.pop_back();
    run.sampler = Sampler::kPolyChord;
  }
  return run;
}

// The run of a root; without any file if there is none.
ChainRoot OfRoot(std::string root) {
  if (IsFile(root + "_dead-birth.txt")) return OfDeadBirth(root + "_dead-birth.txt");
  if (IsFile(root + "dead-birth.txt")) return OfDeadBirth(root + "dead-birth.txt");
  ChainRoot run;
  char sign = '_';
  run.chains = Numbered(root, sign);
  if (run.chains.empty()) {
    const std::string other = absl::EndsWith(root, "_") ? root.substr(0, root.size() - 1) : root + "_";
    run.chains = Numbered(other, sign);
    if (!run.chains.empty()) root = other;
  }
  if (run.chains.empty()) run.chains = Numbered(root, sign = '.');
  if (run.chains.empty() && IsFile(root + ".txt")) run.chains = {{0, false, root + ".txt"}};
  run.sampler = SamplerOf(root, run.chains.empty() || !run.chains.front().numbered ? ' ' : sign);
  run.root = std::move(root);
  return run;
}

absl::StatusOr<ChainRoot> OfTextFile(const std::string& path) {
  ChainRoot run;
  char sign;
  int64_t chain;
  if (SplitChainFile(path, &run.root, &sign, &chain)) {
    run.sampler = SamplerOf(run.root, sign);
    run.chains = Numbered(run.root, sign);
    if (run.chains.empty() || run.chains.front().chain != chain) run.chains = {{chain, true, path}};
    return run;
  }
  for (const absl::string_view other : kOtherPoints) {
    if (!absl::EndsWith(path, other)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        path, " holds neither weights nor likelihoods at birth, expected the root of its run, or its dead-birth file"));
  }
  run.root = std::string(absl::StripSuffix(path, ".txt"));
  if (absl::EndsWith(run.root, "_equal_weights")) run.root = std::string(absl::StripSuffix(run.root, "_equal_weights"));
  run.sampler = SamplerOf(run.root, ' ');
  run.chains = {{0, false, path}};
  return run;
}

absl::StatusOr<ChainRoot> OfFolder(const std::string& folder) {
  if (IsFile(folder + "/results/points.hdf5")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", folder,
        "' is a run of UltraNest, which the command line does not read; Python does: ", PythonCall(folder)));
  }
  std::set<std::string> roots;
  for (const std::string& name : FilesOf(folder)) {
    std::string root;
    char sign;
    int64_t chain;
    const std::string path = (fs::path(folder) / name).string();
    if (absl::EndsWith(name, kDeadBirth)) {
      roots.insert(OfDeadBirth(path).root);
    } else if (SplitChainFile(name, &root, &sign, &chain)) {
      roots.insert((fs::path(folder) / root).string());
    } else if (absl::EndsWith(name, ".paramnames")) {
      root = std::string(absl::StripSuffix(path, ".paramnames"));
      if (!OfRoot(root).chains.empty()) roots.insert(OfRoot(root).root);
    }
  }
  if (roots.size() == 1) return OfRoot(*roots.begin());
  if (roots.empty()) {
    return absl::NotFoundError(absl::StrCat("folder '", folder, "' holds no chains, expected one run of a sampler"));
  }
  return absl::InvalidArgumentError(absl::StrCat("folder '", folder, "' holds ", roots.size(),
                                                 " runs, expected one; give its root: ", absl::StrJoin(roots, ", ")));
}

}  // namespace

std::string PythonCall(absl::string_view root) { return absl::StrCat("creamery.read_chains(\"", root, "\")"); }

absl::StatusOr<ChainRoot> FindChains(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return OfFolder(path);
  if (absl::EndsWith(path, kDeadBirth) && IsFile(path)) return OfDeadBirth(path);
  if (absl::EndsWith(path, ".txt") && IsFile(path)) return OfTextFile(path);
  std::string root = path;
  for (const absl::string_view beside : kBeside) root = std::string(absl::StripSuffix(root, beside));
  ChainRoot run = OfRoot(root);
  if (!run.dead_birth.empty() || !run.chains.empty()) return run;
  if (IsFile(root + "ev.dat")) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", root, "' is a run of MultiNest without ", root, "dead-birth.txt and ", root,
                     ".txt, which the command line does not read; Python does: ", PythonCall(root)));
  }
  return absl::NotFoundError(
      absl::StrCat("there is no chain '", path,
                   "': expected a file, a folder with one run, or the root of root.txt, root_1.txt, "
                   "root.1.txt, root_dead-birth.txt, …"));
}

}  // namespace creamery
