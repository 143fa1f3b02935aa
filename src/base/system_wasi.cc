#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <system_error>

#include "base/system.h"
#include "base/text.h"

namespace subbyte {
namespace {

// Read in pieces, so that a host that copies what it reads holds little of it at a time.
constexpr std::size_t kPiece = std::size_t{16} << 20;

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};

class ReadFile final : public FileContent {
 public:
  ReadFile(std::unique_ptr<std::byte, Free> content, std::size_t size)
      : content_(std::move(content)), size_(size) {}
  Bytes bytes() const override { return {content_.get(), size_}; }

 private:
  std::unique_ptr<std::byte, Free> content_;
  std::size_t size_;
};

}  // namespace

Expected<std::shared_ptr<const FileContent>> map_descriptor(const std::string& path, int descriptor,
                                                            std::uint64_t size) {
  if (size == 0) return std::make_shared<const ReadFile>(nullptr, 0);
  std::unique_ptr<std::byte, Free> content;
  if (size <= std::numeric_limits<std::size_t>::max() / 2)
    content.reset(static_cast<std::byte*>(std::malloc(static_cast<std::size_t>(size))));
  if (content == nullptr) {
    return fail_as(
        ErrorKind::io,
        "{}: the file has {} bytes, for which WebAssembly has no memory left; convert it "
        "with the native program",
        quoted(path), size);
  }
  const auto bytes = static_cast<std::size_t>(size);
  for (std::size_t at = 0; at < bytes;) {
    const ssize_t got =
        ::read(descriptor, content.get() + at, std::min<std::size_t>(kPiece, bytes - at));
    if (got < 0) {
      return fail_as(ErrorKind::io, "{}: the file cannot be read: {}", quoted(path),
                     std::generic_category().message(errno));
    }
    if (got == 0)
      return fail_as(ErrorKind::io, "{}: the file got shorter while it was read", quoted(path));
    at += static_cast<std::size_t>(got);
  }
  return std::make_shared<const ReadFile>(std::move(content), bytes);
}

std::shared_ptr<const void> lock_folder(const std::string&) { return nullptr; }

bool try_lock(int) { return false; }

std::uint64_t free_bytes(const std::string&) { return 0; }

bool may_create_in(const std::string&) { return true; }

int process_id() { return 0; }

}  // namespace subbyte
