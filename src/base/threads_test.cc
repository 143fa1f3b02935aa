#include "base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace subbyte {
namespace {

TEST(ParallelFor, DoesEachOnce) {
  for (const unsigned threads : {0u, 1u, 2u, 7u}) {
    for (const std::size_t count : {0u, 1u, 2u, 1000u}) {
      std::vector<std::atomic<int>> calls(count);
      parallel_for(
          count, [&](std::size_t i) { ++calls[i]; }, threads);
      for (const auto& call : calls) EXPECT_EQ(call, 1);
    }
  }
}

TEST(ParallelFor, CallerGetsTheException) {
  EXPECT_THROW(parallel_for(
                   100,
                   [](std::size_t i) {
                     if (i == 50) throw std::runtime_error("no");
                   },
                   3),
               std::runtime_error);
}

TEST(ThreadPool, DoesJobAfterJob) {
  for (const unsigned threads : {0u, 1u, 2u, 7u}) {
    ThreadPool pool(threads);
    for (std::size_t round = 0; round < 2000; ++round) {
      std::vector<std::atomic<int>> calls(round % 17);
      pool.run(calls.size(), [&](std::size_t i) { ++calls[i]; });
      for (const auto& call : calls) ASSERT_EQ(call, 1);
    }
  }
}

TEST(ThreadPool, GoesOnAfterAnException) {
  ThreadPool pool(3);
  const auto fails = [](std::size_t) { throw std::runtime_error("no"); };
  EXPECT_THROW(pool.run(100, fails), std::runtime_error);
  std::atomic<int> calls = 0;
  pool.run(100, [&](std::size_t) { ++calls; });
  EXPECT_EQ(calls, 100);
}

}  // namespace
}  // namespace subbyte
