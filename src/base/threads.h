// The one place that starts threads.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

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
  std::size_t size() const { return threads_.size() + 1; }
  // As parallel_for. One call at a time; work() does not call it.
  void run(std::size_t count, const std::function<void(std::size_t)>& work);

 private:
  struct Job;
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;  // a job has come, or the end
  std::condition_variable left_;     // a thread has left the job
  Job* job_ = nullptr;
  std::size_t generation_ = 0;  // of the job
  std::size_t helping_ = 0;     // threads inside the job
  bool ends_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace subbyte
