#include "passes/constant_origin.h"

#include <algorithm>

#include "graph/ops.h"

namespace subbyte {

void add_alias(Value& to, const std::string& name) {
  if (name != to.name && std::ranges::find(to.aliases, name) == to.aliases.end())
    to.aliases.push_back(name);
}

namespace {

// The axes of a tensor in row-major order, each of them whole in one of the new dims; nullopt where
// a new dim would take a part of one.
std::optional<std::vector<std::vector<int>>> regrouped(const SourceForm& from,
                                                       const std::vector<std::int64_t>& dims) {
  std::vector<int> order;
  for (const auto& group : from.axes) order.insert(order.end(), group.begin(), group.end());
  std::vector<std::vector<int>> axes(dims.size());
  std::size_t next = 0;
  const auto size = [&](std::size_t i) { return from.dims[static_cast<std::size_t>(order[i])]; };
  for (std::size_t d = 0; d < dims.size(); ++d) {
    std::int64_t product = 1;
    while (product < dims[d] && next < order.size()) {
      product *= size(next);
      axes[d].push_back(order[next++]);
    }
    if (product != dims[d]) return std::nullopt;
  }
  for (; next < order.size(); ++next) {
    if (size(next) != 1 || axes.empty()) return std::nullopt;
    axes.back().push_back(order[next]);
  }
  return axes;
}

}  // namespace

std::optional<SourceForm> source_behind(const Graph& graph, const Node& node,
                                        bool input_was_folded) {
  const Value& from = graph.values[node.inputs[0]];
  if (input_was_folded && !from.source) return std::nullopt;
  SourceForm form;
  if (input_was_folded) {
    form = *from.source;
  } else {
    form = {from.name, from.constant->dims, {}};
    for (std::size_t i = 0; i < form.dims.size(); ++i) form.axes.push_back({static_cast<int>(i)});
  }
  if (node.op == Op::Transpose) {
    const auto permutation = node.ints("perm");
    if (!permutation || permutation->size() != form.axes.size()) return std::nullopt;
    std::vector<std::vector<int>> axes;
    for (const std::int64_t axis : *permutation)
      axes.push_back(form.axes[static_cast<std::size_t>(axis)]);
    form.axes = std::move(axes);
    return form;
  }
  auto axes = regrouped(form, graph.values[node.outputs[0]].constant->dims);
  if (!axes) return std::nullopt;
  form.axes = std::move(*axes);
  return form;
}

void inherit_origin(Value& to, const Value& from) {
  add_alias(to, from.name);
  for (const std::string& name : from.aliases) add_alias(to, name);
  to.is_defined = to.is_defined || from.is_defined;
}

}  // namespace subbyte
