// Mutual exclusion where there are threads, and nothing where there are none: the standard library
// for WebAssembly without threads has no std::mutex.
#pragma once

#ifdef __wasi__

namespace subbyte {

struct Mutex {};
struct Lock {
  explicit Lock(Mutex&) {}
};

}  // namespace subbyte

#else

#include <mutex>

namespace subbyte {

using Mutex = std::mutex;
using Lock = std::scoped_lock<std::mutex>;

}  // namespace subbyte

#endif
