#include <sys/file.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

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

std::uint64_t free_bytes(const std::string& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) return 0;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

bool may_create_in(const std::string& folder) { return ::access(folder.c_str(), W_OK | X_OK) == 0; }

int process_id() { return ::getpid(); }

}  // namespace subbyte
