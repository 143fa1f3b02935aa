#include "quantize/uses.h"

#include <algorithm>
#include <numeric>
#include <regex>

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
Reading reading(const Node& node, std::size_t input, std::size_t rank, bool transposed) {
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

bool matches(const std::string& text, const char* pattern) {
  return std::regex_search(text, std::regex(pattern, std::regex::icase));
}

// The number of a repeated block in a name: encoder.layer.3.attention, h.11.mlp, blocks_2.
std::optional<int> layer_of(const std::string& text) {
  static const char* const kPattern =
      "(?:^|[./_])(?:layers?|h|blocks?|encoder|decoder)[./_]([0-9]{1,4})(?:[./_]|$)";
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(kPattern))) return std::nullopt;
  return std::stoi(match[1].str());
}

Component component_of(const std::string& text, WeightUseKind kind) {
  if (kind == WeightUseKind::embedding) return Component::embedding;
  if (matches(text, "attention|attn|query|key|value|[qkv]_proj|qkv")) return Component::attention;
  if (matches(text,
              "mlp|ffn|feed_?forward|intermediate|fc[12]|up_proj|down_proj|gate_proj|output[./"
              "]dense")) {
    return Component::feed_forward;
  }
  if (matches(text, "lm_head|classifier|pooler|(^|[./_])head([./_]|$)")) return Component::head;
  return Component::other;
}

// Names are hostile: what a pattern sees of one is bounded.
std::string bounded(const std::string& name) { return name.substr(0, 256); }

class Finder {
 public:
  explicit Finder(const Model& model) : graph_(model.main()), uses_(find_uses(graph_)) {}

  std::vector<WeightUse> run() {
    std::vector<WeightUse> found;
    for (ValueId v = 0; v < graph_.values.size(); ++v) {
      const Value& value = graph_.values[v];
      if (!value.constant || !is_float(value.dtype) || value.constant->elements() <= 1) continue;
      if (uses_.count(v) == 0) continue;
      found.push_back(describe_use(v));
    }
    // The head counts as the layer after the last.
    int layers = 0;
    for (const WeightUse& use : found) layers = std::max(layers, use.layer.value_or(-1) + 1);
    for (WeightUse& use : found) {
      if (use.component == Component::head && !use.layer) use.layer = layers;
    }
    return found;
  }

 private:
  // The first reader that takes the weight as a matrix, looking through transposes.
  std::pair<Reading, NodeId> first_reading(ValueId v, std::size_t rank, bool transposed,
                                           int depth) const {
    std::pair<Reading, NodeId> result{{}, kNone};
    for (const NodeId n : uses_.readers[v]) {
      const Node& node = graph_.nodes[n];
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] != v) continue;
        if (result.second == kNone) result.second = n;
        const Reading r = reading(node, i, rank, transposed);
        if (r.kind != WeightUseKind::other) return {r, n};
      }
      if (rank == 2 && depth < 4 && swaps_two_axes(node)) {
        const auto through = first_reading(node.outputs[0], rank, !transposed, depth + 1);
        if (through.first.kind != WeightUseKind::other) return through;
      }
    }
    return result;
  }

  WeightUse describe_use(ValueId v) const {
    const Value& value = graph_.values[v];
    const std::size_t rank = value.constant->dims.size();
    const auto [how, reader] = first_reading(v, rank, false, 0);
    WeightUse use;
    use.value = v;
    use.kind = how.kind;
    use.order = how.kind == WeightUseKind::other ? one_row(rank) : how.order;
    const MatrixSize size = matrix_size(value.constant->dims, use.order);
    use.rows = size.rows;
    use.k = size.k;
    use.range = measure_weights(row_reader(*value.constant, use.order), use.rows, use.k);
    std::string names = bounded(value.name);
    if (reader != kNone) names += " " + bounded(graph_.nodes[reader].name);
    use.layer = layer_of(names);
    use.component = component_of(names, use.kind);
    return use;
  }

  const Graph& graph_;
  Uses uses_;
};

}  // namespace

std::vector<WeightUse> find_weight_uses(const Model& model) { return Finder(model).run(); }

}  // namespace subbyte
