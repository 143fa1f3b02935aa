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
  virtual Expected<void> write(Bytes bytes) = 0;
  virtual Expected<void> commit() = 0;
  // Where commit() puts the file instead, in the same folder: for a name that depends on the
  // content.
  virtual void rename_to(const std::string& path) = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Maps the file. A missing file, a folder or an unreadable one is an error that names the path.
  virtual Expected<std::shared_ptr<const FileContent>> map(const std::string& path) = 0;
  virtual Expected<std::unique_ptr<FileWriter>> create(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual Expected<void> remove(const std::string& path) = 0;
  // True when `path`, with links resolved, lies inside `folder`.
  virtual bool is_inside(const std::string& path, const std::string& folder) = 0;
};

// The real one.
FileSystem& disk();

// "a/b/c.onnx" -> "a/b" ("." where there is none), and "c.onnx".
std::string folder_of(std::string_view path);
std::string base_name_of(std::string_view path);

}  // namespace subbyte
