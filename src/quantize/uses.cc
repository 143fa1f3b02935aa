#include "quantize/uses.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "graph/ops.h"
#include "quantize/name_structure.h"
#include "quantize/structure.h"
#include "quantize/trained.h"
#include "quantize/weight_order.h"

namespace subbyte {

namespace {

struct Reading {
  WeightUseKind kind = WeightUseKind::other;
  AxisOrder order;
};

AxisOrder one_row(std::size_t rank) {
  AxisOrder order;
  order.k.resize(rank);
  std::iota(order.k.begin(), order.k.end(), 0);
  return order;
}

bool swaps_two_axes(const Node& node) {
  if (node.op != Op::Transpose) return false;
  const auto permutation = node.ints("perm");
  return !permutation || (permutation->size() == 2 && (*permutation)[0] == 1);
}

// How the matrix axes of a 2-D weight are read: `k_axis` is the one that the product sums over.
Reading matrix(WeightUseKind kind, int k_axis) { return {kind, AxisOrder{{1 - k_axis}, {k_axis}}}; }

// `transposed`: the reader sees the weight through a transpose.
Reading reading(const Node& node, std::size_t input, const std::vector<std::int64_t>& dims,
                bool transposed) {
  const std::size_t rank = dims.size();
  if (rank >= 3 && input == 1 && !transposed) {
    if (node.op == Op::Conv) return {WeightUseKind::conv, conv_weight_order(rank)};
    if (node.op == Op::ConvTranspose)
      return {WeightUseKind::conv, conv_transpose_weight_order(node, dims)};
  }
  if (rank == 2 && input == 1 && node.op == Op::MatMul)
    return matrix(WeightUseKind::matmul, transposed ? 1 : 0);
  if (rank == 2 && input == 1 && node.op == Op::Gemm) {
    const bool k_last = (node.int_or("transB", 0) != 0) != transposed;
    return matrix(WeightUseKind::gemm, k_last ? 1 : 0);
  }
  if (node.op == Op::Gather && input == 0 && rank >= 2 && !transposed) {
    if (const std::int64_t axis = node.int_or("axis", 0);
        axis == 0 || axis == -static_cast<std::int64_t>(rank)) {
      AxisOrder order = one_row(rank);
      order.rows = {0};
      order.k.erase(order.k.begin());
      return {WeightUseKind::embedding, order};
    }
  }
  return {};
}

class Finder {
 public:
  explicit Finder(const Model& model)
      : graph_(model.main()),
        uses_(find_uses(graph_)),
        trained_(model, uses_, [this](ValueId v) { return moments_of(v); }) {}

  std::vector<WeightUse> run() {
    std::vector<NodeId> readers;
    for (ValueId v = 0; v < graph_.values.size(); ++v) {
      const Value& value = graph_.values[v];
      if (!value.constant || !is_float(value.dtype) || value.constant->elements() <= 1) continue;
      if (uses_.count(v) == 0) continue;
      const auto [how, reader] = first_reading(v, value.constant->dims, false, 0);
      index_[v] = found_.size();
      found_.push_back(describe_use(v, how));
      readers.push_back(reader);
    }
    for (std::size_t i = 0; i < found_.size(); ++i) judge(found_[i], readers[i]);
    find_structure(graph_, readers, found_);
    name_structure(graph_, readers, found_);
    return std::move(found_);
  }

 private:
  // Whether the use is of a trained operand, and of which kind where it is no matrix.
  void judge(WeightUse& use, NodeId reader) const {
    if (is_matrix(use.kind)) {
      if (!trained_.trains_matrix(use.value, reader)) use.kind = WeightUseKind::other;
      return;
    }
    const auto taken = trained_.taken_for(use.value);
    use.kind = taken.kind;
    use.beside = taken.beside;
  }

  Moments moments_of(ValueId v) const {
    const auto it = index_.find(v);
    if (it != index_.end()) {
      const WeightUse& use = found_[it->second];
      const auto count = static_cast<double>(std::max<std::int64_t>(use.parameters(), 1));
      return {use.range.sum / count, use.range.square_sum / count};
    }
    // What has one element is no use.
    const Tensor& tensor = *graph_.values[v].constant;
    float value = 0;
    if (tensor.elements() == 1) read_floats(tensor, 0, 1, &value);
    return {value, static_cast<double>(value) * value};
  }

  // The first reader that takes the weight as a matrix, looking through transposes.
  std::pair<Reading, NodeId> first_reading(ValueId v, const std::vector<std::int64_t>& dims,
                                           bool transposed, int depth) const {
    std::pair<Reading, NodeId> result{{}, kNone};
    for (const NodeId n : uses_.readers[v]) {
      const Node& node = graph_.nodes[n];
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] != v) continue;
        if (result.second == kNone) result.second = n;
        const Reading r = reading(node, i, dims, transposed);
        if (r.kind != WeightUseKind::other) return {r, n};
      }
      if (dims.size() == 2 && depth < 4 && swaps_two_axes(node)) {
        const auto through = first_reading(node.outputs[0], dims, !transposed, depth + 1);
        if (through.first.kind != WeightUseKind::other) return through;
      }
    }
    return result;
  }

  WeightUse describe_use(ValueId v, const Reading& how) const {
    const Value& value = graph_.values[v];
    WeightUse use;
    use.value = v;
    use.kind = how.kind;
    use.order = how.kind == WeightUseKind::other ? one_row(value.constant->dims.size()) : how.order;
    const MatrixSize size = matrix_size(value.constant->dims, use.order);
    use.rows = size.rows;
    use.k = size.k;
    use.range = measure_weights(row_reader(*value.constant, use.order), use.rows, use.k);
    return use;
  }

  const Graph& graph_;
  Uses uses_;
  TrainedOperands trained_;
  std::vector<WeightUse> found_;
  std::map<ValueId, std::size_t> index_;  // of found_
};

}  // namespace

std::vector<WeightUse> find_weight_uses(const Model& model) { return Finder(model).run(); }

}  // namespace subbyte
