#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <system_error>
#include <thread>

#include "base/system.h"
#include "base/text.h"

namespace subbyte {
namespace {

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

class LockedFolder {
 public:
  explicit LockedFolder(int descriptor) : descriptor_(descriptor) {}
  LockedFolder(const LockedFolder&) = delete;
  LockedFolder& operator=(const LockedFolder&) = delete;
  ~LockedFolder() { ::close(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace

Expected<std::shared_ptr<const FileContent>> map_descriptor(const std::string& path, int descriptor,
                                                            std::uint64_t size) {
  if (size == 0) return std::make_shared<const MappedFile>(nullptr, 0);
  void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (address == MAP_FAILED) {
    return fail_as(ErrorKind::io, "{}: the file cannot be read: {}", quoted(path),
                   std::generic_category().message(errno));
  }
  return std::make_shared<const MappedFile>(address, size);
}

bool try_lock(int descriptor) { return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0; }

std::shared_ptr<const void> lock_folder(const std::string& folder) {
  // Who holds it puts files in place, which takes milliseconds; one that hangs must not make us
  // hang.
  constexpr int kTries = 1000;
  constexpr auto kPause = std::chrono::milliseconds(10);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return nullptr;
  const auto folder_held = std::make_shared<const LockedFolder>(descriptor);
  for (int i = 0; i < kTries; ++i) {
    if (try_lock(descriptor)) return folder_held;
    if (errno != EWOULDBLOCK) break;
    std::this_thread::sleep_for(kPause);
  }
  return nullptr;
}

std::uint64_t free_bytes(const std::string& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) return 0;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

bool may_create_in(const std::string& folder) { return ::access(folder.c_str(), W_OK | X_OK) == 0; }

int process_id() { return ::getpid(); }

}  // namespace subbyte
