// Folders that a conversion makes for what it writes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/temporaries.h"

namespace subbyte {

// Those that are empty in the end are removed again, by a signal that ends the process too: what
// fails or is interrupted leaves none.
class MadeFolders {
 public:
  MadeFolders() = default;
  MadeFolders(const MadeFolders&) = delete;
  MadeFolders& operator=(const MadeFolders&) = delete;
  ~MadeFolders();

  // Makes the folder and those above it that are missing. Errors name `option`.
  Expected<void> make(const std::string& option, const std::string& path);

 private:
  struct Made {
    std::string path;
    std::unique_ptr<Temporary> removed_on_signal;
  };
  std::vector<Made> made_;  // the outermost first
};

}  // namespace subbyte
