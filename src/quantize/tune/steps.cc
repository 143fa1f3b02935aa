#include "quantize/tune/steps.h"

#include <algorithm>
#include <utility>

#include "base/scalar_math.h"

namespace subbyte::tune {

Rates rates_at(std::size_t step, std::size_t steps, const Rates& rates, float share) {
  constexpr double kPi = 3.14159265358979323846;
  const double along = static_cast<double>(step) / static_cast<double>(steps);
  const auto part =
      share * static_cast<float>(0.5 * (1 + cos_of(kPi * along)) * std::min(1.0, 10 * along));
  return {rates.scale * part, rates.zero * part, rates.position * part, rates.number * part};
}

std::vector<std::size_t> Shuffle::next(std::size_t size, Random& random) {
  std::vector<std::size_t> chosen;
  while (chosen.size() < size) {
    if (order_.empty()) draw(random);
    chosen.push_back(order_.back());
    order_.pop_back();
  }
  return chosen;
}

void Shuffle::draw(Random& random) {
  for (std::size_t i = 0; i < count_; ++i) order_.push_back(i);
  for (std::size_t i = count_; i > 1; --i)
    std::swap(order_[i - 1],
              order_[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i)))]);
}

bool Shuffle::read(RecordReader& record) {
  order_ = record.array<std::size_t>();
  return std::ranges::all_of(order_, [&](std::size_t i) { return i < count_; });
}

}  // namespace subbyte::tune
