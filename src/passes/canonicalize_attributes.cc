// Attributes of older operator sets that are inputs in opset 18.
#include <algorithm>

#include "graph/ops.h"
#include "passes/canonicalize_rules.h"
#include "reference/element.h"

namespace subbyte {
namespace {

// The opset from which an operator has its axes as its second input.
std::int64_t axes_are_input_since(std::string_view op_type) {
  if (op_type == "Squeeze" || op_type == "Unsqueeze" || op_type == "ReduceSum") return 13;
  if (op_type.starts_with("Reduce")) return 18;
  return 0;
}

Expected<void> axes_to_input(ConstantMaker& make, Node& node) {
  const auto axes = node.ints("axes");
  if (!axes) {
    if (node.op_type != "Unsqueeze") return {};
    return fail("its attribute 'axes' is missing");
  }
  set_input(node, 1, make.add_int64s(node, "axes", *axes));
  remove_attribute(node, "axes");
  return {};
}

Expected<void> slice_to_inputs(ConstantMaker& make, Node& node) {
  constexpr std::string_view kNames[] = {"starts", "ends", "axes"};
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    const auto values = node.ints(kNames[i]);
    if (!values && kNames[i] != "axes") {
      return fail("its attribute '{}' is missing", kNames[i]);
    }
    if (!values) continue;
    set_input(node, i + 1, make.add_int64s(node, kNames[i], *values));
    remove_attribute(node, kNames[i]);
  }
  return {};
}

void split_to_input(ConstantMaker& make, Node& node) {
  if (const auto sizes = node.ints("split")) {
    set_input(node, 1, make.add_int64s(node, "split", *sizes));
    remove_attribute(node, "split");
  } else if (!node.has_input(1) && node.find("num_outputs") == nullptr) {
    // Opset 18 wants one of the two.
    node.attributes.push_back({"num_outputs", static_cast<std::int64_t>(node.outputs.size())});
  }
}

void dropout_to_input(ConstantMaker& make, Node& node) {
  if (node.find("ratio") == nullptr) return;
  set_input(node, 1,
            make.add(node, "ratio",
                     reference::scalar_from(DType::float32, node.float_or("ratio", 0.5f))));
  remove_attribute(node, "ratio");
}

Expected<void> pad_to_inputs(ConstantMaker& make, Node& node) {
  const auto pads = node.ints("pads");
  if (!pads) return fail("its attribute 'pads' is missing");
  set_input(node, 1, make.add_int64s(node, "pads", *pads));
  // The value stays until the type of the data is known: canonicalize_forms().
  remove_attribute(node, "pads");
  return {};
}

Expected<void> top_k_to_input(ConstantMaker& make, Node& node) {
  if (node.find("k") == nullptr) return fail("its attribute 'k' is missing");
  const std::int64_t k = node.int_or("k", 0);
  set_input(node, 1, make.add_int64s(node, "k", std::span(&k, 1)));
  remove_attribute(node, "k");
  return {};
}

Expected<void> canonicalize_node(ConstantMaker& make, Node& node, std::int64_t opset) {
  if (opset < axes_are_input_since(node.op_type)) return axes_to_input(make, node);
  if (node.op_type == "Slice" && opset < 10) return slice_to_inputs(make, node);
  if (node.op_type == "Split" && opset < 18) split_to_input(make, node);
  if (node.op_type == "TopK" && opset < 10) return top_k_to_input(make, node);
  if (node.op_type == "Dropout" && opset < 12) dropout_to_input(make, node);
  if (node.op_type == "Pad" && opset < 11) return pad_to_inputs(make, node);
  if (node.op_type == "Scatter") {
    node.op_type = "ScatterElements";
    node.op = Op::ScatterElements;
  }
  return {};
}

}  // namespace

Expected<void> canonicalize_attributes(Model& model, Graph& graph) {
  SUBBYTE_CHECK_OK(canonicalize_resizes(model, graph));
  ConstantMaker make(model.exprs, graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!graph.nodes[n].domain.empty()) continue;
    if (auto done = canonicalize_node(make, graph.nodes[n], model.opset); !done) {
      return within(describe(graph, static_cast<NodeId>(n)), std::move(done.error()));
    }
  }
  return {};
}

}  // namespace subbyte
