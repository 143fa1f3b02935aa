// Threads where there are none: the caller's does the work.
#include "base/threads.h"

namespace subbyte {

struct ThreadPool::Threads {};

ThreadPool::ThreadPool(unsigned) {}
ThreadPool::~ThreadPool() = default;

std::size_t ThreadPool::size() const { return 1; }

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t)>& work) {
  for (std::size_t i = 0; i < count; ++i) work(i);
}

void parallel_for(std::size_t count, const std::function<void(std::size_t)>& work, unsigned) {
  ThreadPool(1).run(count, work);
}

}  // namespace subbyte
