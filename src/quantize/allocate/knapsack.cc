#include "quantize/allocate/knapsack.h"

#include <algorithm>

namespace subbyte::allocate {
namespace {

constexpr std::size_t kMostWays = 100'000;
constexpr double kTolerance = 1e-6;

// Indices of the options of an item that no other beats in both, by bytes.
std::vector<std::size_t> undominated(const std::vector<Option>& options) {
  std::vector<std::size_t> order(options.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return options[a].bytes != options[b].bytes ? options[a].bytes < options[b].bytes
                                                : options[a].loss < options[b].loss;
  });
  std::vector<std::size_t> kept;
  for (const std::size_t i : order)
    if (kept.empty() || options[i].loss < options[kept.back()].loss) kept.push_back(i);
  return kept;
}

// Of those the corners of the lower convex hull.
std::vector<std::size_t> hull(const std::vector<Option>& options,
                              const std::vector<std::size_t>& kept) {
  std::vector<std::size_t> corners;
  // What a step gains for a byte.
  const auto slope = [&](std::size_t a, std::size_t b) {
    return (options[a].loss - options[b].loss) /
           static_cast<double>(options[b].bytes - options[a].bytes);
  };
  for (const std::size_t i : kept) {
    while (corners.size() >= 2 &&
           slope(corners[corners.size() - 2], corners.back()) <= slope(corners.back(), i))
      corners.pop_back();
    corners.push_back(i);
  }
  return corners;
}

struct Step {
  std::size_t item = 0, from = 0, to = 0;
  std::int64_t bytes = 0;
  double gain_per_byte = 0;
};

// A way to choose for the first items.
struct Way {
  std::int64_t bytes = 0;
  double loss = 0;
  std::size_t before = 0;  // of the ways for one item fewer
  std::size_t option = 0;
};

class Search {
 public:
  Search(std::span<const std::vector<Option>> items, std::int64_t budget)
      : items_(items), budget_(budget) {
    for (const auto& options : items) kept_.push_back(undominated(options));
  }

  std::optional<std::vector<std::size_t>> run() {
    for (std::size_t i = 0; i < items_.size(); ++i) least_bytes_ += smallest(i).bytes;
    if (least_bytes_ > budget_) return std::nullopt;
    take_steps();
    relax();
    follow();
    return best_;
  }

 private:
  const Option& smallest(std::size_t item) const { return items_[item][kept_[item].front()]; }

  // The steps along the hulls by what they gain for a byte, each that still fits: a way that is
  // feasible, and the price of a byte.
  void take_steps() {
    std::vector<Step> steps;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      best_.push_back(kept_[i].front());
      const auto corners = hull(items_[i], kept_[i]);
      for (std::size_t c = 0; c + 1 < corners.size(); ++c) {
        const Option &a = items_[i][corners[c]], &b = items_[i][corners[c + 1]];
        const std::int64_t bytes = b.bytes - a.bytes;
        steps.push_back(
            {i, corners[c], corners[c + 1], bytes, (a.loss - b.loss) / static_cast<double>(bytes)});
      }
    }
    std::ranges::stable_sort(steps, std::ranges::greater(), &Step::gain_per_byte);
    std::int64_t bytes = least_bytes_;
    for (const Step& step : steps) {
      if (bytes + step.bytes > budget_) {
        if (price_ == 0) price_ = step.gain_per_byte;
        continue;
      }
      // After a step that did not fit, the item's next ones begin elsewhere.
      if (best_[step.item] != step.from) continue;
      best_[step.item] = step.to;
      bytes += step.bytes;
    }
    for (std::size_t i = 0; i < items_.size(); ++i) best_loss_ += items_[i][best_[i]].loss;
  }

  // What the items from each on lose and cost at least, bytes having a price.
  void relax() {
    relaxed_.assign(items_.size() + 1, 0);
    least_rest_.assign(items_.size() + 1, 0);
    for (std::size_t i = items_.size(); i-- > 0;) {
      double least = 0;
      for (std::size_t o = 0; o < kept_[i].size(); ++o) {
        const Option& option = items_[i][kept_[i][o]];
        const double cost = option.loss + price_ * static_cast<double>(option.bytes);
        if (o == 0 || cost < least) least = cost;
      }
      relaxed_[i] = relaxed_[i + 1] + least;
      least_rest_[i] = least_rest_[i + 1] + smallest(i).bytes;
    }
  }

  double bound(const Way& way, std::size_t items) const {
    return way.loss + relaxed_[items] - price_ * static_cast<double>(budget_ - way.bytes);
  }

  void follow() {
    std::vector<std::vector<Way>> ways{{Way{}}};
    for (std::size_t i = 0; i < items_.size(); ++i) {
      std::vector<Way> longer;
      for (std::size_t w = 0; w < ways[i].size(); ++w) {
        for (const std::size_t o : kept_[i]) {
          const Way way{ways[i][w].bytes + items_[i][o].bytes, ways[i][w].loss + items_[i][o].loss,
                        w, o};
          if (way.bytes + least_rest_[i + 1] > budget_) break;
          if (bound(way, i + 1) < best_loss_ * (1 - kTolerance)) longer.push_back(way);
        }
      }
      ways.push_back(thinned(std::move(longer), i + 1));
    }
    const auto& whole = ways.back();
    const auto least = std::ranges::min_element(whole, {}, &Way::loss);
    if (least == whole.end() || least->loss >= best_loss_) return;
    std::size_t at = static_cast<std::size_t>(least - whole.begin());
    for (std::size_t i = items_.size(); i-- > 0;) {
      best_[i] = ways[i + 1][at].option;
      at = ways[i + 1][at].before;
    }
  }

  std::vector<Way> thinned(std::vector<Way> ways, std::size_t items) const {
    std::ranges::stable_sort(ways, [](const Way& a, const Way& b) {
      return a.bytes != b.bytes ? a.bytes < b.bytes : a.loss < b.loss;
    });
    std::vector<Way> kept;
    for (const Way& way : ways)
      if (kept.empty() || way.loss < kept.back().loss) kept.push_back(way);
    if (kept.size() <= kMostWays) return kept;
    std::ranges::stable_sort(
        kept, [&](const Way& a, const Way& b) { return bound(a, items) < bound(b, items); });
    kept.resize(kMostWays);
    return kept;
  }

  std::span<const std::vector<Option>> items_;
  std::int64_t budget_;
  std::vector<std::vector<std::size_t>> kept_;
  std::int64_t least_bytes_ = 0;
  double price_ = 0;  // of a byte, in loss
  std::vector<std::size_t> best_;
  double best_loss_ = 0;
  std::vector<double> relaxed_;
  std::vector<std::int64_t> least_rest_;
};

}  // namespace

std::optional<std::vector<std::size_t>> least_loss(std::span<const std::vector<Option>> items,
                                                   std::int64_t budget) {
  return Search(items, budget).run();
}

}  // namespace subbyte::allocate
