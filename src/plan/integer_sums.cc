// Products of whole numbers: whether sums of f32 are exact.
#include <algorithm>

#include "graph/node_form.h"
#include "plan/product.h"
#include "quantize/rows.h"

namespace subbyte {
namespace {

// f32 holds all whole numbers up to this one.
constexpr double kExact = 0x1p24;
// The left operand is codes of 8 bits less their zero point: it spans 255, with 0 in it.
constexpr double kSpan = 255;

// A bound of all partial sums, in whatever order they are made: of a row of weights with positive
// numbers that add up to P and negative ones to -N, sums are within 255 * max(P, N), since the
// numbers that they are multiplied with lie in [-z, 255 - z].
double largest_sum(const Tensor& weights, const StoredWeight& stored) {
  const RowReader read = row_reader(weights, stored.order);
  const std::int64_t block = rows_in_block(stored.rows, stored.k);
  std::vector<float> values(static_cast<std::size_t>(block * stored.k));
  double largest = 0;
  for (std::int64_t first = 0; first < stored.rows; first += block) {
    const std::int64_t count = std::min(block, stored.rows - first);
    read(first, count, values.data());
    for (std::int64_t r = 0; r < count; ++r) {
      double positive = 0, negative = 0;
      for (std::int64_t k = 0; k < stored.k; ++k) {
        const double value = values[static_cast<std::size_t>(r * stored.k + k)];
        (value > 0 ? positive : negative) += value;
      }
      largest = std::max({largest, positive, -negative});
    }
  }
  return kSpan * largest;
}

bool holds_exact_numbers(const StoredWeight& stored) {
  const auto* floats = std::get_if<FloatEncoding>(&stored.encoding);
  return std::holds_alternative<CodesOfGrid>(stored.source) ||
         (floats != nullptr && floats->bits == 32);
}

}  // namespace

void sum_integers(Lowering& lowering, const Node& node, Product& product) {
  if (!sums_integers(node)) return;
  product.integer = true;
  double largest = 0;
  if (product.weight) {
    const StoredWeight& stored = lowering.plan.weights[*product.weight];
    // Other numbers than the file's are no whole ones.
    if (!holds_exact_numbers(stored)) return;
    largest = largest_sum(*lowering.graph().values[stored.value].constant, stored);
  } else {
    const auto depth = lowering.exprs().value(product.depth);
    largest = depth ? static_cast<double>(*depth) * kSpan * kSpan : 2 * kExact;
  }
  product.in_words = largest > kExact;
}

}  // namespace subbyte
