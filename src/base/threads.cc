#include "base/threads.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace subbyte {

void parallel_for(std::size_t count, const std::function<void(std::size_t)>& work,
                  unsigned threads) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  const std::size_t helpers = count == 0 ? 0 : std::min<std::size_t>(threads, count) - 1;

  std::atomic<std::size_t> next = 0;
  std::mutex failure_mutex;
  std::exception_ptr failure;
  const auto drain = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    } catch (...) {
      // An exception that left its thread would end the program; the caller's thread gets it
      // instead.
      const std::scoped_lock lock(failure_mutex);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  };
  {
    std::vector<std::jthread> pool;
    pool.reserve(helpers);
    try {
      while (pool.size() < helpers) pool.emplace_back(drain);
    } catch (const std::system_error&) {
      // The system gives no more threads; those that there are do the work.
    }
    drain();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace subbyte
