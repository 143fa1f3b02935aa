// What is in a folder.
#pragma once

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
};

// Of a FileSystem that can; else an error.
Expected<std::vector<std::string>> list_folder(FileSystem& files, const std::string& folder);

}  // namespace subbyte
