// A large constant whose elements repeat along an axis is stored once, and repeated where it is
// read: an Expand or a Tile that was folded, a tensor filled with one number, a mask that a file
// has for every head. So folding makes no module larger than what is folded.
#include <algorithm>
#include <cstring>

#include "graph/op_info.h"
#include "graph/ops.h"
#include "passes/canonicalize_rules.h"
#include "passes/compact.h"
#include "passes/constant_origin.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

constexpr std::size_t kSmallest = 4096;
// Vectors over channels are what products and normalisations are folded with.
constexpr std::size_t kSmallestVector = std::size_t{64} << 10;

// A tensor as slices along one axis: [outer, count, inner] elements.
struct Slices {
  std::size_t outer = 1, count = 1, bytes = 0;  // bytes of a slice
};

Slices slices_along(const Tensor& tensor, std::size_t axis) {
  Slices slices{1, static_cast<std::size_t>(tensor.dims[axis]), dtype_size(tensor.dtype)};
  for (std::size_t i = 0; i < tensor.dims.size(); ++i) {
    const auto dim = static_cast<std::size_t>(tensor.dims[i]);
    if (i < axis) slices.outer *= dim;
    if (i > axis) slices.bytes *= dim;
  }
  return slices;
}

bool repeats_after(const Tensor& tensor, const Slices& slices, std::size_t period) {
  const std::size_t whole = slices.count * slices.bytes, shifted = period * slices.bytes;
  for (std::size_t o = 0; o < slices.outer; ++o) {
    const std::byte* const data = tensor.data.data() + o * whole;
    if (std::memcmp(data, data + shifted, whole - shifted) != 0) return false;
  }
  return true;
}

// After how many slices along the axis the tensor begins anew.
std::size_t period_along(const Tensor& tensor, std::size_t axis) {
  const Slices slices = slices_along(tensor, axis);
  for (std::size_t period = 1; period < slices.count; ++period) {
    if (slices.count % period == 0 && repeats_after(tensor, slices, period)) return period;
  }
  return slices.count;
}

Tensor first_slices(const Tensor& tensor, std::size_t axis, std::size_t period) {
  const Slices slices = slices_along(tensor, axis);
  const std::size_t kept = period * slices.bytes;
  std::vector<std::byte> bytes(slices.outer * kept);
  for (std::size_t o = 0; o < slices.outer; ++o) {
    std::memcpy(bytes.data() + o * kept, tensor.data.data() + o * slices.count * slices.bytes,
                kept);
  }
  std::vector<std::int64_t> dims = tensor.dims;
  dims[axis] = static_cast<std::int64_t>(period);
  return make_tensor(tensor.dtype, std::move(dims), std::move(bytes));
}

// The tensor of which `tensor` is a repetition along its axes.
Tensor collapsed(const Tensor& tensor) {
  Tensor once = tensor;
  for (std::size_t axis = 0; axis < tensor.dims.size(); ++axis) {
    const std::size_t period = period_along(once, axis);
    if (period < static_cast<std::size_t>(once.dims[axis])) once = first_slices(once, axis, period);
  }
  return once;
}

class Collapser {
 public:
  explicit Collapser(Model& model)
      : graph_(model.main()), uses_(find_uses(graph_)), make_(model.exprs, graph_) {}

  void run() {
    const auto count = static_cast<ValueId>(graph_.values.size());
    for (ValueId v = 0; v < count; ++v) {
      if (!is_candidate(v)) continue;
      Tensor once = collapsed(*graph_.values[v].constant);
      if (once.data.size() < graph_.values[v].constant->data.size()) repeat(v, std::move(once));
    }
    prepend(graph_, std::move(repeats_));
  }

 private:
  bool is_candidate(ValueId v) const {
    const Value& value = graph_.values[v];
    if (!value.constant || value.dtype == DType::string || value.content) return false;
    if (uses_.readers[v].empty() || uses_.outputs[v] > 0) return false;
    const auto axes = std::ranges::count_if(value.constant->dims, [](auto d) { return d != 1; });
    if (value.constant->data.size() < (axes < 2 ? kSmallestVector : kSmallest)) return false;
    return std::ranges::all_of(uses_.readers[v], [&](NodeId n) { return reads_by_place(n, v); });
  }

  // Readers that find each element where it lies: no products, no tables, no rows.
  bool reads_by_place(NodeId n, ValueId v) const {
    const Node& node = graph_.nodes[n];
    const Role role = family_of(node.op).role;
    return role == Role::scalar || node.op == Op::Concat ||
           (role == Role::view && node.inputs[0] == v);
  }

  void repeat(ValueId v, Tensor once) {
    const std::vector<std::int64_t> dims = graph_.values[v].constant->dims;
    Node node;
    node.outputs = {v};
    std::vector<std::int64_t> times(dims.size());
    bool filled = true;
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
      times[axis] = dims[axis] / once.dims[axis];
      filled = filled && (once.dims[axis] == 1 || times[axis] == 1);
    }
    node.op = filled ? Op::Expand : Op::Tile;
    node.op_type = filled ? "Expand" : "Tile";
    const ValueId from = make_.add(node, "once", std::move(once));
    inherit_origin(graph_.values[from], graph_.values[v]);
    const ValueId how = make_.add_int64s(node, filled ? "shape" : "times", filled ? dims : times);
    node.inputs = {from, how};
    graph_.values[v].constant.reset();
    repeats_.push_back(std::move(node));
  }

  Graph& graph_;
  Uses uses_;
  ConstantMaker make_;
  std::vector<Node> repeats_;
};

}  // namespace

Expected<void> collapse_repeats(Model& model) {
  // Graphs inside nodes take values by name.
  if (model.graphs.size() == 1) Collapser(model).run();
  return {};
}

}  // namespace subbyte
