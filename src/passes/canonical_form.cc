#include "passes/canonical_form.h"

#include <algorithm>

#include "graph/families.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

using Numbers = std::vector<std::int64_t>;

// One node of the main graph against the form. Where the rank of its data is not known only the
// outputs are looked at.
class FormCheck {
 public:
  FormCheck(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}

  Expected<void> run() const {
    const auto absent = std::ranges::find(node_.outputs, kNone);
    if (absent != node_.outputs.end())
      return fail("its output {} has no name", absent - node_.outputs.begin());
    if (node_.op == Op::Unknown || !node_.has_input(0)) return {};
    const auto& shape = graph_.values[node_.inputs[0]].shape;
    return shape ? check(shape->size()) : Expected<void>{};
  }

 private:
  Expected<void> check(std::size_t rank) const {
    switch (node_.op) {
      case Op::ArgMax:
      case Op::ArgMin:
        SUBBYTE_CHECK_OK(integer_between("keepdims", 0, 1));
        [[fallthrough]];
      case Op::Concat:
      case Op::Gather:
      case Op::GatherElements:
      case Op::LayerNormalization:
      case Op::LogSoftmax:
      case Op::RMSNormalization:
      case Op::ScatterElements:
      case Op::Softmax:
      case Op::Split:
      case Op::TopK:
        return axis_below(rank);
      case Op::Flatten:
      case Op::OneHot:
        return axis_below(rank + 1);
      case Op::ConvInteger:
      case Op::DequantizeLinear:
      case Op::DynamicQuantizeLinear:
      case Op::MatMulInteger:
      case Op::QuantizeLinear:
      case Op::Hardmax:
      case Op::LpNormalization:
        return fail("it is not spelled out in other operators");
      case Op::CumProd:
      case Op::CumSum:
        return axes_operand(1, rank);
      case Op::Pad:
        return pads(rank);
      case Op::Resize:
        return node_.find("axes") == nullptr ? Expected<void>{} : axes_attribute("axes", rank);
      case Op::Shape:
        return shape_range(rank);
      case Op::Slice:
        return slice(rank);
      case Op::Squeeze:
        return node_.has_input(1) ? axes_operand(1, rank) : Expected<void>{};
      case Op::Transpose:
        if (const auto order = node_.ints("perm"); order && order->size() != rank)
          return fail("its perm has {} axes and its input {}", order->size(), rank);
        return axes_attribute("perm", rank);
      case Op::Unsqueeze:
        return axes_operand(1, rank + constants(1).value_or(Numbers{}).size());
      default:
        break;
    }
    switch (op_info(node_.op).infer) {
      case ShapeRule::reduce:
        SUBBYTE_CHECK_OK(integer_between("keepdims", 0, 1));
        return axes_operand(1, rank);
      case ShapeRule::conv:
      case ShapeRule::conv_transpose:
        // The kernel of weights that are computed may have sizes that are not known.
        if (node_.find("kernel_shape") == nullptr && !graph_.constant(node_.inputs[1])) return {};
        SUBBYTE_CHECK_OK(integer_between("group", 1, INT64_MAX));
        return window(rank);
      case ShapeRule::pool:
        return window(rank);
      default:
        return {};
    }
  }

  // Pads that depend on sizes that are not known are left to auto_pad.
  Expected<void> window(std::size_t rank) const {
    const std::size_t axes = rank - 2;
    SUBBYTE_CHECK_OK(has_numbers("kernel_shape", axes));
    SUBBYTE_CHECK_OK(has_numbers("strides", axes));
    if (node_.op != Op::AveragePool) SUBBYTE_CHECK_OK(has_numbers("dilations", axes));
    if (node_.find("auto_pad") != nullptr || node_.find("output_shape") != nullptr) return {};
    return has_numbers("pads", 2 * axes);
  }

