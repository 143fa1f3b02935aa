// The writer of real files, and the temporary files that it works in.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace subbyte {

// The temporary stands beside its target as ".subbyte-KEY-PID-NUMBER.tmp", where KEY is of the
// target's name. It is locked as long as its process lives.
Expected<std::unique_ptr<FileWriter>> create_on_disk(const std::string& path);

// Removes the temporaries of `path` that nobody locks: their process has ended, on whatever machine
// or in whatever container.
void remove_abandoned_temporaries(const std::string& path);

}  // namespace subbyte
