#include "base/threads.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <system_error>

namespace subbyte {

struct ThreadPool::Job {
  const std::function<void(std::size_t)>& work;
  std::size_t count;
  std::atomic<std::size_t> next = 0;
  std::mutex failure_mutex{};
  std::exception_ptr failure{};

  void drain() {
    try {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    } catch (...) {
      // An exception that left its thread would end the program; the caller's thread gets it
      // instead.
      const std::scoped_lock lock(failure_mutex);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  }
};

ThreadPool::ThreadPool(unsigned threads) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  threads_.reserve(threads - 1);
  try {
    while (threads_.size() + 1 < threads) threads_.emplace_back([this] { serve(); });
  } catch (const std::system_error&) {
    // The system gives no more threads; those that there are do the work.
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::scoped_lock lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::serve() {
  std::unique_lock lock(mutex_);
  for (std::size_t seen = 0;;) {
    changed_.wait(lock, [&] { return ends_ || (job_ != nullptr && generation_ != seen); });
    if (ends_) return;
    seen = generation_;
    Job* const job = job_;
    ++helping_;
    lock.unlock();
    job->drain();
    lock.lock();
    if (--helping_ == 0) left_.notify_one();
  }
}

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t)>& work) {
  Job job{work, count};
  const bool alone = threads_.empty() || count < 2;
  if (!alone) {
    const std::scoped_lock lock(mutex_);
    job_ = &job;
    ++generation_;
  }
  // As many as there is work for: waking the others would take longer than most jobs.
  for (std::size_t i = 1; !alone && i < std::min(count, size()); ++i) changed_.notify_one();
  job.drain();
  if (!alone) {
    std::unique_lock lock(mutex_);
    job_ = nullptr;  // who comes now comes too late
    left_.wait(lock, [&] { return helping_ == 0; });
  }
  if (job.failure) std::rethrow_exception(job.failure);
}

void parallel_for(std::size_t count, const std::function<void(std::size_t)>& work,
                  unsigned threads) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  const std::size_t most = std::max<std::size_t>(1, std::min<std::size_t>(threads, count));
  ThreadPool(static_cast<unsigned>(most)).run(count, work);
}

}  // namespace subbyte
