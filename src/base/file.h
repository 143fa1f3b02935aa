// The seam between the program and the file system: everything that reads or writes goes through a
// FileSystem, so tests can use one in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace subbyte {

using Bytes = std::span<const std::byte>;

// The same bytes as text, whatever they are.
inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The content of one file, mapped read-only; views into it live as long as this object.
class FileContent {
 public:
  virtual ~FileContent() = default;
  virtual Bytes bytes() const = 0;
};

// Writes a file under a temporary name beside its target; commit() makes it appear whole under its
// own name, destruction without commit() leaves nothing behind.
class FileWriter {
 public:
  virtual ~FileWriter() = default;
  // How many bytes will be written in all. Takes the room for them where the file system can, so
  // that a full disk is found before the work; its error says how many are needed, and how many
  // free.
  virtual Expected<void> expect(std::uint64_t bytes) = 0;
  virtual Expected<void> write(Bytes bytes) = 0;
  // Everything is on the disk and only its name is missing. commit() does it where it was not done.
  virtual Expected<void> finish() = 0;
  virtual Expected<void> commit() = 0;
  // After commit(), as long as the writer lives: what stood there before stands there again.
  virtual void take_back() = 0;
  // Where commit() puts the file instead, in the same folder: for a name that depends on the
  // content.
  virtual void rename_to(const std::string& path) = 0;
  virtual const std::string& path() const = 0;
};

// Makes files appear together, in their order: either all of them, or none. What they replaced is
// gone afterwards.
Expected<void> commit_together(std::span<const std::unique_ptr<FileWriter>> writers);

// The error of a file that needs `needed` bytes where `free` are left.
tl::unexpected<Error> disk_full(const std::string& path, std::uint64_t needed, std::uint64_t free);

// What stands at a path, and which file it is.
struct FileStatus {
  enum class Kind {
    missing,
    no_folder,  // missing, and so is the folder that it would stand in
    regular,
    folder,
    stream,  // a pipe or a character device: what is written there replaces nothing
    other,   // a socket, a disk, a link that leads nowhere
  };
  Kind kind = Kind::missing;
  std::string path;        // links resolved, also where nothing is there yet
  bool may_create = true;  // the folder that it stands in takes new files
  // What tells two files apart, whatever their names; 0 where nothing is there.
  std::uint64_t device = 0, inode = 0;
};
// Whether they are one file: hard links, links and other spellings of a path are.
bool same_file(const FileStatus& a, const FileStatus& b);

class Folders;

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Maps the file. A missing file, a folder or an unreadable one is an error that names the path.
  virtual Expected<std::shared_ptr<const FileContent>> map(const std::string& path) = 0;
  virtual Expected<std::unique_ptr<FileWriter>> create(const std::string& path) = 0;
  // Removes what writers of `path` left whose process ended before they could.
  virtual void remove_abandoned(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual FileStatus status(const std::string& path) = 0;
  virtual Expected<void> remove(const std::string& path) = 0;
  // True when `path`, with links resolved, lies inside `folder`.
  virtual bool is_inside(const std::string& path, const std::string& folder) = 0;
  // Null where folders cannot be listed.
  virtual Folders* folders() { return nullptr; }
};

// The real one.
FileSystem& disk();

// "a/b/c.onnx" -> "a/b" ("." where there is none), and "c.onnx".
std::string folder_of(std::string_view path);
std::string base_name_of(std::string_view path);

}  // namespace subbyte
