#include "quantize/uses.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "graph/grid.h"
#include "graph/ops.h"
#include "graph/recurrence.h"
#include "quantize/made_by_rule.h"
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

// Whether a Transpose exchanges the last two axes of a weight of that rank, and no others.
bool swaps_last_axes(const Node& node, std::size_t rank) {
  if (node.op != Op::Transpose || rank < 2) return false;
  const auto permutation = node.ints("perm");
  if (!permutation || permutation->size() != rank) return false;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t from = i + 2 == rank ? i + 1 : i + 1 == rank ? i - 1 : i;
    if ((*permutation)[i] != static_cast<std::int64_t>(from)) return false;
  }
  return true;
}

// Whether a node passes on some of its elements, or repeats of them, each axis along itself.
bool keeps_axes(const Node& node) {
  return node.op == Op::Identity || node.op == Op::Slice || node.op == Op::Split ||
         node.op == Op::Expand || node.op == Op::Tile;
}

// How a weight of matrices is read, one for each place along the axes before the last two.
// `k_last`: the product sums over the last axis.
Reading matrices(WeightUseKind kind, std::size_t rank, bool k_last) {
  AxisOrder order = one_row(rank);
  order.rows.assign(order.k.begin(), order.k.end() - 2);
  const int last = static_cast<int>(rank) - 1;
  order.rows.push_back(k_last ? last - 1 : last);
  order.k = {k_last ? last : last - 1};
  return {kind, std::move(order)};
}

// A table of which Gather takes places along an axis: those are the rows.
AxisOrder table(const std::vector<std::int64_t>& dims, int axis) {
  AxisOrder order = one_row(dims.size());
  order.rows = {axis};
  order.k.erase(order.k.begin() + axis);
  const MatrixSize size = matrix_size(dims, order);
  // Rows of so few values would take more than halves do. A table that several bindings share is
  // divided between rows.
  constexpr std::int64_t kFewest = 3, kMostAlone = std::int64_t{1} << 24;
  return size.k < kFewest && size.rows < kMostAlone ? one_row(dims.size()) : order;
}

// `transposed`: the reader sees the weight through a transpose.
Reading reading(const Node& node, std::size_t input, const std::vector<std::int64_t>& dims,
                bool transposed) {
  const std::size_t rank = dims.size();
  if (rank >= 3 && input == 1 && !transposed) {
    if (node.op == Op::Conv) return {WeightUseKind::conv, conv_weight_order(rank)};
    if (node.op == Op::ConvTranspose)
      return {WeightUseKind::conv, conv_transpose_weight_order(node, dims)};
  }
  // A left operand sums over its last axis, a right one over the one before.
  if (rank >= 2 && input < 2 && node.op == Op::MatMul)
    return matrices(WeightUseKind::matmul, rank, (input == 0) != transposed);
  if (rank == 2 && input < 2 && node.op == Op::Gemm) {
    const bool exchanged = node.int_or(input == 0 ? "transA" : "transB", 0) != 0;
    return matrices(WeightUseKind::gemm, rank, ((input == 0) != exchanged) != transposed);
  }
  if (is_recurrence(node.op) && (input == 1 || input == 2) && rank == 3 && !transposed)
    return matrices(WeightUseKind::matmul, rank, true);
  if (node.op == Op::Gather && input == 0 && rank >= 2 && !transposed) {
    return {WeightUseKind::embedding, table(dims, static_cast<int>(node.int_or("axis", 0)))};
  }
  return {};
}

class Finder {
 public:
  explicit Finder(const Model& model)
      : model_(model),
        graph_(model.main()),
        uses_(find_uses(graph_)),
        made_(graph_.values.size(), false) {}

  Expected<SampledUses> run(const MeasureWeights& measure) {
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
    SUBBYTE_TRY(std::vector<std::vector<float>> samples, measure_found(measure));
    const TrainedOperands trained(model_, uses_, made_,
                                  [this](ValueId v) { return moments_of(v); });
    for (std::size_t i = 0; i < found_.size(); ++i) judge(found_[i], readers[i], trained);
    find_largest_beside(readers);
    find_structure(graph_, readers, found_);
    name_structure(graph_, readers, found_);
    return SampledUses{std::move(found_), std::move(samples)};
  }

