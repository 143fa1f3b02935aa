// The one place that starts threads.
#pragma once

#include <cstddef>
#include <functional>

namespace subbyte {

// Calls work(i) for each i in [0, count) on up to `threads` threads (0: as many as the machine has
// cores) and returns when all are done. The calls may run in any order, so work(i) writes only what
// belongs to i; results then do not depend on the number of threads.
void parallel_for(std::size_t count, const std::function<void(std::size_t)>& work,
                  unsigned threads = 0);

}  // namespace subbyte
