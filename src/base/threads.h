// The one place that starts threads.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace subbyte {

// Calls work(i) for each i in [0, count) on up to `threads` threads (0: as many as the machine has
// cores) and returns when all are done. The calls may run in any order, so work(i) writes only what
// belongs to i; results then do not depend on the number of threads.
void parallel_for(std::size_t count, const std::function<void(std::size_t)>& work,
                  unsigned threads = 0);

// Threads that stay for many short jobs, of which each is parallel_for's.
class ThreadPool {
 public:
  // Up to `threads` threads with the caller's (0: as many as the machine has cores).
  explicit ThreadPool(unsigned threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Those that there are, the caller's among them.
  std::size_t size() const;
  // As parallel_for. One call at a time; work() does not call it.
  void run(std::size_t count, const std::function<void(std::size_t)>& work);

 private:
  struct Threads;
  std::unique_ptr<Threads> threads_;
};

}  // namespace subbyte
