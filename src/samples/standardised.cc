#include "samples/standardised.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "graph/ops.h"

namespace subbyte {

namespace {

// Features that have a mean and a deviation of their own.
constexpr std::int64_t kMostFeatures = 1 << 16;

struct Constant {
  std::vector<double> values{};
  std::size_t axis_from_end = 0;  // 0: one value
};

std::optional<Constant> constant_along_one_axis(const Tensor* tensor) {
  if (tensor == nullptr || !is_float(tensor->dtype)) return std::nullopt;
  if (tensor->elements() < 1 || tensor->elements() > kMostFeatures) return std::nullopt;
  Constant found;
  for (std::size_t axis = 0; axis < tensor->dims.size(); ++axis) {
    if (tensor->dims[axis] == 1) continue;
    if (found.axis_from_end != 0) return std::nullopt;
    found.axis_from_end = tensor->dims.size() - axis;
  }
  std::vector<float> values(static_cast<std::size_t>(tensor->elements()));
  read_floats(*tensor, 0, tensor->elements(), values.data());
  found.values.assign(values.begin(), values.end());
  return found;
}

// Takes a step x + c, x - c, c - x, x * c or x / c into what is known; false for any other node.
bool take(const Graph& graph, const Node& node, ValueId x, Standardisation& known) {
  if (node.op != Op::Add && node.op != Op::Sub && node.op != Op::Mul && node.op != Op::Div)
    return false;
  const std::size_t operand = node.inputs[0] == x ? 0 : 1;
  if (node.op == Op::Div && operand == 1) return false;
  const auto constant = constant_along_one_axis(graph.constant(node.inputs[1 - operand]));
  if (!constant) return false;
  if (constant->axis_from_end != 0) {
    if (known.axis_from_end == 0) {
      known.axis_from_end = constant->axis_from_end;
      known.scale.resize(constant->values.size(), known.scale[0]);
      known.offset.resize(constant->values.size(), known.offset[0]);
    } else if (known.axis_from_end != constant->axis_from_end ||
               known.scale.size() != constant->values.size()) {
      return false;
    }
  }
  for (std::size_t i = 0; i < known.scale.size(); ++i) {
    const double c = constant->values[constant->axis_from_end == 0 ? 0 : i];
    double &scale = known.scale[i], &offset = known.offset[i];
    if (node.op == Op::Add) {
      offset += c;
    } else if (node.op == Op::Sub && operand == 0) {
      offset -= c;
    } else if (node.op == Op::Sub) {
      scale = -scale;
      offset = c - offset;
    } else {
      scale = node.op == Op::Mul ? scale * c : scale / c;
      offset = node.op == Op::Mul ? offset * c : offset / c;
    }
  }
  return true;
}

}  // namespace

void Standardisation::undo(std::span<float> numbers, std::span<const std::int64_t> dims) const {
  std::size_t step = 1;
  for (std::size_t axis = dims.size() - std::min(dims.size(), axis_from_end) + 1;
       axis < dims.size(); ++axis)
    step *= static_cast<std::size_t>(dims[axis]);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t place = i / step % scale.size();
    const auto number = static_cast<float>((numbers[i] - offset[place]) / scale[place]);
    if (std::isfinite(number)) numbers[i] = number;
  }
}

Standardisation find_standardisation(const Graph& graph, const Uses& uses, ValueId input) {
  Standardisation known;
  for (ValueId at = input; at != kNone;) {
    const std::vector<NodeId>& readers = uses.readers[at];
    const auto next = std::ranges::find_if(readers, [&](NodeId reader) {
      const Node& node = graph.nodes[reader];
      const bool is_same =
          node.op == Op::Identity || (node.op == Op::Cast && node.outputs[0] != kNone &&
                                      is_float(graph.values[node.outputs[0]].dtype));
      return is_same || take(graph, node, at, known);
    });
    if (next == readers.end()) return known;
    at = graph.nodes[*next].outputs[0];
  }
  return known;
}

}  // namespace subbyte
