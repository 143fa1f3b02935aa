#include "passes/pattern.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "graph/ops.h"

namespace subbyte {
namespace {

// Patterns are small, and graphs that make more than a few orders look right were made to do so.
constexpr int kMostSteps = 2000;

// How far rounding to a dtype moves a number at most, relative to it.
double rounding(DType dtype) {
  switch (dtype) {
    case DType::bfloat16:
      return 0x1p-8;
    case DType::float16:
      return 0x1p-11;
    default:
      return 0;
  }
}

bool is_number(const Tensor* tensor, const Pattern& pattern) {
  if (tensor == nullptr || tensor->elements() != 1) return false;
  double found = 0;
  if (is_float(tensor->dtype)) {
    float single = 0;
    read_floats(*tensor, 0, 1, &single);
    found = static_cast<double>(single);
  } else if (const auto integers = integer_values(*tensor)) {
    found = static_cast<double>(integers->front());
  } else {
    return false;
  }
  const double tolerance =
      pattern.tolerance == 0 ? 0 : std::max(pattern.tolerance, rounding(tensor->dtype));
  return std::fabs(found - pattern.value) <= tolerance * std::fabs(pattern.value);
}

// Bit i: part i of a product.
using Factors = std::uint32_t;

// What is still to be matched, as a list that branches of the search share.
struct Goal {
  const Pattern& pattern;
  ValueId value;
  const Goal* next;
  Factors factors = 0;  // of a product: those that remain, 0 for all
};

class Matcher {
 public:
  Matcher(const Graph& graph, Match& found) : graph_(graph), found_(found) {}

  // Meets the goal and all behind it, or leaves the match as it was.
  bool meet(const Goal* goal) {
    if (goal == nullptr) return true;
    if (++steps_ > kMostSteps || goal->value == kNone) return false;
    const std::size_t values = found_.values.size(), nodes = found_.nodes.size();
    if (meet_kind(*goal)) return true;
    found_.values.resize(values);
    found_.nodes.resize(nodes);
    return false;
  }

 private:
  bool meet_kind(const Goal& goal) {
    const Pattern& pattern = goal.pattern;
    const Tensor* constant = graph_.constant(goal.value);
    switch (pattern.kind) {
      case Pattern::Kind::any:
        return bind(goal) && meet(goal.next);
      case Pattern::Kind::scalar:
        return constant != nullptr && is_float(constant->dtype) && constant->elements() == 1 &&
               bind(goal) && meet(goal.next);
      case Pattern::Kind::number:
        return is_number(constant, pattern) && meet(goal.next);
      case Pattern::Kind::node:
        return meet_node(goal);
      case Pattern::Kind::product:
        return meet_product(goal);
      case Pattern::Kind::either:
        return std::ranges::any_of(pattern.parts, [&](const Pattern& alternative) {
          const Goal chosen{alternative, goal.value, goal.next};
          return meet(&chosen);
        });
    }
    return false;
  }

  bool bind(const Goal& goal) {
    const std::string_view name = goal.pattern.name;
    if (name.empty()) return true;
    if (const ValueId bound = found_[name]; bound != kNone) return bound == goal.value;
    found_.values.emplace_back(name, goal.value);
    return true;
  }

  // The node of that operator that computes the value, or nullptr.
  const Node* producer(ValueId value, Op op) {
    const NodeId id = graph_.values[value].producer;
    if (id == kNone) return nullptr;
    const Node& node = graph_.nodes[id];
    if (node.op != op || node.outputs.size() != 1) return nullptr;
    found_.nodes.push_back(id);
    return &node;
  }

  bool meet_node(const Goal& goal) {
    const Pattern& pattern = goal.pattern;
    const Node* node = producer(goal.value, pattern.op);
    if (node == nullptr || node->inputs.size() < pattern.parts.size() || !bind(goal)) return false;
    if (meet_inputs(goal, node->inputs, pattern.parts.size())) return true;
    if (pattern.op != Op::Add && pattern.op != Op::Mul) return false;
    const ValueId swapped[] = {node->inputs[1], node->inputs[0]};
    return swapped[0] != swapped[1] && meet_inputs(goal, swapped, pattern.parts.size());
  }

  bool meet_inputs(const Goal& goal, std::span<const ValueId> inputs, std::size_t count) {
    std::vector<Goal> goals;
    goals.reserve(count);  // goals point to each other
    const Goal* next = goal.next;
    for (std::size_t i = count; i-- > 0;) {
      goals.push_back(Goal{goal.pattern.parts[i], inputs[i], next});
      next = &goals.back();
    }
    return meet(next);
  }

  bool meet_product(const Goal& goal) {
    const Pattern& pattern = goal.pattern;
    const Factors all = goal.factors != 0 ? goal.factors : (Factors{1} << pattern.parts.size()) - 1;
    if (std::has_single_bit(all)) {
      const auto factor = static_cast<std::size_t>(std::countr_zero(all));
      const Goal last{pattern.parts[factor], goal.value, goal.next};
      return meet(&last);
    }
    const Node* node = producer(goal.value, Op::Mul);
    if (node == nullptr) return false;
    for (Factors left = (all - 1) & all; left != 0; left = (left - 1) & all) {
      const Goal right{pattern, node->inputs[1], goal.next, all & ~left};
      const Goal both{pattern, node->inputs[0], &right, left};
      if (meet(&both)) return true;
    }
    return false;
  }

  const Graph& graph_;
  Match& found_;
  int steps_ = 0;
};

}  // namespace

Pattern any(std::string_view name) { return {.kind = Pattern::Kind::any, .name = name}; }

Pattern scalar(std::string_view name) { return {.kind = Pattern::Kind::scalar, .name = name}; }

Pattern number(double value, double tolerance) {
  return {.kind = Pattern::Kind::number, .value = value, .tolerance = tolerance};
}

Pattern node(Op op, std::vector<Pattern> inputs, std::string_view name) {
  return {.kind = Pattern::Kind::node, .name = name, .op = op, .parts = std::move(inputs)};
}

Pattern product(std::vector<Pattern> factors) {
  return {.kind = Pattern::Kind::product, .parts = std::move(factors)};
}

Pattern either(std::vector<Pattern> alternatives) {
  return {.kind = Pattern::Kind::either, .parts = std::move(alternatives)};
}

ValueId Match::operator[](std::string_view name) const {
  for (const auto& [bound, value] : values)
    if (bound == name) return value;
  return kNone;
}

std::optional<Match> match(const Graph& graph, const Pattern& pattern, NodeId root) {
  if (graph.nodes[root].outputs.size() != 1 || graph.nodes[root].outputs[0] == kNone)
    return std::nullopt;
  Match found{.root = root};
  const Goal goal{pattern, graph.nodes[root].outputs[0], nullptr};
  if (!Matcher(graph, found).meet(&goal)) return std::nullopt;
  std::ranges::sort(found.nodes);
  found.nodes.erase(std::unique(found.nodes.begin(), found.nodes.end()), found.nodes.end());
  return found;
}

bool is_private(const Graph& graph, const Uses& uses, const Match& match) {
  return std::ranges::all_of(match.nodes, [&](NodeId id) {
    if (id == match.root) return true;
    const ValueId value = graph.nodes[id].outputs[0];
    return uses.outputs[value] == 0 && std::ranges::all_of(uses.readers[value], [&](NodeId reader) {
             return std::ranges::binary_search(match.nodes, reader);
           });
  });
}

}  // namespace subbyte