  Expected<void> has_numbers(std::string_view name, std::size_t count) const {
    const auto numbers = node_.ints(name);
    if (!numbers) return fail("its {} is not said", name);
    if (numbers->size() == count) return {};
    return fail("its {} has {} elements; there must be {}", name, numbers->size(), count);
  }

  Expected<void> pads(std::size_t rank) const {
    const std::string_view mode = node_.string_or("mode", "");
    if (mode.empty()) return fail("its mode is not said");
    if (node_.has_input(3)) return fail("its pads are those of some axes; they must be of all");
    const auto& amounts = graph_.values[node_.inputs[1]].content;
    if (amounts && amounts->size() != 2 * rank)
      return fail("its pads have {} elements; for all {} axes there must be {}", amounts->size(),
                  rank, 2 * rank);
    const DType dtype = graph_.values[node_.inputs[0]].dtype;
    if (node_.has_input(2) != (mode == "constant"))
      return fail("its mode is {} and it has {} constant value", mode,
                  node_.has_input(2) ? "a" : "no");
    if (node_.has_input(2) && graph_.values[node_.inputs[2]].dtype != dtype)
      return fail("its constant value is {} and its data {}; they must have one data type",
                  dtype_name(graph_.values[node_.inputs[2]].dtype), dtype_name(dtype));
    return {};
  }

  Expected<void> shape_range(std::size_t rank) const {
    if (node_.find("start") == nullptr && node_.find("end") == nullptr) return {};
    const auto last = static_cast<std::int64_t>(rank);
    SUBBYTE_CHECK_OK(integer_between("start", 0, last));
    return integer_between("end", node_.int_or("start", 0), last);
  }

  Expected<void> slice(std::size_t rank) const {
    const Value& starts = graph_.values[node_.inputs[1]];
    if (!starts.content && !starts.constant) return {};
    SUBBYTE_CHECK_OK(axes_operand(3, rank));
    if (!node_.has_input(4)) return fail("its steps are absent");
    return {};
  }

  Expected<void> integer_between(std::string_view name, std::int64_t least,
                                 std::int64_t most) const {
    if (node_.find(name) == nullptr) return fail("its {} is not said", name);
    const std::int64_t value = node_.int_or(name, least - 1);
    if (value >= least && value <= most) return {};
    return fail("its {} is {}; it must be in [{}, {}]", name, value, least, most);
  }

  Expected<void> axis_below(std::size_t rank) const {
    return integer_between("axis", 0, static_cast<std::int64_t>(rank) - 1);
  }

  static Expected<void> axes_below(std::string_view name, std::span<const std::int64_t> axes,
                                   std::size_t rank) {
    for (const std::int64_t axis : axes)
      if (axis < 0 || axis >= static_cast<std::int64_t>(rank))
        return fail("an axis of its {} is {}; it must count from the front of {}", name, axis,
                    rank);
    return {};
  }

  Expected<void> axes_attribute(std::string_view name, std::size_t rank) const {
    const auto axes = node_.ints(name);
    if (!axes) return fail("its {} is not said", name);
    return axes_below(name, *axes, rank);
  }

  std::optional<Numbers> constants(std::size_t input) const {
    const Tensor* tensor = node_.has_input(input) ? graph_.constant(node_.inputs[input]) : nullptr;
    return tensor == nullptr ? std::nullopt : integer_values(*tensor);
  }

  Expected<void> axes_operand(std::size_t input, std::size_t rank) const {
    const auto axes = constants(input);
    if (!axes) return fail("its axes, input {}, are no constant", input);
    return axes_below("axes", *axes, rank);
  }

  const Graph& graph_;
  const Node& node_;
};

}  // namespace

bool is_canonical(const Graph& graph, const Node& node) {
  return FormCheck(graph, node).run().has_value();
}

Expected<void> check_canonical(const Model& model) {
  const Graph& graph = model.main();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (auto done = FormCheck(graph, graph.nodes[n]).run(); !done)
      return within(describe(graph, static_cast<NodeId>(n)), std::move(done.error()));
  }
  return {};
}

}  // namespace subbyte
