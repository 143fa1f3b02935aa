#include "quantize/flow.h"

#include <algorithm>

#include "graph/families.h"
#include "graph/loops.h"
#include "graph/op_info.h"
#include "graph/ops.h"
#include "graph/recurrence.h"

namespace subbyte {
namespace {

bool is_trigonometric(Op op) { return op == Op::Sin || op == Op::Cos || op == Op::Tan; }

bool is_gather(Op op) { return op == Op::Gather || op == Op::GatherElements || op == Op::GatherND; }

bool counts(Op op) {
  switch (op) {
    case Op::Shape:
    case Op::Size:
    case Op::Range:
    case Op::EyeLike:
    case Op::ArgMax:
    case Op::ArgMin:
      return true;
    default:
      return op != Op::Unknown && op_info(op).infer == ShapeRule::compare;
  }
}

bool is_whole(DType dtype) { return !is_float(dtype); }

// What input i of a node reaches: through it, or in it.
unsigned ends_through(const Graph& graph, const Node& node, std::size_t i, unsigned after) {
  if (node.op == Op::Unknown) return kEndsInIndex;
  if (is_product(node.op) || is_normalization(node.op) || is_recurrence(node.op))
    return kEndsInProduct;
  if (is_trigonometric(node.op)) return kEndsInAngle;
  switch (node.op) {
    case Op::Softmax:
    case Op::LogSoftmax:
      return kEndsInProduct;
    case Op::Exp:
      return after | kEndsInExponent;
    case Op::Pow:
      return i == 1 ? after | kEndsInExponent : after;
    case Op::Floor:
    case Op::Ceil:
    case Op::Round:
    case Op::Mod:
      return after | kEndsInIndex;
    case Op::Cast:
      return is_whole(graph.values[node.outputs[0]].dtype) ? unsigned{kEndsInIndex} : after;
    case Op::ArgMax:
    case Op::ArgMin:
      return kEndsInIndex;
    case Op::Shape:
    case Op::Size:
      return 0;
    case Op::Concat:
    case Op::Where:
      return after;
    case Op::Decide:
    case Op::ReadBack:
      return kEndsInIndex;
    case Op::Enter:
      return i >= kFirstState ? after : unsigned{kEndsInIndex};
    case Op::Leave:
      return i >= kFirstNext ? after : unsigned{kEndsInIndex};
    case Op::Merge:
      return i == 0 ? unsigned{kEndsInIndex} : after;
    default:
      break;
  }
  if (op_info(node.op).infer == ShapeRule::compare) return 0;
  if (family_of(node.op).role == Role::scalar) return after;
  // Of all others the first input is what they move, the rest says whereto.
  return i == 0 ? after : unsigned{kEndsInIndex};
}

// What the magnitudes of waves are found with, and what levels of loudness are.
bool takes_squares(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::Log:
    case Op::ReduceL2:
    case Op::ReduceSumSquare:
      return true;
    case Op::Mul:
      return node.inputs[0] == node.inputs[1];
    case Op::Pow: {
      const Tensor* const exponent = graph.constant(node.inputs[1]);
      float value = 0;
      if (exponent == nullptr || exponent->elements() != 1 || !is_float(exponent->dtype))
        return false;
      read_floats(*exponent, 0, 1, &value);
      return value == 2;
    }
    default:
      return false;
  }
}

// Whether a node passes on the elements of one computed value, at most limited, scaled or moved by
// constants.
bool passes_elements(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
    case Op::Div:
    case Op::Max:
    case Op::Min:
      return std::ranges::count_if(node.inputs,
                                   [&](ValueId v) { return graph.constant(v) == nullptr; }) == 1;
    case Op::Clip:
    case Op::Cast:
    case Op::Gather:
    case Op::Neg:
      return true;
    default:
      return is_view(node.op);
  }
}

}  // namespace

bool is_product(Op op) {
  return op == Op::MatMul || op == Op::Gemm || op == Op::Conv || op == Op::ConvTranspose;
}

