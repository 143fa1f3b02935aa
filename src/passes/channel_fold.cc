#include "passes/channel_fold.h"

#include <algorithm>
#include <cmath>

#include "graph/ops.h"
#include "reference/call.h"

namespace subbyte {
namespace {

bool all_finite(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

// The elements of a constant that differs along one axis only, of a tensor of that rank.
std::optional<std::vector<double>> channel_constant(const Graph& graph, ValueId value,
                                                    std::size_t rank, std::size_t axis) {
  const Tensor* tensor = graph.constant(value);
  if (tensor == nullptr || !is_float(tensor->dtype) || tensor->dims.size() > rank)
    return std::nullopt;
  const std::size_t missing = rank - tensor->dims.size();
  for (std::size_t i = 0; i < tensor->dims.size(); ++i)
    if (i + missing != axis && tensor->dims[i] != 1) return std::nullopt;
  auto values = reference::read_doubles(*tensor);
  if (values.empty() || !all_finite(values)) return std::nullopt;
  return values;
}

}  // namespace

bool Affine::is_identity() const {
  return std::ranges::all_of(scale, [](double s) { return s == 1; }) && !has_offset();
}

bool Affine::has_offset() const {
  return std::ranges::any_of(offset, [](double t) { return t != 0; });
}

std::optional<Affine> Affine::then(const Affine& later) const {
  const std::size_t count = std::max(scale.size(), later.scale.size());
  const auto first = over(count), second = later.over(count);
  if (!first || !second) return std::nullopt;
  Affine result;
  for (std::size_t i = 0; i < count; ++i) {
    result.scale.push_back(second->scale[i] * first->scale[i]);
    result.offset.push_back(second->scale[i] * first->offset[i] + second->offset[i]);
  }
  if (!all_finite(result.scale) || !all_finite(result.offset)) return std::nullopt;
  return result;
}

std::optional<Affine> Affine::over(std::size_t channels) const {
  if (scale.size() == channels) return *this;
  if (scale.size() != 1) return std::nullopt;
  return Affine{std::vector<double>(channels, scale[0]), std::vector<double>(channels, offset[0])};
}

std::optional<Affine> batch_normalization_affine(const Graph& graph, const Node& node) {
  std::vector<double> parameters[4];  // scale, bias, mean, variance
  for (std::size_t i = 0; i < 4; ++i) {
    auto values = channel_constant(graph, node.inputs[i + 1], 1, 0);
    if (!values || (i > 0 && values->size() != parameters[0].size())) return std::nullopt;
    parameters[i] = std::move(*values);
  }
  const double epsilon = node.float_or("epsilon", 1e-5f);
  Affine result;
  for (std::size_t c = 0; c < parameters[0].size(); ++c) {
    result.scale.push_back(parameters[0][c] / std::sqrt(parameters[3][c] + epsilon));
    result.offset.push_back(parameters[1][c] - parameters[2][c] * result.scale[c]);
  }
  if (!all_finite(result.scale) || !all_finite(result.offset)) return std::nullopt;
  return result;
}

std::optional<Affine> affine_of(const Graph& graph, const Node& node, ValueId data,
                                std::size_t rank, std::size_t axis) {
  if (node.op == Op::BatchNormalization) {
    if (node.inputs[0] != data || axis != 1) return std::nullopt;
    return batch_normalization_affine(graph, node);
  }
  if (node.op != Op::Add && node.op != Op::Sub && node.op != Op::Mul && node.op != Op::Div)
    return std::nullopt;
  const bool first = node.inputs[0] == data;
  if (node.inputs[first ? 1 : 0] == data) return std::nullopt;
  const auto values = channel_constant(graph, node.inputs[first ? 1 : 0], rank, axis);
  if (!values || (node.op == Op::Div && !first)) return std::nullopt;
  Affine result;
  for (const double v : *values) {
    const bool scales = node.op == Op::Mul || node.op == Op::Div;
    result.scale.push_back(node.op == Op::Mul             ? v
                           : node.op == Op::Div           ? 1 / v
                           : node.op == Op::Sub && !first ? -1
                                                          : 1);
    result.offset.push_back(scales ? 0 : node.op == Op::Sub && first ? -v : v);
  }
  if (!all_finite(result.scale)) return std::nullopt;
  return result;
}

}  // namespace subbyte
