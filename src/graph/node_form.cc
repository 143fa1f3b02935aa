#include "graph/node_form.h"

#include <numeric>

namespace subbyte {
namespace {

std::vector<std::size_t> as_axes(std::span<const std::int64_t> numbers) {
  return {numbers.begin(), numbers.end()};
}

}  // namespace

std::size_t axis_of(const Node& node) { return static_cast<std::size_t>(node.int_or("axis", 0)); }

std::vector<std::size_t> axes_operand(const Graph& graph, const Node& node, std::size_t input) {
  const Tensor* axes = node.has_input(input) ? graph.constant(node.inputs[input]) : nullptr;
  const auto numbers = axes == nullptr ? std::nullopt : integer_values(*axes);
  return numbers ? as_axes(*numbers) : std::vector<std::size_t>{};
}

std::vector<bool> reduced_axes(const Graph& graph, const Node& node) {
  std::vector<bool> reduced(graph.values[node.inputs[0]].shape->size(), false);
  for (const std::size_t axis : axes_operand(graph, node, 1)) reduced[axis] = true;
  return reduced;
}

bool sums_integers(const Node& node) { return node.int_or(kSumsIntegers, 0) != 0; }

bool rounds_quotient(const Node& node) { return node.int_or(kRoundedQuotient, 0) != 0; }

std::vector<std::size_t> resized_axes(const Node& node, std::size_t rank) {
  if (const auto given = node.ints("axes")) return as_axes(*given);
  std::vector<std::size_t> axes(rank);
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  return axes;
}

}  // namespace subbyte