bool is_normalization(Op op) { return op == Op::LayerNormalization || op == Op::RMSNormalization; }

Flow::Flow(const Graph& graph, const std::vector<bool>& made)
    : made_(made),
      origins_(graph.values.size(), Origin::constant),
      ends_(graph.values.size(), 0),
      spectrum_(graph.values.size(), false) {
  find_ends(graph);
  find_spectra(graph);
  find_origins(graph);
}

bool Flow::trains(ValueId data, ValueId result) const {
  if (origin(data) == Origin::feature) return true;
  const unsigned reached = ends(result);
  if (origin(data) == Origin::position) {
    return (reached & (kEndsInAngle | kEndsInExponent | kEndsInIndex)) == 0;
  }
  if (spectrum_[result]) return false;
  return (reached & kEndsInAngle) == 0 || (reached & (kEndsInProduct | kEndsInOutput)) != 0;
}

void Flow::find_ends(const Graph& graph) {
  for (const ValueId output : graph.outputs) ends_[output] |= kEndsInOutput;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    unsigned after = 0;
    for (const ValueId output : node.outputs) {
      if (output != kNone) after |= ends_[output];
    }
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.has_input(i)) ends_[node.inputs[i]] |= ends_through(graph, node, i, after);
    }
  }
}

void Flow::find_spectra(const Graph& graph) {
  enum class Taken : std::uint8_t { nothing, squares, more };
  std::vector<Taken> taken(graph.values.size(), Taken::nothing);
  for (const ValueId output : graph.outputs) taken[output] = Taken::more;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    Taken most = takes_squares(graph, node) ? Taken::squares : Taken::more;
    if (most == Taken::more && passes_elements(graph, node)) {
      most = Taken::nothing;
      for (const ValueId v : node.outputs) most = std::max(most, v == kNone ? most : taken[v]);
    }
    for (const ValueId v : node.inputs) {
      if (v != kNone) taken[v] = std::max(taken[v], most);
    }
  }
  for (std::size_t v = 0; v < taken.size(); ++v) spectrum_[v] = taken[v] == Taken::squares;
}

void Flow::find_origins(const Graph& graph) {
  for (const ValueId input : graph.inputs) {
    const DType dtype = graph.values[input].dtype;
    const bool bytes = dtype == DType::uint8 || dtype == DType::int8;
    origins_[input] = is_float(dtype) || bytes ? Origin::data : Origin::position;
  }
  for (const Node& node : graph.nodes) {
    const Origin origin = origin_of(graph, node);
    for (const ValueId output : node.outputs) {
      if (output != kNone) origins_[output] = origin;
    }
  }
}

Origin Flow::origin_of(const Graph& graph, const Node& node) const {
  if (counts(node.op)) return Origin::position;
  if (node.op == Op::OneHot) return Origin::data;
  Origin most = Origin::constant;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.has_input(i) || (i > 0 && is_gather(node.op))) continue;
    most = std::max(most, origin(node.inputs[i]));
  }
  if (is_trigonometric(node.op) || is_normalization(node.op) || is_recurrence(node.op) ||
      node.op == Op::Softmax) {
    return most == Origin::constant ? most : Origin::feature;
  }
  if (node.op == Op::Gather) {
    const Tensor* table = graph.constant(node.inputs[0]);
    if (table != nullptr && is_float(table->dtype) && table->dims.size() >= 2)
      return Origin::feature;
  }
  if (is_product(node.op) && node.has_input(1)) {
    const bool left = graph.constant(node.inputs[0]) != nullptr;
    const bool right = graph.constant(node.inputs[1]) != nullptr;
    const ValueId data = node.inputs[left ? 1 : 0], weight = node.inputs[left ? 0 : 1];
    if ((left || right) && !made_[weight] && trains(data, node.outputs[0])) return Origin::feature;
  }
  return most;
}

}  // namespace subbyte
