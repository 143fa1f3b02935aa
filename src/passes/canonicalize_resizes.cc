// Upsample and the older forms of Resize.
#include <algorithm>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "passes/canonicalize_rules.h"

namespace subbyte {
namespace {

void set_string(Node& node, std::string_view name, std::string value) {
  remove_attribute(node, name);
  node.attributes.push_back({std::string(name), std::move(value)});
}

Expected<ValueId> scales_of_upsample(ConstantMaker& make, Node& node) {
  if (const Attribute* attribute = node.find("scales")) {
    const auto* values = std::get_if<std::vector<float>>(&attribute->value);
    if (values == nullptr) return fail("its attribute 'scales' must be a list of floats");
    const auto* bytes = reinterpret_cast<const std::byte*>(values->data());
    const ValueId scales =
        make.add(node, "scales",
                 make_tensor(DType::float32, {static_cast<std::int64_t>(values->size())},
                             {bytes, bytes + values->size() * sizeof(float)}));
    remove_attribute(node, "scales");
    return scales;
  }
  if (node.has_input(1)) return node.inputs[1];
  return fail("its scales are missing");
}

// Before opset 11 the element before a place counted as the nearest to it when scaling up, the one
// after it when scaling down.
Expected<std::string> nearest_mode(const Graph& graph, ValueId scales) {
  const Tensor* known = graph.constant(scales);
  if (known == nullptr || !is_float(known->dtype)) return "floor";
  std::vector<float> values(static_cast<std::size_t>(known->elements()));
  read_floats(*known, 0, known->elements(), values.data());
  const bool down = std::ranges::any_of(values, [](float scale) { return scale < 1; });
  const bool up = std::ranges::any_of(values, [](float scale) { return scale > 1; });
  if (down && up)
    return fail(
        "it scales one axis up and another down, to the nearest element; export the model "
        "with opset 11 or later, which says what that is");
  return down ? "ceil" : "floor";
}

// Upsample, and Resize of opset 10: inputs X and scales, and coordinates that start at the edge.
Expected<void> to_resize(ConstantMaker& make, const Graph& graph, Node& node) {
  SUBBYTE_TRY(const ValueId scales, scales_of_upsample(make, node));
  const bool picks = node.string_or("mode", "nearest") == "nearest";
  if (picks && graph.constant(scales) == nullptr) set_attribute(node, kOnlyLarger, std::int64_t{1});
  std::string nearest = "floor";
  if (picks) {
    SUBBYTE_TRY(nearest, nearest_mode(graph, scales));
  }
  node.inputs.resize(1);
  set_input(node, 2, scales);
  node.op_type = "Resize";
  node.op = Op::Resize;
  set_string(node, "coordinate_transformation_mode", "asymmetric");
  if (picks) set_string(node, "nearest_mode", std::move(nearest));
  return {};
}

// roi, scales and sizes that are not meant were empty tensors once; one that nothing looks at is
// absent too.
void drop_empty_inputs(const Graph& graph, Node& node) {
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const Tensor* given = graph.constant(node.inputs[i]);
    if (given != nullptr && given->elements() == 0) node.inputs[i] = kNone;
  }
  const bool crops =
      node.string_or("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize";
  const bool has_both = node.int_or(kScalesAsRoi, 0) != 0;
  if (!crops && !has_both && node.has_input(1)) node.inputs[1] = kNone;
  while (node.inputs.size() > 1 && node.inputs.back() == kNone) node.inputs.pop_back();
}

// floor((x + 0.5) / scale) is the nearest to (x + 0.5) / scale - 0.5, halves rounded up.
void replace_half_pixel_for_nearest(Node& node) {
  if (node.string_or("coordinate_transformation_mode", "") != "tf_half_pixel_for_nn" ||
      node.string_or("mode", "nearest") != "nearest" ||
      node.string_or("nearest_mode", "") != "floor")
    return;
  set_string(node, "coordinate_transformation_mode", "half_pixel");
  set_string(node, "nearest_mode", "round_prefer_ceil");
}

}  // namespace

Expected<void> canonicalize_resizes(Model& model, Graph& graph) {
  ConstantMaker make(model.exprs, graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    if (node.op != Op::Resize && node.op != Op::Upsample) continue;
    const bool is_old = model.opset < (node.op == Op::Resize ? 11 : 10);
    if (is_old) {
      if (auto done = to_resize(make, graph, node); !done)
        return within(describe(graph, static_cast<NodeId>(n)), std::move(done.error()));
    }
    if (node.op != Op::Resize) continue;
    drop_empty_inputs(graph, node);
    replace_half_pixel_for_nearest(node);
  }
  return {};
}

}  // namespace subbyte
