// A loop that takes the elements of a tensor one by one and puts each into a sequence as often as
// another tensor says, as PyTorch exports repeat_interleave: the places that its elements are
// repeated from are computed, and one Gather takes them.
#include <algorithm>
#include <optional>
#include <string>

#include "graph/arithmetic.h"
#include "graph/ops.h"
#include "passes/body_splicer.h"
#include "passes/canonicalize_rules.h"
#include "passes/compact.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

// What is repeated along an axis, how often each element, and the sizes that it has before.
struct Repeats {
  ValueId data = kNone, counts = kNone;
  std::int64_t axis = 0;
  std::vector<std::int64_t> sizes{};  // 1 along the axis, and where they are the data's
};

const Node* producer_of(const Graph& graph, ValueId value, Op op) {
  const NodeId node = value == kNone ? kNone : graph.values[value].producer;
  return node == kNone || graph.nodes[node].op != op ? nullptr : &graph.nodes[node];
}

// Whether it is one 1, or as many of them as there are elements of something.
bool is_ones(const Graph& graph, ValueId value) {
  const Tensor* numbers = graph.constant(value);
  if (const Node* filled = producer_of(graph, value, Op::ConstantOfShape))
    numbers = filled->tensor("value");
  const auto values = numbers == nullptr ? std::nullopt : integer_values(*numbers);
  return values && !values->empty() &&
         std::ranges::all_of(*values, [](std::int64_t one) { return one == 1; });
}

// The body of a Loop and the graph around it.
class RepeatsFinder {
 public:
  RepeatsFinder(const Graph& graph, const Graph& body) : graph_(graph), body_(body) {}

  std::optional<Repeats> find() const {
    if (body_.inputs.size() != 3 || body_.outputs.size() != 2 || !goes_on(body_.outputs[0]))
      return std::nullopt;
    const Node* insert = producer_of(body_, body_.outputs[1], Op::SequenceInsert);
    if (insert == nullptr || insert->has_input(2) || insert->inputs[0] != body_.inputs[2])
      return std::nullopt;
    const Node* reshape = producer_of(body_, insert->inputs[1], Op::Reshape);
    const Node* expand =
        reshape == nullptr ? nullptr : producer_of(body_, reshape->inputs[0], Op::Expand);
    const Node* apart =
        expand == nullptr ? nullptr : producer_of(body_, expand->inputs[0], Op::Unsqueeze);
    const Node* sizes = expand == nullptr
                            ? nullptr
                            : producer_of(body_, without_minus(expand->inputs[1]), Op::Concat);
    if (apart == nullptr || sizes == nullptr || apart->inputs.size() != 2) return std::nullopt;
    const auto target = numbers(reshape->inputs[1]), axis = numbers(apart->inputs[1]);
    if (!target || !axis || axis->size() != 1) return std::nullopt;

    Repeats found;
    found.axis = axis->front() - 1;
    const auto place = static_cast<std::size_t>(axis->front());
    std::vector<std::int64_t> wide;  // the sizes, the number of repeats being one of them
    for (const ValueId part : sizes->inputs) {
      if (const auto known = numbers(part)) {
        wide.insert(wide.end(), known->begin(), known->end());
      } else if (found.counts == kNone && wide.size() == place) {
        found.counts = single(part, 0);
        wide.push_back(1);
      } else {
        return std::nullopt;
      }
    }
    found.data = found.counts == kNone ? kNone : single(apart->inputs[0], found.axis);
    if (found.data == kNone || place == 0 || wide.size() != target->size() + 1 ||
        wide[place - 1] > 1)
      return std::nullopt;
    for (std::size_t i = 0; i < target->size(); ++i) {
      const std::int64_t size = wide[i < place ? i : i + 1];
      const std::int64_t wanted = i + 1 == place ? -1 : size;
      if ((*target)[i] != wanted || size == 0) return std::nullopt;
      found.sizes.push_back(std::max<std::int64_t>(size, 1));
    }
    return found;
  }

 private:
  // The value of the graph around; kNone where the body has its own.
  ValueId around(ValueId v) const {
    const Value& value = body_.values[v];
    if (!is_captured(value) || std::ranges::find(body_.inputs, v) != body_.inputs.end())
      return kNone;
    const auto found = std::ranges::find(graph_.values, value.name, &Value::name);
    return found == graph_.values.end() ? kNone
                                        : static_cast<ValueId>(found - graph_.values.begin());
  }

