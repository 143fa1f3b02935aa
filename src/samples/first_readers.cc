#include "samples/first_readers.h"

#include <algorithm>
#include <optional>

#include "graph/ops.h"

namespace subbyte {

namespace {

// Means and scales of channels are small.
constexpr std::int64_t kMostChannels = 4096;

// The same numbers in another dtype, shape, order or size of image.
bool moves_numbers(Op op) {
  switch (op) {
    case Op::Cast:
    case Op::Concat:
    case Op::Pad:
    case Op::Resize:
      return true;
    default:
      return is_view(op);
  }
}

std::optional<double> mean_of(const Tensor* tensor) {
  if (tensor == nullptr || tensor->elements() < 1 || tensor->elements() > kMostChannels)
    return std::nullopt;
  const auto count = static_cast<std::size_t>(tensor->elements());
  double sum = 0;
  if (const auto integers = integer_values(*tensor)) {
    for (const std::int64_t value : *integers) sum += static_cast<double>(value);
    return sum / static_cast<double>(count);
  }
  std::vector<float> values(count);
  read_floats(*tensor, 0, tensor->elements(), values.data());
  for (const float value : values) sum += value;
  return sum / static_cast<double>(count);
}

// The reader moved past a sum, difference, product or quotient with a constant; nullopt for any
// other node.
std::optional<FirstReader> past_constant(const Graph& graph, const Node& node, FirstReader at) {
  const bool is_arithmetic =
      node.op == Op::Add || node.op == Op::Sub || node.op == Op::Mul || node.op == Op::Div;
  if (!is_arithmetic) return std::nullopt;
  const auto other = mean_of(graph.constant(node.inputs[1 - at.operand]));
  if (!other) return std::nullopt;
  at.rescaled = true;
  switch (node.op) {
    case Op::Add:
      at.offset += *other;
      return at;
    case Op::Sub:
      if (at.operand == 0) {
        at.offset -= *other;
      } else {
        at.offset = *other - at.offset;
        at.scale = -at.scale;
      }
      return at;
    case Op::Mul:
      at.scale *= *other;
      at.offset *= *other;
      return at;
    default:
      if (at.operand == 1 || *other == 0) return std::nullopt;
      at.scale /= *other;
      at.offset /= *other;
      return at;
  }
}

}  // namespace

std::vector<FirstReader> first_readers(const Graph& graph, const Uses& uses, ValueId input) {
  std::vector<FirstReader> found;
  std::vector<char> seen(graph.values.size(), 0);
  struct Place {
    ValueId value;
    FirstReader numbers;
  };
  std::vector<Place> places{{input, {}}};
  seen[input] = 1;
  const auto follow = [&](const Node& node, const FirstReader& numbers) {
    for (const ValueId output : node.outputs) {
      if (output == kNone || seen[output] != 0) continue;
      seen[output] = 1;
      places.push_back({output, numbers});
    }
  };
  for (std::size_t p = 0; p < places.size(); ++p) {
    const Place place = places[p];
    std::vector<NodeId> readers = uses.readers[place.value];
    readers.erase(std::unique(readers.begin(), readers.end()), readers.end());
    for (const NodeId n : readers) {
      const Node& node = graph.nodes[n];
      const auto operand = std::ranges::find(node.inputs, place.value) - node.inputs.begin();
      FirstReader reader = place.numbers;
      reader.node = n;
      reader.operand = static_cast<std::size_t>(operand);
      const bool is_data = node.op == Op::Concat || operand == 0;
      if (moves_numbers(node.op) && is_data) {
        follow(node, reader);
      } else if (const auto past = past_constant(graph, node, reader)) {
        follow(node, *past);
      } else {
        found.push_back(reader);
      }
    }
  }
  return found;
}

}  // namespace subbyte