 private:
  Expected<std::vector<std::vector<float>>> measure_found(const MeasureWeights& measure) {
    std::vector<WeightMeter> meters;
    meters.reserve(found_.size());
    std::vector<char> made(found_.size(), 0);
    for (std::size_t i = 0; i < found_.size(); ++i) {
      const WeightUse& use = found_[i];
      meters.emplace_back(*graph_.values[use.value].constant);
      if (is_matrix(use.kind)) meters.back().sample(use.order);
      meters.back().examine([this, i, &made, v = use.value] {
        made[i] = is_made_by_rule(graph_, v, uses_.readers[v]) ? 1 : 0;
      });
    }
    SUBBYTE_CHECK_OK(measure(meters));
    std::vector<std::vector<float>> samples;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      found_[i].range = meters[i].range();
      made_[found_[i].value] = made[i] != 0;
      samples.push_back(meters[i].take_sample());
    }
    return samples;
  }

  // Of right operands of products, transposed or not. One so much smaller that its scales would
  // hardly be normal halves keeps to itself.
  void find_largest_beside(const std::vector<NodeId>& readers) {
    constexpr float kMostBeside = 64;
    std::map<ValueId, std::vector<std::size_t>> beside;  // by what they multiply
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (!is_matrix(found_[i].kind) || !found_[i].range.all_finite) continue;
      const Node& node = graph_.nodes[readers[i]];
      if (node.op == Op::MatMul || node.op == Op::Gemm) beside[node.inputs[0]].push_back(i);
    }
    for (const auto& [value, uses] : beside) {
      float largest = 0;
      for (const std::size_t i : uses) largest = std::max(largest, found_[i].range.largest);
      for (const std::size_t i : uses) {
        if (found_[i].range.largest * kMostBeside >= largest) found_[i].largest_beside = largest;
      }
    }
  }

  // Whether the use is of a trained operand, and of which kind where it is no matrix.
  void judge(WeightUse& use, NodeId reader, const TrainedOperands& trained) const {
    if (graph_.values[use.value].is_defined) {
      use.kind = WeightUseKind::other;
      return;
    }
    if (is_matrix(use.kind)) {
      // Whoever quantized it took it for a weight.
      if (has_grid(*graph_.values[use.value].constant)) return;
      if (!trained.trains_matrix(use.value, reader)) use.kind = WeightUseKind::other;
      return;
    }
    const auto taken = trained.taken_for(use.value);
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

  // The first reader that takes the weight as a matrix, one that reads it as it is before those
  // that see it through a transpose.
  std::pair<Reading, NodeId> first_reading(ValueId v, const std::vector<std::int64_t>& dims,
                                           bool transposed, int depth) const {
    std::pair<Reading, NodeId> result{{}, kNone};
    for (const NodeId n : uses_.readers[v]) {
      const Node& node = graph_.nodes[n];
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] != v) continue;
        if (result.second == kNone) result.second = n;
        if (takes_known_places(graph_, node)) continue;
        const Reading r = reading(node, i, dims, transposed);
        if (r.kind != WeightUseKind::other) return {r, n};
      }
    }
    if (depth == 4) return result;
    for (const NodeId n : uses_.readers[v]) {
      const Node& node = graph_.nodes[n];
      const bool swaps = swaps_last_axes(node, dims.size());
      if (!swaps && !keeps_axes(node)) continue;
      for (const ValueId output : node.outputs) {
        const std::vector<std::int64_t> seen = dims_of(output);
        if (seen.size() != dims.size()) continue;
        // Readers of a transpose are asked for the matrix of what is transposed.
        auto through = first_reading(output, swaps ? dims : seen, transposed != swaps, depth + 1);
        if (through.first.kind != WeightUseKind::other) return through;
      }
    }
    return result;
  }

  // Empty where they are not known.
  std::vector<std::int64_t> dims_of(ValueId v) const {
    std::vector<std::int64_t> dims;
    if (!graph_.values[v].shape) return dims;
    for (const Expr dim : *graph_.values[v].shape) {
      const auto size = model_.exprs.value(dim);
      if (!size) return {};
      dims.push_back(*size);
    }
    return dims;
  }

  WeightUse describe_use(ValueId v, const Reading& how) const {
    const Value& value = graph_.values[v];
    WeightUse use;
    use.value = v;
    use.also_named = value.aliases;
    use.kind = how.kind;
    use.order = how.kind == WeightUseKind::other ? one_row(value.constant->dims.size()) : how.order;
    const MatrixSize size = matrix_size(value.constant->dims, use.order);
    use.rows = size.rows;
    use.k = size.k;
    return use;
  }

  const Model& model_;
  const Graph& graph_;
  Uses uses_;
  std::vector<bool> made_;
  std::vector<WeightUse> found_;
  std::map<ValueId, std::size_t> index_;  // of found_
};

}  // namespace

std::vector<WeightUse> find_weight_uses(const Model& model) {
  const auto measure = [](std::span<WeightMeter> meters) -> Expected<void> {
    measure_all(meters);
    return {};
  };
  return std::move(sample_weight_uses(model, measure)->uses);
}

Expected<SampledUses> sample_weight_uses(const Model& model, const MeasureWeights& measure) {
  return Finder(model).run(measure);
}

}  // namespace subbyte
