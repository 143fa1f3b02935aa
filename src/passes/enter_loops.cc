// Loop and Scan whose turns are counted when the model runs: the body stands in the main graph,
// once (graph/loops.h).
#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "graph/loops.h"
#include "graph/ops.h"
#include "passes/growing_states.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

// On a Loop or Scan in the body of another: the name of that one's turn.
constexpr std::string_view kInTurn = "in_turn";

// A Loop, or a Scan as a Loop over slices of some of its inputs.
struct Turns {
  GraphId body = 0;
  bool is_scan = false;
  ValueId most = kNone, begins = kNone;
  std::vector<ValueId> states{}, sliced{};
  std::vector<std::int64_t> axes{}, reversed{}, out_axes{}, out_reversed{};
};

// A state that only grows: it is no state any more, and what each turn adds is stacked.
struct Grown {
  ValueId begin = kNone, result = kNone;  // before the first turn and after the last one
  ValueId stack = kNone;
  Growth growth{};
};

class LoopEnterer {
 public:
  explicit LoopEnterer(Model& model) : model_(model), graph_(model.main()) {
    for (ValueId v = 0; v < graph_.values.size(); ++v) {
      names_.insert(graph_.values[v].name);
      ids_.emplace(graph_.values[v].name, v);
    }
  }

