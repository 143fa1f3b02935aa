#include "cli/made_folders.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/text.h"

namespace subbyte {

MadeFolders::~MadeFolders() {
  for (; !made_.empty(); made_.pop_back()) ::rmdir(made_.back().path.c_str());
}

Expected<void> MadeFolders::make(const std::string& option, const std::string& path) {
  namespace fs = std::filesystem;
  std::vector<fs::path> missing;
  std::error_code error;
  fs::path at = fs::path(path).has_filename() ? fs::path(path) : fs::path(path).parent_path();
  for (; !at.empty() && !fs::exists(at, error) && !error; at = at.parent_path())
    missing.push_back(at);
  for (; !missing.empty(); missing.pop_back()) {
    const std::string folder = missing.back().string();
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) {
      return fail_as(ErrorKind::io, "{} {}: the folder {} cannot be made: {}", option, quoted(path),
                     quoted(folder), std::generic_category().message(errno));
    }
    made_.push_back({folder, std::make_unique<Temporary>(folder)});
  }
  if (fs::is_directory(path, error)) return {};
  return fail_as(ErrorKind::io, "{} {}: this is no folder; name another{}", option, quoted(path),
                 path.ends_with('/') ? ", or leave out the / at the end" : "");
}

}  // namespace subbyte
