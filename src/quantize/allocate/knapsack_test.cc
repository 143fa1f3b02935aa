#include "quantize/allocate/knapsack.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "calibrate/random.h"

namespace subbyte::allocate {
namespace {

using Items = std::vector<std::vector<Option>>;

double loss_of(const Items& items, const std::vector<std::size_t>& chosen) {
  double loss = 0;
  for (std::size_t i = 0; i < items.size(); ++i) loss += items[i][chosen[i]].loss;
  return loss;
}

std::int64_t bytes_of(const Items& items, const std::vector<std::size_t>& chosen) {
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < items.size(); ++i) bytes += items[i][chosen[i]].bytes;
  return bytes;
}

// The least loss of all ways; negative where none fits.
double least_of_all(const Items& items, std::int64_t budget) {
  double best = -1;
  std::vector<std::size_t> chosen(items.size(), 0);
  while (true) {
    if (bytes_of(items, chosen) <= budget) {
      const double loss = loss_of(items, chosen);
      if (best < 0 || loss < best) best = loss;
    }
    std::size_t i = 0;
    while (i < items.size() && ++chosen[i] == items[i].size()) chosen[i++] = 0;
    if (i == items.size()) return best;
  }
}

Items random_items(std::uint64_t seed, std::size_t count, std::size_t options) {
  Random random(seed);
  Items items(count);
  for (auto& item : items)
    for (std::size_t o = 0; o < options; ++o)
      item.push_back({1 + static_cast<std::int64_t>(random.next() % 50),
                      static_cast<double>(random.next() % 1000) / 100});
  return items;
}

TEST(LeastLoss, IsThatOfAllWays) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Items items = random_items(seed, 6, 4);
    for (const std::int64_t budget : {30, 60, 90, 120, 200, 400}) {
      const double best = least_of_all(items, budget);
      const auto chosen = least_loss(items, budget);
      ASSERT_EQ(chosen.has_value(), best >= 0) << "seed " << seed << ", budget " << budget;
      if (!chosen) continue;
      EXPECT_LE(bytes_of(items, *chosen), budget);
      EXPECT_NEAR(loss_of(items, *chosen), best, 1e-5 * best)
          << "seed " << seed << ", budget " << budget;
    }
  }
}

// What the convex hulls leave out: the middle option of the first item is not on its hull, and is
// in the best way.
TEST(LeastLoss, ReachesWhatIsOnNoHull) {
  const Items items = {{{10, 10}, {20, 9}, {30, 0}}, {{10, 5}}};
  EXPECT_EQ(least_loss(items, 30), (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(least_loss(items, 40), (std::vector<std::size_t>{2, 0}));
  EXPECT_EQ(least_loss(items, 19), std::nullopt);
}

// Two hundred weights with twenty options each, as those of a large model.
TEST(LeastLoss, OfManyItemsIsNearTheBoundOfThePrice) {
  Random random(9);
  Items items(200);
  for (auto& item : items) {
    const double gain = 1 + static_cast<double>(random.next() % 1000);
    const auto size = static_cast<std::int64_t>(100 + random.next() % 5000);
    double loss = gain;
    for (std::int64_t o = 0; o < 20; ++o) {
      item.push_back({size * (8 + o), loss});
      loss *= 0.5 + static_cast<double>(random.next() % 400) / 1000;
    }
  }
  std::int64_t least = 0, most = 0;
  for (const auto& item : items) {
    least += item.front().bytes;
    most += item.back().bytes;
  }
  const std::int64_t budget = (least + most) / 2;
  const auto chosen = least_loss(items, budget);
  ASSERT_TRUE(chosen);
  EXPECT_LE(bytes_of(items, *chosen), budget);
  // The relaxation at any price of a byte is a lower bound; the best of many prices is near.
  double bound = 0;
  for (double price = 1e-6; price < 10; price *= 1.05) {
    double relaxed = -price * static_cast<double>(budget);
    for (const auto& item : items) {
      double cost = item[0].loss + price * static_cast<double>(item[0].bytes);
      for (const Option& option : item)
        cost = std::min(cost, option.loss + price * static_cast<double>(option.bytes));
      relaxed += cost;
    }
    bound = std::max(bound, relaxed);
  }
  EXPECT_GE(loss_of(items, *chosen), bound * (1 - 1e-9));
  EXPECT_LE(loss_of(items, *chosen), bound * 1.01);
}

}  // namespace
}  // namespace subbyte::allocate