  const Tensor* constant(ValueId v) const {
    if (const Tensor* own = body_.constant(v)) return own;
    const ValueId outer = around(v);
    return outer == kNone ? nullptr : graph_.constant(outer);
  }

  std::optional<std::vector<std::int64_t>> numbers(ValueId v) const {
    const Tensor* tensor = constant(v);
    return tensor == nullptr ? std::nullopt : integer_values(*tensor);
  }

  bool goes_on(ValueId v) const {
    for (const Op op : {Op::Cast, Op::Identity})
      if (const Node* node = producer_of(body_, v, op)) return goes_on(node->inputs[0]);
    if (v == body_.inputs[1]) return true;
    const Tensor* known = constant(v);
    return known != nullptr && known->dtype == DType::boolean && known->data.size() == 1 &&
           known->data[0] != std::byte{0};
  }

  // Where(shape == -1, 1, shape), which PyTorch puts before an Expand.
  ValueId without_minus(ValueId v) const {
    const Node* where = producer_of(body_, v, Op::Where);
    const Node* equal =
        where == nullptr ? nullptr : producer_of(body_, where->inputs[0], Op::Equal);
    const bool is_it = equal != nullptr && equal->inputs[0] == where->inputs[2] &&
                       is_ones(body_, where->inputs[1]) && is_minus_ones(equal->inputs[1]);
    return is_it ? where->inputs[2] : v;
  }

  bool is_minus_ones(ValueId v) const {
    if (const Node* product = producer_of(body_, v, Op::Mul))
      return is_ones(body_, product->inputs[0]) && is_minus_ones(product->inputs[1]);
    const auto known = numbers(v);
    return known && std::ranges::all_of(*known, [](std::int64_t one) { return one == -1; });
  }

  // What a value is the element of, whose number is the turn and which keeps its axis.
  ValueId single(ValueId v, std::int64_t axis) const {
    const Node* at = producer_of(body_, v, Op::SequenceAt);
    if (at == nullptr || at->inputs[1] != body_.inputs[0]) return kNone;
    const Node* split = producer_of(graph_, around(at->inputs[0]), Op::SplitToSequence);
    if (split == nullptr || split->int_or("axis", 0) != axis) return kNone;
    const bool keeps =
        split->has_input(1) ? is_ones(graph_, split->inputs[1]) : split->int_or("keepdims", 1) != 0;
    return keeps ? split->inputs[0] : kNone;
  }

  const Graph& graph_;
  const Graph& body_;
};

// One graph whose nodes are written anew.
class RepeatsLifter {
 public:
  RepeatsLifter(Model& model, GraphId graph)
      : model_(model), graph_(model.graphs[graph]), constants_(model.exprs, graph_) {}

