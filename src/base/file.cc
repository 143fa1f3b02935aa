#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

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

class MappedFile final : public FileContent {
 public:
  MappedFile(void* address, std::size_t size) : address_(address), size_(size) {}
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() override {
    if (size_ > 0) ::munmap(address_, size_);
  }
  Bytes bytes() const override { return {static_cast<const std::byte*>(address_), size_}; }

 private:
  void* address_;
  std::size_t size_;
};

class DiskWriter final : public FileWriter {
 public:
  DiskWriter(std::string path, std::string temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}
  DiskWriter(const DiskWriter&) = delete;
  DiskWriter& operator=(const DiskWriter&) = delete;
  ~DiskWriter() override {
    if (!committed_) ::unlink(temporary_.c_str());
  }

  Expected<void> write(Bytes bytes) override {
    while (!bytes.empty()) {
      // One write() takes at most 2 GiB less a page on Linux (write(2)).
      const std::size_t most = std::min<std::size_t>(bytes.size(), std::size_t{1} << 30);
      const ssize_t written = ::write(descriptor_.number(), bytes.data(), most);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        return fail("{}: the file cannot be written: {}", quoted(path_), reason(errno));
      }
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }

  Expected<void> commit() override {
    if (!descriptor_.close()) {
      return fail("{}: the file cannot be written: {}", quoted(path_), reason(errno));
    }
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
      return fail("{}: the file cannot be put in place: {}", quoted(path_), reason(errno));
    }
    committed_ = true;
    return {};
  }

  void rename_to(const std::string& path) override { path_ = path; }

 private:
  std::string path_;
  std::string temporary_;
  Descriptor descriptor_;
  bool committed_ = false;
};

class Disk final : public FileSystem {
 public:
  Expected<std::shared_ptr<const FileContent>> map(const std::string& path) override {
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.number() < 0) {
      return fail("{}: the file cannot be opened: {}", quoted(path), reason(errno));
    }
    struct stat status {};
    if (::fstat(file.number(), &status) != 0) {
      return fail("{}: the file cannot be read: {}", quoted(path), reason(errno));
    }
    if (S_ISDIR(status.st_mode)) return fail("{}: this is a folder, not a file", quoted(path));
    if (!S_ISREG(status.st_mode)) return fail("{}: this is not a regular file", quoted(path));
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) return std::make_shared<const MappedFile>(nullptr, 0);
    void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number(), 0);
    if (address == MAP_FAILED) {
      return fail("{}: the file cannot be read: {}", quoted(path), reason(errno));
    }
    return std::make_shared<const MappedFile>(address, size);
  }

  Expected<std::unique_ptr<FileWriter>> create(const std::string& path) override {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) {
      if (S_ISDIR(status.st_mode)) {
        return fail("{}: this is a folder; name a file to write", quoted(path));
      }
      // Putting a file in the place of a device or a pipe would remove it for everybody.
      if (!S_ISREG(status.st_mode)) {
        return fail("{}: this is not a regular file; name a file to write", quoted(path));
      }
    }
    constexpr int kAttempts = 1000;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      std::string temporary =
          fmt::format("{}/.subbyte-{}-{}.tmp", folder_of(path), ::getpid(), attempt);
      const int file =
          ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
      if (file >= 0) return std::make_unique<DiskWriter>(path, std::move(temporary), file);
      if (errno != EEXIST) break;
    }
    return fail("{}: the file cannot be created: {}", quoted(path), reason(errno));
  }

  bool exists(const std::string& path) override {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  }

  Expected<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) {
      return fail("{}: the file cannot be removed: {}", quoted(path), reason(errno));
    }
    return {};
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

}  // namespace subbyte
