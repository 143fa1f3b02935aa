#include "base/disk_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "base/sha256.h"
#include "base/system.h"
#include "base/temporaries.h"
#include "base/text.h"

namespace subbyte {
namespace {

std::string reason(int number) { return std::generic_category().message(number); }

// What the temporaries of `path` begin with. Of the name only a hash: names have a largest length.
std::string temporary_prefix(const std::string& path) {
  const std::string name = base_name_of(path);
  return fmt::format(".subbyte-{}-", sha256(std::as_bytes(std::span(name))).substr(0, 16));
}

class DiskWriter final : public FileWriter {
 public:
  DiskWriter(std::string path, std::string temporary, int descriptor)
      : path_(std::move(path)),
        temporary_(std::move(temporary)),
        descriptor_(descriptor),
        removed_on_signal_(temporary_) {}
  DiskWriter(const DiskWriter&) = delete;
  DiskWriter& operator=(const DiskWriter&) = delete;
  ~DiskWriter() override {
    const SignalsWait wait;
    if (!committed_) ::unlink(temporary_.c_str());
    if (before_) ::unlink(before_->path.c_str());
    ::close(descriptor_);
  }

  Expected<void> expect(std::uint64_t bytes) override {
    expected_ = bytes;
#ifdef __linux__
    if (bytes == 0) return {};
    while (::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) != 0) {
      if (errno == EINTR) continue;
      // A file system that cannot reserve says at the first write that it is full.
      if (errno != ENOSPC && errno != EDQUOT && errno != EFBIG) return {};
      return cannot_write(errno, bytes);
    }
#endif
    return {};
  }

  Expected<void> write(Bytes bytes) override {
    while (!bytes.empty()) {
      // One write() takes at most 2 GiB less a page on Linux (write(2)).
      const std::size_t most = std::min<std::size_t>(bytes.size(), std::size_t{1} << 30);
      const ssize_t written = ::write(descriptor_, bytes.data(), most);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return cannot_write(errno, std::max(expected_, written_ + bytes.size()));
      written_ += static_cast<std::uint64_t>(written);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }

  Expected<void> finish() override {
    if (finished_) return {};
    // Before the file gets its name: a machine that loses power must not come back with the name
    // and no content. What a file system cannot sync it keeps as it can.
    if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS && errno != EINTR) {
      return cannot_write(errno, std::max(expected_, written_));
    }
    finished_ = true;
    return {};
  }

  Expected<void> commit() override {
    SUBBYTE_CHECK_OK(finish());
    const SignalsWait wait;
    keep_what_was_there();
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
      return fail_as(ErrorKind::io, "{}: the file cannot be put in place: {}", quoted(path_),
                     reason(errno));
    }
    committed_ = true;
    return {};
  }

  void take_back() override {
    const SignalsWait wait;
    if (!committed_) return;
    if (before_) {
      std::rename(before_->path.c_str(), path_.c_str());
      before_.reset();
    } else if (!replaced_) {
      ::unlink(path_.c_str());
    }
  }

  void rename_to(const std::string& path) override { path_ = path; }
  const std::string& path() const override { return path_; }

 private:
  struct Before {
    explicit Before(std::string name) : path(std::move(name)), removed_on_signal(path) {}
    std::string path;
    Temporary removed_on_signal;
  };

  // A second name for the file that is replaced. Without one (not every file system has links) it
  // cannot be put back.
  void keep_what_was_there() {
    struct stat status {};
    replaced_ = ::lstat(path_.c_str(), &status) == 0;
    if (!replaced_) return;
    std::string name = temporary_ + ".before";
    if (::linkat(AT_FDCWD, path_.c_str(), AT_FDCWD, name.c_str(), 0) == 0) {
      before_.emplace(std::move(name));
    }
  }

  tl::unexpected<Error> cannot_write(int number, std::uint64_t needed) const {
    if (number == ENOSPC) return disk_full(path_, needed, free_bytes(folder_of(path_)));
    return fail_as(ErrorKind::io, "{}: the file, which needs {} bytes, cannot be written: {}",
                   quoted(path_), needed, reason(number));
  }

  std::string path_;
  std::string temporary_;
  int descriptor_;
  Temporary removed_on_signal_;
  std::uint64_t expected_ = 0, written_ = 0;
  bool finished_ = false, committed_ = false;
  bool replaced_ = false;  // something stood at `path_`
  std::optional<Before> before_;
};

// Opens a new file and locks it; -1 with errno. Another process may take a file that is not locked
// yet for an abandoned one, and remove it.
int open_locked(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file < 0) return -1;
  try_lock(file);
  struct stat status {};
  if (::fstat(file, &status) == 0 && status.st_nlink > 0) return file;
  ::close(file);
  errno = EEXIST;
  return -1;
}

}  // namespace

Expected<std::unique_ptr<FileWriter>> create_on_disk(const std::string& path) {
  const FileStatus there = disk().status(path);
  if (there.kind == FileStatus::Kind::folder) {
    return fail_as(ErrorKind::io, "{}: this is a folder; name a file to write", quoted(path));
  }
  // Putting a file in the place of a device or a pipe would remove it for everybody.
  if (there.kind == FileStatus::Kind::stream || there.kind == FileStatus::Kind::other) {
    return fail_as(ErrorKind::io, "{}: this is not a regular file; name a file to write",
                   quoted(path));
  }
  const std::string prefix = folder_of(path) + "/" + temporary_prefix(path);
  constexpr int kAttempts = 1000;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string temporary = fmt::format("{}{}-{}.tmp", prefix, process_id(), attempt);
    const SignalsWait wait;
    const int file = open_locked(temporary);
    if (file >= 0) return std::make_unique<DiskWriter>(path, std::move(temporary), file);
    if (errno != EEXIST) break;
  }
  return fail_as(ErrorKind::io, "{}: the file cannot be created: {}", quoted(path), reason(errno));
}

void remove_abandoned_temporaries(const std::string& path) {
  const std::string prefix = temporary_prefix(path);
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(
           folder_of(path), std::filesystem::directory_options::skip_permission_denied, failed)) {
    const std::string name = entry.path().filename().string();
    const bool ours =
        name.starts_with(prefix) && (name.ends_with(".tmp") || name.ends_with(".tmp.before"));
    if (!ours) continue;
    const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) continue;
    struct stat status {};
    const bool regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    if (regular && try_lock(file)) ::unlink(entry.path().c_str());
    ::close(file);
  }
}

Expected<void> commit_together(std::span<const std::unique_ptr<FileWriter>> writers) {
  for (const auto& writer : writers) SUBBYTE_CHECK_OK(writer->finish());
  const SignalsWait wait;
  for (std::size_t i = 0; i < writers.size(); ++i) {
    auto committed = writers[i]->commit();
    if (committed) continue;
    while (i-- > 0) writers[i]->take_back();
    return committed;
  }
  return {};
}

}  // namespace subbyte