  void run() {
    std::vector<std::optional<Repeats>> found(graph_.nodes.size());
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) found[n] = lifted(graph_.nodes[n]);
    if (std::ranges::none_of(found, [](const auto& one) { return one.has_value(); })) return;
    std::vector<Node> nodes = std::exchange(graph_.nodes, {});
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      if (found[n])
        repeat(nodes[n], *found[n], most_of(nodes, nodes[n].inputs[0]));
      else
        graph_.add_node(std::move(nodes[n]));
    }
    drop_loops();
  }

 private:
  // Those that nothing reads any more.
  void drop_loops() {
    const auto is_read = [&](ValueId v) {
      return v != kNone && count_readers(model_, graph_, v) > 0;
    };
    std::vector<bool> keep;
    for (const Node& node : graph_.nodes)
      keep.push_back(node.op_type != "Loop" || std::ranges::any_of(node.outputs, is_read));
    compact(graph_, keep, std::vector<bool>(graph_.values.size(), true));
  }

  static ValueId most_of(const std::vector<Node>& nodes, ValueId list) {
    const auto loop = std::ranges::find_if(
        nodes, [&](const Node& node) { return std::ranges::count(node.outputs, list) > 0; });
    return loop == nodes.end() || !loop->has_input(0) ? kNone : loop->inputs[0];
  }

  // Of a node that joins what such a loop puts into a sequence.
  std::optional<Repeats> lifted(const Node& node) const {
    if (node.op != Op::ConcatFromSequence || node.int_or("new_axis", 0) != 0) return std::nullopt;
    const NodeId producer = graph_.values[node.inputs[0]].producer;
    if (producer == kNone) return std::nullopt;
    const Node& loop = graph_.nodes[producer];
    const Attribute* body = loop.op_type == "Loop" ? loop.find("body") : nullptr;
    const auto* ref = body == nullptr ? nullptr : std::get_if<GraphRef>(&body->value);
    if (ref == nullptr || loop.inputs.size() != 3 || !begins(loop) ||
        producer_of(graph_, loop.inputs[2], Op::SequenceEmpty) == nullptr)
      return std::nullopt;
    const auto repeats = RepeatsFinder(graph_, model_.graphs[ref->graph]).find();
    return repeats && repeats->axis == node.int_or("axis", 0) ? repeats : std::nullopt;
  }

  bool begins(const Node& loop) const {
    if (!loop.has_input(1)) return true;
    const Tensor* condition = graph_.constant(loop.inputs[1]);
    return condition != nullptr && condition->data.size() == 1 &&
           condition->data[0] != std::byte{0};
  }

  // Each element begins where those before it end. A mark at each end, so that as many marks as
  // there are at or before a place is the element that is there.
  void repeat(const Node& node, const Repeats& repeats, ValueId turns) {
    const ValueId zero = ints(node, "zero", {0});
    ValueId counts = repeats.counts;
    if (turns != kNone) {
      const ValueId count = add(node, "Reshape", "turns", {turns, ints(node, "one", {1})});
      counts = add(node, "Slice", "counts", {counts, zero, count, zero});
    }
    const std::int64_t first = 0;
    const ValueId axis = constants_.add(node, "axis", make_int64_tensor({}, {&first, 1}));
    const ValueId ends = add(node, "CumSum", "ends", {counts, axis});
    const ValueId total = add(node, "ReduceSum", "total", {counts});
    const ValueId room = add(node, "Add", "room", {total, ints(node, "end", {1})});
    const std::int64_t none = 0, mark = 1;
    const ValueId empty = add(node, "ConstantOfShape", "unmarked", {room},
                              {{"value", make_int64_tensor({1}, {&none, 1})}});
    const ValueId size = add(node, "Shape", "size", {ends});
    const ValueId marks = add(node, "ConstantOfShape", "marks", {size},
                              {{"value", make_int64_tensor({1}, {&mark, 1})}});
    const ValueId marked = add(node, "ScatterElements", "marked", {empty, ends, marks},
                               {{"axis", std::int64_t{0}}, {"reduction", std::string("add")}});
    const ValueId passed = add(node, "CumSum", "passed", {marked, axis});
    const ValueId places = add(node, "Slice", "places", {passed, zero, total, zero});
    const ValueId sizes = constants_.add_int64s(node, "sizes", repeats.sizes);
    const ValueId data = add(node, "Expand", "data", {repeats.data, sizes});
    append(node, "Gather", {data, places}, node.outputs[0], {{"axis", repeats.axis}});
  }

  ValueId ints(const Node& node, std::string_view what, std::vector<std::int64_t> values) {
    return constants_.add_int64s(node, what, values);
  }

  ValueId add(const Node& from, const char* type, std::string_view what,
              std::vector<ValueId> inputs, std::vector<Attribute> attributes = {}) {
    const ValueId out = constants_.add_value(from, what);
    append(from, type, std::move(inputs), out, std::move(attributes));
    return out;
  }

  void append(const Node& from, const char* type, std::vector<ValueId> inputs, ValueId output,
              std::vector<Attribute> attributes) {
    graph_.add_node({.op = find_op("", type),
                     .op_type = type,
                     .name = from.name,
                     .inputs = std::move(inputs),
                     .outputs = {output},
                     .attributes = std::move(attributes)});
  }

  Model& model_;
  Graph& graph_;
  ConstantMaker constants_;
};

}  // namespace

void lift_repeats(Model& model) {
  if (model.opset < 10) return;  // a Slice had no operands
  for (GraphId g = 0; g < model.graphs.size(); ++g) RepeatsLifter(model, g).run();
}

}  // namespace subbyte
