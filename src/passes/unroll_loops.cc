// Loop and Scan whose number of turns is known and small: each turn's nodes stand in the graph.
#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <unordered_map>

#include "graph/arithmetic.h"
#include "graph/loops.h"
#include "graph/ops.h"
#include "passes/body_splicer.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

// More turns, or more nodes in all of them, are not written out.
constexpr std::int64_t kMostTurns = 64, kMostNodes = 8192;

// A Loop or Scan as its turns see it. Scan (opset 9 and later) is a Loop without a condition, over
// slices of some of its inputs.
struct Turns {
  std::int64_t count = 0;
  std::vector<ValueId> states;  // before the first turn
  std::vector<ValueId> sliced;  // by scan input
  std::vector<std::int64_t> axes, reversed, out_axes, out_reversed;
  bool is_scan = false;
};

class Unroller {
 public:
  explicit Unroller(Model& model) : model_(model), graph_(model.main()), splicer_(graph_, "/", 1) {}

  // True where something was unrolled.
  bool run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    bool any = false;
    for (Node& node : nodes) {
      const auto turns = is_onnx_loop(node) ? turns_of(node) : std::nullopt;
      if (turns) {
        unroll(node, *turns);
        any = true;
      } else {
        graph_.add_node(std::move(node));
      }
    }
    return any;
  }

 private:
  const Graph* body_of(const Node& node) const {
    const auto* ref = std::get_if<GraphRef>(&node.find("body")->value);
    return ref == nullptr ? nullptr : &model_.graphs[ref->graph];
  }

  std::optional<std::int64_t> integer(ValueId v) const {
    const Tensor* constant = graph_.constant(v);
    const auto values = constant == nullptr ? std::nullopt : integer_values(*constant);
    if (!values || values->size() != 1) return std::nullopt;
    return values->front();
  }

  // What a body's output says of going on: a constant, through identities; the condition that came
  // in goes on.
  std::optional<bool> goes_on(const Graph& body, ValueId v) const {
    while (body.values[v].producer != kNone) {
      const Node& node = body.nodes[body.values[v].producer];
      if (node.op != Op::Identity) return std::nullopt;
      v = node.inputs[0];
    }
    if (v == body.inputs[1]) return true;
    const Tensor* constant = body.constant(v);
    if (constant == nullptr && std::ranges::find(body.inputs, v) == body.inputs.end()) {
      constant = graph_.constant(splicer_.captured(body.values[v].name));
    }
    if (constant == nullptr || constant->dtype != DType::boolean || constant->data.size() != 1)
      return std::nullopt;
    return constant->data[0] != std::byte{0};
  }

  std::optional<Turns> turns_of(const Node& node) const {
    const Graph* body = body_of(node);
    if (body == nullptr) return std::nullopt;
    // What is inside of it takes values by the names that they have here.
    for (const Node& inner : body->nodes)
      if (is_onnx_loop(inner)) return std::nullopt;
    for (const ValueId input : node.inputs)
      if (input == kNone && node.op_type == "Scan") return std::nullopt;
    auto turns = node.op_type == "Loop" ? of_loop(node, *body) : of_scan(node, *body);
    if (!turns) return std::nullopt;
    const auto work = saturating_mul(turns->count, static_cast<std::int64_t>(body->nodes.size()));
    const std::size_t stacked = node.outputs.size() - turns->states.size();
    if (turns->count > kMostTurns || work > kMostNodes) return std::nullopt;
    // Of no turns the shape of what they would give is not known.
    if (turns->count == 0 && stacked > 0) return std::nullopt;
    return turns;
  }

  std::optional<Turns> of_loop(const Node& node, const Graph& body) const {
    if (node.inputs.size() < 2 || body.inputs.size() != node.inputs.size() ||
        body.outputs.size() != node.outputs.size() + 1 || body.inputs.size() < 2)
      return std::nullopt;
    Turns turns;
    turns.states.assign(node.inputs.begin() + 2, node.inputs.end());
    if (node.outputs.size() < turns.states.size()) return std::nullopt;
    if (std::ranges::find(turns.states, kNone) != turns.states.end()) return std::nullopt;
    const auto most = node.has_input(0) ? integer(node.inputs[0]) : std::optional(INT64_MAX);
    const auto begins =
        node.has_input(1) ? integer(node.inputs[1]) : std::optional<std::int64_t>(1);
    const auto more = goes_on(body, body.outputs[0]);
    if (!most || !begins || !more) return std::nullopt;
    turns.count = *begins == 0 ? 0 : std::clamp<std::int64_t>(*most, 0, *more ? INT64_MAX : 1);
    return turns;
  }

  std::optional<Turns> of_scan(const Node& node, const Graph& body) const {
    const auto count = static_cast<std::size_t>(
        std::clamp<std::int64_t>(node.int_or("num_scan_inputs", 0), 0, INT32_MAX));
    // Opset 8 had the lengths of sequences before all others.
    if (count == 0 || count > node.inputs.size() || body.inputs.size() != node.inputs.size() ||
        body.outputs.size() != node.outputs.size())
      return std::nullopt;
    Turns turns;
    turns.is_scan = true;
    const std::size_t states = node.inputs.size() - count;
    if (states > node.outputs.size()) return std::nullopt;
    turns.states.assign(node.inputs.begin(),
                        node.inputs.begin() + static_cast<std::ptrdiff_t>(states));
    turns.sliced.assign(node.inputs.begin() + static_cast<std::ptrdiff_t>(states),
                        node.inputs.end());
    const std::size_t stacked = node.outputs.size() - states;
    const auto axes = scan_list(node, "scan_input_axes", count);
    const auto reversed = scan_list(node, "scan_input_directions", count);
    const auto out_axes = scan_list(node, "scan_output_axes", stacked);
    const auto out_reversed = scan_list(node, "scan_output_directions", stacked);
    // What is wrong is told where the loop is not written out.
    if (!axes || !reversed || !out_axes || !out_reversed) return std::nullopt;
    turns.axes = *axes;
    turns.reversed = *reversed;
    turns.out_axes = *out_axes;
    turns.out_reversed = *out_reversed;
    std::optional<std::int64_t> length;
    for (std::size_t i = 0; i < count; ++i) {
      const auto& shape = graph_.values[turns.sliced[i]].shape;
      if (!shape) return std::nullopt;
      const auto rank = static_cast<std::int64_t>(shape->size());
      if (turns.axes[i] < 0) turns.axes[i] += rank;
      if (turns.axes[i] < 0 || turns.axes[i] >= rank) return std::nullopt;
      const auto size = model_.exprs.value((*shape)[static_cast<std::size_t>(turns.axes[i])]);
      if (!size || (length && *length != *size)) return std::nullopt;
      length = size;
    }
    turns.count = *length;
    return turns;
  }

  void unroll(const Node& node, const Turns& turns) {
    const Graph body = *body_of(node);
    body_constants_.clear();
    std::vector<ValueId> states = turns.states;
    const std::size_t first = turns.is_scan ? 0 : 1;  // of the body's outputs that are states
    std::vector<std::vector<ValueId>> stacked(node.outputs.size() - states.size());
    for (std::int64_t turn = 0; turn < turns.count; ++turn) {
      std::vector<ValueId> given;
      if (!turns.is_scan) {
        given.push_back(add_constant(node, "turn", make_int64_tensor({}, {&turn, 1})));
        given.push_back(
            add_constant(node, "goes_on", make_tensor(DType::boolean, {}, {std::byte{1}})));
      }
      given.insert(given.end(), states.begin(), states.end());
      for (std::size_t i = 0; i < turns.sliced.size(); ++i)
        given.push_back(slice(node, turns, i, turn));
      const auto outputs = splice(body, given, turn);
      for (std::size_t i = 0; i < states.size(); ++i) states[i] = outputs[first + i];
      for (std::size_t i = 0; i < stacked.size(); ++i)
        stacked[i].push_back(outputs[first + states.size() + i]);
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNone) continue;
      if (i < states.size()) {
        add(node, Op::Identity, "Identity", {states[i]}, node.outputs[i], {});
      } else {
        stack(node, turns, i - states.size(), stacked[i - states.size()], node.outputs[i]);
      }
    }
  }

  ValueId slice(const Node& node, const Turns& turns, std::size_t i, std::int64_t turn) {
    const std::int64_t at = turns.reversed[i] != 0 ? turns.count - 1 - turn : turn;
    const ValueId index = add_constant(node, "index", make_int64_tensor({}, {&at, 1}));
    const ValueId out = splicer_.add_value({.name = node_name(node) + "_slice"});
    add(node, Op::Gather, "Gather", {turns.sliced[i], index}, out, {{"axis", turns.axes[i]}});
    return out;
  }

  // The results of all turns along a new axis.
  void stack(const Node& node, const Turns& turns, std::size_t i, std::vector<ValueId> parts,
             ValueId out) {
    if (turns.is_scan && turns.out_reversed[i] != 0) std::ranges::reverse(parts);
    const std::int64_t axis = turns.is_scan ? turns.out_axes[i] : 0;
    const ValueId axes = add_constant(node, "axes", make_int64_tensor({1}, {&axis, 1}));
    for (ValueId& part : parts) {
      const ValueId whole = splicer_.add_value({.name = node_name(node) + "_turn"});
      add(node, Op::Unsqueeze, "Unsqueeze", {part, axes}, whole, {});
      part = whole;
    }
    add(node, Op::Concat, "Concat", std::move(parts), out, {{"axis", axis}});
  }

  std::vector<ValueId> splice(const Graph& body, const std::vector<ValueId>& given,
                              std::int64_t turn) {
    std::vector<ValueId> moved(body.values.size(), kNone);
    for (std::size_t i = 0; i < given.size(); ++i) moved[body.inputs[i]] = given[i];
    for (ValueId v = 0; v < body.values.size(); ++v) {
      if (moved[v] != kNone) continue;
      Value value = body.values[v];
      if (is_captured(value)) {
        moved[v] = splicer_.captured(value.name);
        continue;
      }
      // Constants of a body are the same in each turn.
      if (value.constant && turn > 0) {
        moved[v] = body_constants_.at(v);
        continue;
      }
      value.producer = kNone;
      value.shape = value.constant ? value.shape : std::nullopt;
      moved[v] = splicer_.add_value(std::move(value));
      if (body.values[v].constant) body_constants_[v] = moved[v];
    }
    return splicer_.append(body, moved);
  }

  static std::string node_name(const Node& node) {
    return node.name.empty() ? node.op_type : node.name;
  }

  void add(const Node& from, Op op, std::string type, std::vector<ValueId> inputs, ValueId output,
           std::vector<Attribute> attributes) {
    graph_.add_node({.op = op,
                     .op_type = std::move(type),
                     .name = from.name,
                     .inputs = std::move(inputs),
                     .outputs = {output},
                     .attributes = std::move(attributes)});
  }

  ValueId add_constant(const Node& node, const char* what, Tensor tensor) {
    Value value{.name = node_name(node) + "_" + what, .dtype = tensor.dtype};
    value.shape.emplace();
    for (const std::int64_t dim : tensor.dims) value.shape->push_back(model_.exprs.constant(dim));
    value.constant = std::move(tensor);
    return splicer_.add_value(std::move(value));
  }

  Model& model_;
  Graph& graph_;
  BodySplicer splicer_;
  std::unordered_map<ValueId, ValueId> body_constants_;
};

bool has_loops(const Model& model) { return std::ranges::any_of(model.main().nodes, is_onnx_loop); }

Expected<bool> unroll_known(Model& model) {
  // The number of turns may follow from constants.
  Model folded = model;
  // What is wrong with the model is told by those who look at all of it.
  if (!canonicalize(folded) || !fold_constants(folded)) return false;
  if (!Unroller(folded).run()) return false;
  SUBBYTE_CHECK_OK(inline_branches(folded));
  model = std::move(folded);
  return true;
}

}  // namespace

Expected<void> unroll_loops(Model& model) {
  if (has_loops(model)) lift_repeats(model);
  while (has_loops(model)) {
    SUBBYTE_TRY(const bool is_unrolled, unroll_known(model));
    if (!is_unrolled) SUBBYTE_CHECK_OK(enter_loops(model));
  }
  return {};
}

}  // namespace subbyte
