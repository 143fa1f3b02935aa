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

}  // namespace
}  // namespace subbyte