  Expected<void> run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      if (!is_onnx_loop(nodes[n])) {
        graph_.add_node(std::move(nodes[n]));
        continue;
      }
      const std::string what =
          nodes[n].name.empty()
              ? fmt::format("node {} ({})", n, nodes[n].op_type)
              : fmt::format("node {} ({})", quoted(nodes[n].name), nodes[n].op_type);
      if (auto done = enter(nodes[n]); !done) return within(what, std::move(done.error()));
    }
    for (Graph& graph : renamed_) model_.graphs.push_back(std::move(graph));
    return {};
  }

 private:
  Expected<void> enter(const Node& node) {
    SUBBYTE_TRY(Turns turns, node.op_type == "Loop" ? of_loop(node) : of_scan(node));
    Graph body = model_.graphs[turns.body];
    const std::size_t first = turns.is_scan ? 0 : 2;
    Node left = node;  // with what is left to carry
    const std::vector<Grown> grown = take_grown(left, turns, body);
    SUBBYTE_CHECK_OK(check_carried(turns));
    // What each input of the body is in a turn.
    std::vector<ValueId> moved(body.values.size(), kNone);
    for (const Grown& one : grown)
      for (const ValueId v : one.growth.replaced) moved[v] = one.begin;
    const ValueId turn = add_value({.name = fmt::format("turn({})", name_of(node))});
    std::vector<ValueId> states;
    for (std::size_t k = 0; k < turns.states.size(); ++k) {
      const ValueId input = body.inputs[first + k];
      states.push_back(moved[input] = add_value({.name = body.values[input].name}));
    }
    if (!turns.is_scan) {
      moved[body.inputs[0]] = turn;
      moved[body.inputs[1]] =
          add_constant(node, "goes_on", make_tensor(DType::boolean, {}, {std::byte{1}}));
    }
    add_enter(node, turns, states, turn);
    for (std::size_t i = 0; i < turns.sliced.size(); ++i)
      moved[body.inputs[turns.states.size() + i]] = slice(node, turns, i, turn);
    splice(body, moved, turn);
    std::vector<ValueId> results;
    for (const ValueId output : body.outputs) results.push_back(moved[output]);
    SUBBYTE_CHECK_OK(add_leave(left, turns, results, turn));
    for (const Grown& one : grown)
      if (one.result != kNone) join(node, one);
    return {};
  }

  // Takes what only grows out of the states of a loop and of its body.
  std::vector<Grown> take_grown(Node& node, Turns& turns, Graph& body) {
    const std::size_t first_in = turns.is_scan ? 0 : 2, first_out = turns.is_scan ? 0 : 1;
    const auto at = [](auto& list, std::size_t i) {
      return list.begin() + static_cast<std::ptrdiff_t>(i);
    };
    std::vector<Grown> grown;
    for (std::size_t k = turns.states.size(); k-- > 0;) {
      const auto growth =
          find_growth(model_, body, body.inputs[first_in + k], body.outputs[first_out + k]);
      if (!growth) continue;
      Grown one{turns.states[k], node.outputs[k], kNone, *growth};
      turns.states.erase(at(turns.states, k));
      body.inputs.erase(at(body.inputs, first_in + k));
      body.outputs.erase(at(body.outputs, first_out + k));
      node.outputs.erase(at(node.outputs, k));
      grown.push_back(std::move(one));
    }
    for (Grown& one : grown) {
      one.stack = add_value({.name = name_of(node) + "_added"});
      body.outputs.push_back(added(body, node, one.growth));
      node.outputs.push_back(one.stack);
      turns.out_axes.push_back(0);
      turns.out_reversed.push_back(0);
    }
    std::erase_if(body.nodes, [&](const Node& inner) {
      return std::ranges::any_of(grown, [&](const Grown& one) {
        return std::ranges::count(one.growth.replaced, inner.outputs[0]) > 0;
      });
    });
    return grown;
  }

  // All that a turn adds, as one value of the body: tensors joined, those of a sequence stacked.
  ValueId added(Graph& body, const Node& loop, const Growth& growth) {
    if (growth.parts.size() == 1) return growth.parts.front();
    const auto append = [&](const char* type, std::vector<ValueId> inputs, std::int64_t axis) {
      const ValueId out = body.add_value({.name = name_of(loop) + "_parts"});
      body.add_node({.op = find_op("", type),
                     .op_type = type,
                     .name = loop.name,
                     .inputs = std::move(inputs),
                     .outputs = {out},
                     .attributes = {{"axis", axis}}});
      return out;
    };
    if (!growth.is_sequence) return append("Concat", growth.parts, growth.axis);
    const ValueId list = append("SequenceConstruct", growth.parts, 0);
    const ValueId stack = append("ConcatFromSequence", {list}, 0);
    body.nodes.back().attributes.push_back({"new_axis", std::int64_t{1}});
    return stack;
  }

  // A tensor or sequence as it is after the last turn.
  void join(const Node& node, const Grown& one) {
    const auto joined = [&](ValueId value, std::int64_t axis, bool is_new) {
      const ValueId out = add_value({.name = name_of(node) + "_joined"});
      add(node, "ConcatFromSequence", {value}, {out},
          {{"axis", axis}, {"new_axis", std::int64_t{is_new}}});
      return out;
    };
    const Growth& growth = one.growth;
    ValueId stack = one.stack, begin = one.begin;
    if (!growth.is_sequence || growth.parts.size() > 1) stack = joined(stack, growth.axis, false);
    if (growth.is_sequence && is_empty(begin))
      return add(node, "Identity", {stack}, {one.result}, {});
    if (growth.is_sequence) begin = joined(begin, 0, true);
    add(node, "Concat", {begin, stack}, {one.result}, {{"axis", growth.axis}});
  }

  bool is_empty(ValueId sequence) const {
    const NodeId producer = graph_.values[sequence].producer;
    return producer != kNone && graph_.nodes[producer].op == Op::SequenceEmpty;
  }

  Expected<void> check_carried(const Turns& turns) const {
    for (const ValueId state : turns.states)
      if (is_made_sequence(graph_, state))
        return fail(
            "it carries the sequence {}, and does more with it in a turn than to put tensors at "
            "its "
            "end. Turns that are known are written out, at most 64: fix what says how many there "
            "are with --dim or --input",
            quoted(graph_.values[state].name));
    return {};
  }

  Expected<Turns> of_loop(const Node& node) const {
    SUBBYTE_TRY(Turns turns, with_body(node));
    const Graph& body = model_.graphs[turns.body];
    if (node.inputs.size() < 2)
      return fail("it has {} inputs; a Loop has two or more", node.inputs.size());
    if (body.inputs.size() != node.inputs.size() || body.outputs.size() + 1 < node.inputs.size() ||
        body.outputs.size() != node.outputs.size() + 1)
      return fail(
          "it has {} inputs and {} outputs, and its body {} and {}; the body must have as many "
          "inputs, and one output more",
          node.inputs.size(), node.outputs.size(), body.inputs.size(), body.outputs.size());
    turns.most = node.inputs[0];
    turns.begins = node.inputs[1];
    turns.states.assign(node.inputs.begin() + 2, node.inputs.end());
    if (std::ranges::find(turns.states, kNone) != turns.states.end())
      return fail("one of the values that it carries is absent");
    return turns;
  }

  Expected<Turns> of_scan(const Node& node) {
    SUBBYTE_TRY(Turns turns, with_body(node));
    const Graph& body = model_.graphs[turns.body];
    turns.is_scan = true;
    const std::int64_t given = node.int_or("num_scan_inputs", 0);
    const auto inputs = static_cast<std::int64_t>(node.inputs.size());
    if (given < 1 || given > inputs || body.inputs.size() != node.inputs.size() ||
        body.outputs.size() != node.outputs.size() ||
        static_cast<std::int64_t>(node.outputs.size()) < inputs - given ||
        std::ranges::find(node.inputs, kNone) != node.inputs.end())
      return fail(
          "it has {} inputs, {} of them to scan, and {} outputs, and its body {} and {}; the body "
          "must have as many",
          inputs, given, node.outputs.size(), body.inputs.size(), body.outputs.size());
    const auto split = node.inputs.end() - static_cast<std::ptrdiff_t>(given);
    turns.states.assign(node.inputs.begin(), split);
    turns.sliced.assign(split, node.inputs.end());
    const std::size_t outs = node.outputs.size() - turns.states.size();
    SUBBYTE_TRY(turns.axes, scan_list(node, "scan_input_axes", turns.sliced.size()));
    SUBBYTE_TRY(turns.reversed, scan_list(node, "scan_input_directions", turns.sliced.size()));
    SUBBYTE_TRY(turns.out_axes, scan_list(node, "scan_output_axes", outs));
    SUBBYTE_TRY(turns.out_reversed, scan_list(node, "scan_output_directions", outs));
    for (std::size_t i = 0; i < turns.sliced.size(); ++i) {
      const auto& shape = graph_.values[turns.sliced[i]].shape;
      if (turns.axes[i] >= 0) continue;
      if (!shape)
        return fail("the rank of its input {} is not known, and its axis is {}",
                    turns.states.size() + i, turns.axes[i]);
      turns.axes[i] += static_cast<std::int64_t>(shape->size());
    }
    // All are as long as the first.
    const ValueId dims = add_value({.name = name_of(node) + "_dims"});
    add(node, "Shape", {turns.sliced[0]}, {dims}, {});
    const ValueId axis = add_constant(node, "axis", make_int64_tensor({}, {&turns.axes[0], 1}));
    turns.most = add_value({.name = name_of(node) + "_turns"});
    add(node, "Gather", {dims, axis}, {turns.most}, {{"axis", std::int64_t{0}}});
    return turns;
  }

  Expected<Turns> with_body(const Node& node) const {
    const auto* ref = std::get_if<GraphRef>(&node.find("body")->value);
    if (ref == nullptr) return fail("its attribute 'body' is no graph");
    return Turns{.body = ref->graph};
  }

  void add_enter(const Node& node, const Turns& turns, std::vector<ValueId> outputs, ValueId turn) {
    std::vector<ValueId> inputs{turns.most, decided(node, turns.begins), around(node)};
    inputs.insert(inputs.end(), turns.states.begin(), turns.states.end());
    outputs.push_back(turn);
    add(node, "Enter", std::move(inputs), std::move(outputs), {}, "subbyte");
  }

  // The turn of the loop that a Loop was in the body of.
  ValueId around(const Node& node) const {
    const std::string_view name = node.string_or(kInTurn, "");
    const auto found = ids_.find(std::string(name));
    return name.empty() || found == ids_.end() ? kNone : found->second;
  }

  Expected<void> add_leave(const Node& node, const Turns& turns,
                           const std::vector<ValueId>& results, ValueId turn) {
    std::vector<ValueId> inputs{turn, turns.is_scan ? kNone : decided(node, results[0])};
    inputs.insert(inputs.end(), results.begin() + (turns.is_scan ? 0 : 1), results.end());
    std::vector<ValueId> outputs = node.outputs;
    const std::size_t states = turns.states.size();
    std::vector<std::pair<ValueId, std::size_t>> stacked;  // that are turned after the last turn
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const bool is_turned =
          turns.is_scan && i >= states && outputs[i] != kNone &&
          (turns.out_axes[i - states] != 0 || turns.out_reversed[i - states] != 0);
      if (outputs[i] != kNone && !is_turned) continue;
      outputs[i] = add_value({.name = fmt::format("{}_result_{}", name_of(node), i)});
      if (is_turned) stacked.emplace_back(outputs[i], i);
    }
    add(node, "Leave", std::move(inputs), std::move(outputs),
        {{"states", static_cast<std::int64_t>(states)}}, "subbyte");
    for (const auto& [value, i] : stacked) SUBBYTE_CHECK_OK(turn_around(node, turns, value, i));
    return {};
  }

  // What is stacked along a first axis, last turn first or along another axis.
  Expected<void> turn_around(const Node& node, const Turns& turns, ValueId value, std::size_t i) {
    const std::size_t k = i - turns.states.size();
    if (turns.out_reversed[k] != 0) {
      if (model_.opset < 10)
        return fail("its output {} is written backwards; opset 10 or later is needed", i);
      const auto vector = [&](const char* what, std::int64_t number) {
        return add_constant(node, what, make_int64_tensor({1}, {&number, 1}));
      };
      const ValueId back =
          turns.out_axes[k] == 0
              ? node.outputs[i]
              : add_value({.name = fmt::format("{}_reversed_{}", name_of(node), i)});
      add(node, "Slice",
          {value, vector("last", -1), vector("before_first", INT64_MIN), vector("first_axis", 0),
           vector("step", -1)},
          {back}, {});
      value = back;
    }
    if (turns.out_axes[k] == 0) return {};
    SUBBYTE_TRY(const std::int64_t rank, rank_of(value, i));
    const std::int64_t axis = turns.out_axes[k] + (turns.out_axes[k] < 0 ? rank : 0);
    if (axis < 0 || axis >= rank)
      return fail("axis {} of its output {} is out of range", turns.out_axes[k], i);
    std::vector<std::int64_t> order;
    for (std::int64_t from = 1; from < rank; ++from) order.push_back(from);
    order.insert(order.begin() + axis, 0);
    add(node, "Transpose", {value}, {node.outputs[i]}, {{"perm", std::move(order)}});
    return {};
  }

  // Of a value that nothing reads yet.
  Expected<std::int64_t> rank_of(ValueId v, std::size_t output) const {
    Model trial = model_;
    trial.main().outputs = {v};
    const std::string& name = graph_.values[v].name;
    SUBBYTE_CHECK_OK(canonicalize(trial));
    const auto& values = trial.main().values;
    const auto found = std::ranges::find(values, name, &Value::name);
    if (found == values.end() || !found->shape)
      return fail(
          "the rank of its output {} is not known, and it is stacked along another axis than the "
          "first",
          output);
    return static_cast<std::int64_t>(found->shape->size());
  }

  // A condition as an expression, or kNone where it always holds.
  ValueId decided(const Node& node, ValueId condition) {
    if (condition == kNone) return kNone;
    const Tensor* constant = graph_.constant(condition);
    if (constant != nullptr && constant->dtype == DType::boolean && constant->data.size() == 1 &&
        constant->data[0] != std::byte{0})
      return kNone;
    const std::string base = graph_.values[condition].name;
    const ValueId found = add_value({.name = fmt::format("decided({})", base)});
    const ValueId holds = add_value({.name = fmt::format("condition({})", base)});
    add(node, "Decide", {condition}, {found, holds}, {}, "subbyte");
    return holds;
  }

  ValueId slice(const Node& node, const Turns& turns, std::size_t i, ValueId turn) {
    ValueId at = turn;
    if (turns.reversed[i] != 0) {
      const std::int64_t one = 1;
      const ValueId last = add_value({.name = name_of(node) + "_last"});
      add(node, "Sub", {turns.most, add_constant(node, "one", make_int64_tensor({}, {&one, 1}))},
          {last}, {});
      at = add_value({.name = name_of(node) + "_at"});
      add(node, "Sub", {last, turn}, {at}, {});
    }
    const ValueId out = add_value({.name = name_of(node) + "_slice"});
    add(node, "Gather", {turns.sliced[i], at}, {out}, {{"axis", turns.axes[i]}});
    return out;
  }

  // The values and nodes of a body, of which `moved` says what its inputs are.
  void splice(const Graph& body, std::vector<ValueId>& moved, ValueId turn) {
    std::map<std::string, std::string> renamed;
    for (ValueId v = 0; v < body.values.size(); ++v) {
      const Value& old = body.values[v];
      if (moved[v] == kNone) {
        const bool is_captured = old.producer == kNone && !old.constant;
        if (is_captured) {
          moved[v] = ids_.at(old.name);
          continue;
        }
        Value value = old;
        value.producer = kNone;
        if (!value.constant) value.shape.reset();
        moved[v] = add_value(std::move(value));
      }
      const std::string& name = graph_.values[moved[v]].name;
      if (name != old.name) renamed.emplace(old.name, name);
    }
    for (Node node : body.nodes) {
      for (auto* list : {&node.inputs, &node.outputs})
        for (ValueId& v : *list)
          if (v != kNone) v = moved[v];
      for (Attribute& attribute : node.attributes)
        if (auto* ref = std::get_if<GraphRef>(&attribute.value)) *ref = with_names(*ref, renamed);
      if (is_onnx_loop(node))
        node.attributes.push_back({std::string(kInTurn), graph_.values[turn].name});
      graph_.add_node(std::move(node));
    }
  }

  // A graph that captures what has another name now.
  GraphRef with_names(GraphRef ref, const std::map<std::string, std::string>& renamed) {
    if (renamed.empty()) return ref;
    Graph graph = model_.graphs[ref.graph];
    std::map<std::string, std::string> inside;
    for (ValueId v = 0; v < graph.values.size(); ++v) {
      Value& value = graph.values[v];
      const bool is_captured = value.producer == kNone && !value.constant &&
                               std::ranges::find(graph.inputs, v) == graph.inputs.end();
      const auto found = is_captured ? renamed.find(value.name) : renamed.end();
      if (found == renamed.end()) continue;
      inside.insert(*found);
      value.name = found->second;
    }
    for (Node& node : graph.nodes)
      for (Attribute& attribute : node.attributes)
        if (auto* inner = std::get_if<GraphRef>(&attribute.value))
          *inner = with_names(*inner, inside);
    renamed_.push_back(std::move(graph));
    return {static_cast<GraphId>(model_.graphs.size() + renamed_.size() - 1)};
  }

  static std::string name_of(const Node& node) {
    return node.name.empty() ? node.op_type : node.name;
  }

  void add(const Node& from, const char* type, std::vector<ValueId> inputs,
           std::vector<ValueId> outputs, std::vector<Attribute> attributes,
           const char* domain = "") {
    graph_.add_node({.op = find_op(domain, type),
                     .op_type = type,
                     .domain = domain,
                     .name = from.name,
                     .inputs = std::move(inputs),
                     .outputs = std::move(outputs),
                     .attributes = std::move(attributes)});
  }

  ValueId add_constant(const Node& node, const char* what, Tensor tensor) {
    Value value{.name = name_of(node) + "_" + what, .dtype = tensor.dtype};
    value.shape.emplace();
    for (const std::int64_t dim : tensor.dims) value.shape->push_back(model_.exprs.constant(dim));
    value.constant = std::move(tensor);
    return add_value(std::move(value));
  }

  ValueId add_value(Value value) {
    const std::string base = value.name;
    for (int i = 1; !names_.insert(value.name).second; ++i)
      value.name = fmt::format("{}/{}", base, i);
    const std::string name = value.name;
    const ValueId id = graph_.add_value(std::move(value));
    ids_.emplace(name, id);
    return id;
  }

  Model& model_;
  Graph& graph_;
  std::vector<Graph> renamed_;  // to be added to the model's
  std::unordered_set<std::string> names_;
  std::unordered_map<std::string, ValueId> ids_;
};

}  // namespace

Expected<void> enter_loops(Model& model) {
  if (auto done = LoopEnterer(model).run(); !done)
    return within(quoted(model.source_name), std::move(done.error()));
  return inline_branches(model);
}

}  // namespace subbyte
