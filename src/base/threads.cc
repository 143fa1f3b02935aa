#include "base/threads.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace subbyte {
namespace {

struct Job {
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

}  // namespace

struct ThreadPool::Threads {
  std::mutex mutex{};
  std::condition_variable changed{};  // a job has come, or the end
  std::condition_variable left{};     // a thread has left the job
  Job* job = nullptr;
  std::size_t generation = 0;  // of the job
  std::size_t helping = 0;     // threads inside the job
  bool ends = false;
  std::vector<std::thread> all{};

  void serve();
};

ThreadPool::ThreadPool(unsigned threads) : threads_(std::make_unique<Threads>()) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::thread>& all = threads_->all;
  all.reserve(threads - 1);
  try {
    while (all.size() + 1 < threads) all.emplace_back([this] { threads_->serve(); });
  } catch (const std::system_error&) {
    // The system gives no more threads; those that there are do the work.
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::scoped_lock lock(threads_->mutex);
    threads_->ends = true;
  }
  threads_->changed.notify_all();
  for (std::thread& thread : threads_->all) thread.join();
}

std::size_t ThreadPool::size() const { return threads_->all.size() + 1; }

void ThreadPool::Threads::serve() {
  std::unique_lock lock(mutex);
  for (std::size_t seen = 0;;) {
    changed.wait(lock, [&] { return ends || (job != nullptr && generation != seen); });
    if (ends) return;
    seen = generation;
    Job* const mine = job;
    ++helping;
    lock.unlock();
    mine->drain();
    lock.lock();
    if (--helping == 0) left.notify_one();
  }
}

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t)>& work) {
  Threads& threads = *threads_;
  Job job{work, count};
  const bool alone = threads.all.empty() || count < 2;
  if (!alone) {
    const std::scoped_lock lock(threads.mutex);
    threads.job = &job;
    ++threads.generation;
  }
  // As many as there is work for: waking the others would take longer than most jobs.
  for (std::size_t i = 1; !alone && i < std::min(count, size()); ++i) threads.changed.notify_one();
  job.drain();
  if (!alone) {
    std::unique_lock lock(threads.mutex);
    threads.job = nullptr;  // who comes now comes too late
    threads.left.wait(lock, [&] { return threads.helping == 0; });
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
