#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/disk_writer.h"
#include "base/folders.h"
#include "base/system.h"
#include "base/text.h"

namespace subbyte {
namespace {

std::string reason(int number) { return std::generic_category().message(number); }

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  int number() const { return number_; }
  bool close() {
    const int open = std::exchange(number_, -1);
    return open < 0 || ::close(open) == 0;
  }

 private:
  int number_;
};

FileStatus::Kind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return FileStatus::Kind::regular;
  if (S_ISDIR(mode)) return FileStatus::Kind::folder;
  if (S_ISFIFO(mode) || S_ISCHR(mode)) return FileStatus::Kind::stream;
  return FileStatus::Kind::other;
}

class Disk final : public FileSystem, public Folders {
 public:
  Expected<std::shared_ptr<const FileContent>> map(const std::string& path) override {
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.number() < 0) {
      return fail_as(ErrorKind::io, "{}: the file cannot be opened: {}", quoted(path),
                     reason(errno));
    }
    struct stat status {};
    if (::fstat(file.number(), &status) != 0) {
      return fail_as(ErrorKind::io, "{}: the file cannot be read: {}", quoted(path), reason(errno));
    }
    if (S_ISDIR(status.st_mode))
      return fail_as(ErrorKind::io, "{}: this is a folder, not a file", quoted(path));
    if (!S_ISREG(status.st_mode))
      return fail_as(ErrorKind::io, "{}: this is not a regular file", quoted(path));
    return map_descriptor(path, file.number(), static_cast<std::uint64_t>(status.st_size));
  }

  Expected<std::unique_ptr<FileWriter>> create(const std::string& path) override {
    return create_on_disk(path);
  }

  void remove_abandoned(const std::string& path) override { remove_abandoned_temporaries(path); }

  std::shared_ptr<const void> hold(const std::string& folder) override {
    return lock_folder(folder);
  }

  Folders* folders() override { return this; }

  bool exists(const std::string& path) override {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  }

  FileStatus status(const std::string& path) override {
    FileStatus status;
    struct stat found {};
    if (::stat(path.c_str(), &found) == 0) {
      status.kind = kind_of(found.st_mode);
      status.device = found.st_dev;
      status.inode = found.st_ino;
    } else if (::lstat(path.c_str(), &found) == 0) {
      status.kind = FileStatus::Kind::other;
    } else if (::stat(folder_of(path).c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) {
      status.kind = FileStatus::Kind::no_folder;
    }
    status.may_create = may_create_in(folder_of(path));
    std::error_code failed;
    status.path = std::filesystem::weakly_canonical(std::filesystem::absolute(path), failed);
    if (failed) status.path = path;
    return status;
  }

  Expected<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) {
      return fail_as(ErrorKind::io, "{}: the file cannot be removed: {}", quoted(path),
                     reason(errno));
    }
    return {};
  }

  Expected<std::vector<std::string>> list(const std::string& folder) override {
    std::error_code failed;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator it(folder, failed), end; !failed && it != end;
         it.increment(failed)) {
      std::error_code ignored;
      std::string name = it->path().filename().string();
      if (it->is_regular_file(ignored) && !name.starts_with('.')) names.push_back(std::move(name));
    }
    if (failed)
      return fail_as(ErrorKind::io, "{}: the folder cannot be read: {}", quoted(folder),
                     failed.message());
    std::sort(names.begin(), names.end());
    return names;
  }

  bool is_inside(const std::string& path, const std::string& folder) override {
    std::error_code failed;
    const auto inner = std::filesystem::weakly_canonical(std::filesystem::absolute(path), failed);
    if (failed) return false;
    const auto outer = std::filesystem::canonical(folder, failed);
    if (failed) return false;
    const auto [in_outer, in_inner] =
        std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    return in_outer == outer.end() && in_inner != inner.end();
  }
};

}  // namespace

bool same_file(const FileStatus& a, const FileStatus& b) {
  if (a.inode != 0 && b.inode != 0) return a.device == b.device && a.inode == b.inode;
  return a.path == b.path;
}

tl::unexpected<Error> disk_full(const std::string& path, std::uint64_t needed, std::uint64_t free) {
  return fail_as(ErrorKind::io,
                 "{}: the disk is full: the file needs {} bytes, and {} are free; make room, or "
                 "write it elsewhere",
                 quoted(path), needed, free);
}

FileSystem& disk() {
  static Disk real;
  return real;
}

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<std::size_t>(slash, 1)));
}

std::string base_name_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

Expected<std::vector<std::string>> list_folder(FileSystem& files, const std::string& folder) {
  Folders* const folders = files.folders();
  if (folders == nullptr) return fail("{}: folders cannot be read here", quoted(folder));
  return folders->list(folder);
}

std::shared_ptr<const void> hold_folder(FileSystem& files, const std::string& folder) {
  Folders* const folders = files.folders();
  return folders == nullptr ? nullptr : folders->hold(folder);
}

}  // namespace subbyte
