// What the operating system gives beyond reading and writing: system_posix.cc, and for WebAssembly,
// whose host has none of it, system_wasi.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace subbyte {

// The content of an open file of `size` bytes; `path` is for messages. Mapped where the system can,
// else read.
Expected<std::shared_ptr<const FileContent>> map_descriptor(const std::string& path, int descriptor,
                                                            std::uint64_t size);
// Locks an open file as long as this process lives; false where another has locked it, and where
// there are no locks.
bool try_lock(int descriptor);
// Locks a folder as long as the result lives, among those who ask for it: waits for others for some
// seconds. Null where it could not be had.
std::shared_ptr<const void> lock_folder(const std::string& folder);
// The room on the disk that a folder is on; 0 where it is not known.
std::uint64_t free_bytes(const std::string& folder);
// Whether this user may make files in a folder that is there; true where that is not known.
bool may_create_in(const std::string& folder);
// Tells processes of one machine apart where there are several.
int process_id();

}  // namespace subbyte
