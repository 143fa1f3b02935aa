#include "samples/made_tokens.h"

#include <algorithm>

namespace subbyte {

namespace {

constexpr std::int64_t kTries = 8;
// A row of less energy than this part of another's is next to 0.
constexpr double kNothing = 1e-3;

class Drawer {
 public:
  Drawer(const Tensor* table, std::int64_t rows, Random& random)
      : table_(table), rows_(rows), random_(random) {
    if (table != nullptr) row_.resize(static_cast<std::size_t>(table->dims[1]));
  }

  std::int64_t draw() {
    const std::int64_t first = random_.below(rows_);
    if (table_ == nullptr || row_.empty()) return first;
    std::int64_t best = first;
    double least = energy(first);
    for (std::int64_t tried = 1; tried < kTries; ++tried) {
      const std::int64_t other = random_.below(rows_);
      const double found = energy(other);
      const bool replaces_nothing = least < kNothing * found;
      const bool is_smaller = tried == 1 && found < least && found >= kNothing * least;
      if (!replaces_nothing && !is_smaller) continue;
      best = other;
      least = found;
    }
    return best;
  }

 private:
  double energy(std::int64_t row) {
    const auto width = static_cast<std::int64_t>(row_.size());
    read_floats(*table_, row * width, width, row_.data());
    double sum = 0;
    for (const float value : row_) sum += static_cast<double>(value) * value;
    return sum;
  }

  const Tensor* table_;
  std::int64_t rows_;
  Random& random_;
  std::vector<float> row_;
};

}  // namespace

std::vector<std::int64_t> made_tokens(const Graph& graph, const InputContent& content,
                                      std::span<const std::int64_t> dims, Random& random) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  Drawer drawer(graph.constant(content.table), content.limit, random);
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool again = i > 0 && random.below(6) == 0;
    ids.push_back(again ? ids[static_cast<std::size_t>(random.below(i))] : drawer.draw());
  }
  return ids;
}

}  // namespace subbyte
