// How sure a figure is that was measured on a few items: the bootstrap (B. Efron, "Bootstrap
// methods: another look at the jackknife", 1979), with the same draws each time.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace subbyte {

struct Interval {
  double low = 0, high = 0;
};

// A figure that sums over items decide: an error and a size, or the intersections and unions of
// each class.
using Statistic = std::function<double(std::span<const double> sums)>;

// The figure of all items, whose sums have the same length each.
double figure_of(std::span<const std::vector<double>> items, const Statistic& statistic);

// The middle 95 % of the figure over a thousand draws, with replacement, of as many items. Paired:
// what two models make of an item is drawn together where the statistic is of both. One item alone
// says nothing of the others: the interval is then the figure itself.
Interval bootstrap(std::span<const std::vector<double>> items, const Statistic& statistic);

}  // namespace subbyte
