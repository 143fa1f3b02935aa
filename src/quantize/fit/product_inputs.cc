#include "quantize/fit/product_inputs.h"

#include "graph/ops.h"
#include "quantize/weight_order.h"
#include "reference/convolution.h"

namespace subbyte::fit {
namespace {

using reference::Dims;

const float* floats(const Tensor& x) { return reinterpret_cast<const float*>(x.data.data()); }

// Whether the value is that matrix, its axes exchanged.
bool is_transpose_of(const Graph& graph, ValueId value, ValueId matrix) {
  if (value == kNone || graph.values[value].producer == kNone) return false;
  const Node& node = graph.nodes[graph.values[value].producer];
  return node.op == Op::Transpose && node.inputs[0] == matrix;
}

// Whether the rows of a matrix, as it is stored, are along that axis alone.
bool sums_along(const AxisOrder& order, int axis) {
  return order.k.size() == 1 && order.k.front() == axis;
}

}  // namespace

struct ProductInputs::Windows {
  reference::Convolution c;
};

std::optional<ProductInputs> ProductInputs::of(const Graph& graph, const WeightUse& use,
                                               NodeId reader) {
  const Node& node = graph.nodes[reader];
  const Tensor& weight = *graph.values[use.value].constant;
  if (node.inputs.size() < 2 || node.inputs[0] == use.value ||
      graph.constant(node.inputs[0]) != nullptr)
    return std::nullopt;
  const bool is_turned = node.op == Op::MatMul && is_transpose_of(graph, node.inputs[1], use.value);
  if (node.inputs[1] != use.value && !is_turned) return std::nullopt;
  ProductInputs inputs;
  inputs.node_ = &node;
  inputs.weight_ = &weight;
  inputs.activations_ = node.inputs[0];
  inputs.k_ = use.k;
  switch (node.op) {
    case Op::MatMul:
      if (weight.dims.size() != 2 || !sums_along(use.order, is_turned ? 1 : 0)) return std::nullopt;
      return inputs;
    case Op::Gemm:
      if (use.kind != WeightUseKind::gemm) return std::nullopt;
      inputs.along_first_ = node.int_or("transA", 0) != 0;
      return inputs;
    case Op::Conv:
      if (use.kind != WeightUseKind::conv) return std::nullopt;
      inputs.convolves_ = true;
      inputs.groups_ = node.int_or("group", 1);
      if (inputs.groups_ < 1 || use.rows % inputs.groups_ != 0) return std::nullopt;
      return inputs;
    case Op::ConvTranspose:
      if (use.kind != WeightUseKind::conv || !is_pixel_shuffle(node, weight.dims))
        return std::nullopt;
      inputs.spatial_ = static_cast<std::int64_t>(weight.dims.size());
      return inputs;
    default:
      return std::nullopt;
  }
}

std::optional<ProductInputs::Windows> ProductInputs::windows(const Tensor& x) const {
  const Tensor* const inputs[] = {&x, weight_};
  Node node = *node_;
  node.inputs.resize(2);
  auto convolution = reference::convolution_of({node, inputs, reference::kMaxTensorBytes}, false);
  if (!convolution) return std::nullopt;
  return Windows{std::move(*convolution)};
}

std::int64_t ProductInputs::places(const Tensor& x) const {
  if (x.dtype != DType::float32 || x.dims.empty() || x.elements() == 0) return 0;
  if (convolves_) {
    const auto w = windows(x);
    return w ? w->c.batch * w->c.out_size() : 0;
  }
  if (spatial_ > 0)
    return static_cast<std::int64_t>(x.dims.size()) == spatial_ && x.dims[1] == k_
               ? x.elements() / k_
               : 0;
  const std::int64_t depth = along_first_ ? x.dims.front() : x.dims.back();
  return depth == k_ ? x.elements() / k_ : 0;
}

void ProductInputs::gather_rows(const Tensor& x, std::span<const std::int64_t> chosen,
                                float* columns) const {
  const float* const from = floats(x);
  const std::size_t count = chosen.size();
  // Elements of a column lie `step` apart, columns `apart` in each of the matrices.
  std::int64_t step = 1, apart = k_, in_matrix = x.elements() / k_;
  if (along_first_) {
    step = x.dims[1];
    apart = 1;
  } else if (spatial_ > 0) {
    step = reference::product(x.dims, 2, x.dims.size());
    in_matrix = step;
    apart = 1;
  }
  for (std::size_t p = 0; p < count; ++p) {
    const float* const at =
        from + chosen[p] / in_matrix * in_matrix * k_ + chosen[p] % in_matrix * apart;
    for (std::int64_t i = 0; i < k_; ++i)
      columns[static_cast<std::size_t>(i) * count + p] = at[i * step];
  }
}

void ProductInputs::gather(const Tensor& x, std::int64_t group,
                           std::span<const std::int64_t> chosen, float* columns) const {
  if (!convolves_) {
    gather_rows(x, chosen, columns);
    return;
  }
  const auto w = windows(x);
  const reference::Convolution& c = w->c;
  const std::int64_t out_size = c.out_size(), in_size = c.in_size();
  const auto count = static_cast<std::int64_t>(chosen.size());
  Dims at(c.out.size());
  for (std::int64_t p = 0; p < count; ++p) {
    const std::int64_t place = chosen[static_cast<std::size_t>(p)];
    std::int64_t rest = place % out_size;
    for (std::size_t axis = at.size(); axis-- > 0; rest /= c.out[axis])
      at[axis] = rest % c.out[axis];
    const float* const channels =
        floats(x) + (place / out_size * c.groups + group) * c.in_channels * in_size;
    float* to = columns + p;
    reference::for_each_coordinate(c.kernel, [&](const Dims& tap) {
      std::int64_t from = 0;
      for (std::size_t axis = 0; axis < at.size() && from >= 0; ++axis) {
        const std::int64_t i = c.position(axis, at[axis], tap[axis]);
        from = i < 0 ? -1 : from * c.in[axis] + i;
      }
      for (std::int64_t channel = 0; channel < c.in_channels; ++channel, to += count)
        *to = from < 0 ? 0.0f : channels[channel * in_size + from];
    });
  }
}

}  // namespace subbyte::fit
