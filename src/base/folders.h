// What is in a folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace subbyte {

class FileSystem;

// What a FileSystem gives that can list folders; apart, since hardly anything asks.
class Folders {
 public:
  virtual ~Folders() = default;
  // The names of the files in a folder, in order; folders in it, and what is hidden, are left out.
  virtual Expected<std::vector<std::string>> list(const std::string& folder) = 0;
  // As hold_folder().
  virtual std::shared_ptr<const void> hold(const std::string& folder) {
    static_cast<void>(folder);
    return nullptr;
  }
};

// Of a FileSystem that can; else an error.
Expected<std::vector<std::string>> list_folder(FileSystem& files, const std::string& folder);

// While the result lives nobody else who asks for this folder gets it: for files that belong
// together and are put in place one by one. Null where there are no locks, or somebody keeps it.
std::shared_ptr<const void> hold_folder(FileSystem& files, const std::string& folder);

}  // namespace subbyte
