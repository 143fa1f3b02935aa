// Shifts of results as biases of the model.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "quantize/codec.h"
#include "quantize/encoding.h"
#include "quantize/fit/output_shift.h"

namespace subbyte::fit {
namespace {

// The weight of a product: its right operand, or the filters.
constexpr std::size_t kWeight = 1;
constexpr std::size_t kBias = 2;

std::int64_t channels_of(const Node& node, const Tensor& weight) {
  switch (node.op) {
    case Op::Conv:
      return weight.dims[0];
    case Op::ConvTranspose:
      return weight.dims[1] * node.int_or("group", 1);
    case Op::Gemm:
      return weight.dims[node.int_or("transB", 0) != 0 ? 0 : 1];
    default:
      return weight.dims.back();
  }
}

// Whether a constant adds to each channel a number of its own, the channels along the last axis.
bool is_row(const Tensor& constant, std::int64_t channels) {
  return !constant.dims.empty() && constant.dims.back() == channels &&
         constant.elements() == channels && is_float(constant.dtype);
}

// The Add that alone reads a MatMul and adds a constant to its channels: which input is the
// constant.
struct Addition {
  NodeId node = kNone;
  std::size_t input = 0;
};
Addition addition_after(const Graph& graph, const Uses& uses, NodeId product,
                        std::int64_t channels) {
  const ValueId result = graph.nodes[product].outputs[0];
  if (uses.count(result) != 1 || uses.readers[result].size() != 1) return {};
  const NodeId reader = uses.readers[result][0];
  const Node& add = graph.nodes[reader];
  if (add.op != Op::Add) return {};
  for (const std::size_t i : {0u, 1u}) {
    const Tensor* const constant = graph.constant(add.inputs[i]);
    if (constant != nullptr && add.inputs[1 - i] == result && is_row(*constant, channels))
      return {reader, i};
  }
  return {};
}

class BiasMaker {
 public:
  BiasMaker(Model& model, WeightPlan& plan)
      : model_(model), graph_(model.main()), plan_(plan), uses_(find_uses(graph_)) {
    for (const Value& value : graph_.values) names_.insert(value.name);
  }

  void shift(NodeId n, const Shift& shift) {
    Node& node = graph_.nodes[n];
    const ValueId weight = node.inputs[kWeight];
    if (node.op != Op::MatMul) {
      Shift scaled = shift;
      const float beta = node.op == Op::Gemm ? node.float_or("beta", 1.0f) : 1.0f;
      for (float& x : scaled) x /= beta;
      node.inputs.resize(std::max(node.inputs.size(), kBias + 1), kNone);
      node.inputs[kBias] = shifted(node.inputs[kBias], node.outputs[0], weight, scaled);
      return;
    }
    const Addition after =
        addition_after(graph_, uses_, n, static_cast<std::int64_t>(shift.size()));
    if (after.node != kNone) {
      ValueId& bias = graph_.nodes[after.node].inputs[after.input];
      bias = shifted(bias, node.outputs[0], weight, shift);
    } else {
      made_.emplace(n, shifted(kNone, node.outputs[0], weight, shift));
    }
  }

  void finish() {
    insert_additions();
    const Uses now = find_uses(graph_);
    for (std::size_t i = plan_.uses.size(); i-- > 0;) {
      const ValueId value = plan_.uses[i].value;
      if (now.count(value) > 0) continue;
      plan_.stored.erase(value);
      plan_.uses.erase(plan_.uses.begin() + static_cast<std::ptrdiff_t>(i));
      plan_.assignments.erase(plan_.assignments.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

 private:
  // A bias with the shift: the one that there is where nothing else reads it.
  ValueId shifted(ValueId bias, ValueId result, ValueId weight, const Shift& shift) {
    std::vector<float> numbers(shift.size());
    if (bias != kNone) {
      const Tensor& constant = *graph_.values[bias].constant;
      read_floats(constant, 0, constant.elements(), numbers.data());
    }
    for (std::size_t i = 0; i < shift.size(); ++i) numbers[i] += shift[i];
    const auto own = std::ranges::find(plan_.uses, bias, &WeightUse::value);
    const bool alone = bias != kNone && uses_.count(bias) == 1 && own != plan_.uses.end();
    const bool narrow = own != plan_.uses.end() ? value_bits(plan_.stored.at(bias).encoding) < 32
                                                : value_bits(plan_.stored.at(weight).encoding) < 8;
    WeightUse use = own != plan_.uses.end() ? *own : use_beside(weight, shift.size());
    if (!alone) use.value = copy_of(bias, result, shift.size());
    use.also_named = alone ? use.also_named : std::vector<std::string>();
    const Encoding* const asked =
        own != plan_.uses.end() ? &plan_.stored.at(bias).encoding : nullptr;
    store(std::move(use), numbers, narrow, asked);
    return alone ? bias : static_cast<ValueId>(graph_.values.size() - 1);
  }

  WeightUse use_beside(ValueId weight, std::size_t channels) const {
    WeightUse use;
    const auto of = std::ranges::find(plan_.uses, weight, &WeightUse::value);
    if (of != plan_.uses.end()) {
      use.layer = of->layer;
      use.component = of->component;
    }
    use.order.k = {0};
    use.rows = 1;
    use.k = static_cast<std::int64_t>(channels);
    use.kind = WeightUseKind::bias;
    return use;
  }

  // A constant of its own with the numbers of `bias`, or zeros where there is none.
  ValueId copy_of(ValueId bias, ValueId result, std::size_t channels) {
    Value value;
    value.name = graph_.values[result].name + "_bias";
    while (!names_.insert(value.name).second) value.name += "_";
    value.dtype = graph_.values[result].dtype;
    if (bias != kNone) {
      value.dtype = graph_.values[bias].dtype;
      value.shape = graph_.values[bias].shape;
      value.constant = graph_.values[bias].constant;
    } else {
      const auto size = static_cast<std::int64_t>(channels);
      value.constant = make_tensor(value.dtype, {size},
                                   std::vector<std::byte>(channels * dtype_size(value.dtype)));
      value.shape = std::vector<Expr>{model_.exprs.constant(size)};
    }
    return graph_.add_value(std::move(value));
  }

  // Codes where a rule asks for them, as many bits as `asked` has; else halves where `narrow`.
  static Encoding encoding_of(const WeightUse& use, bool narrow, const Encoding* asked) {
    const auto* affine = asked != nullptr ? std::get_if<AffineEncoding>(asked) : nullptr;
    if (affine != nullptr && fits_affine(use.range.largest)) {
      for (AffineEncoding encoding : affine_encodings(affine->bits, use.scale_magnitude())) {
        if (encoding.zero_bits != affine->zero_bits) continue;
        encoding.group = affine->group;
        return encoding;
      }
    }
    return FloatEncoding{narrow && fits_float16(use.range.largest) ? 16 : 32};
  }

  void store(WeightUse use, const std::vector<float>& numbers, bool narrow, const Encoding* asked) {
    use.range = {.all_finite = true};
    for (const float x : numbers) {
      const float size = std::fabs(x);
      use.range.largest = std::max(use.range.largest, size);
      if (size > 0 && (use.range.smallest_nonzero == 0 || size < use.range.smallest_nonzero))
        use.range.smallest_nonzero = size;
      use.range.sum += x;
      use.range.square_sum += static_cast<double>(x) * x;
    }
    const Encoding encoding = encoding_of(use, narrow, asked);
    const auto packed = std::make_shared<const PackedMatrix>(
        pack(numbers, use.rows, use.k, encoding, {.threads = 1}));
    plan_.stored.insert_or_assign(use.value, StoredWeight{.value = use.value,
                                                          .encoding = encoding,
                                                          .rows = use.rows,
                                                          .k = use.k,
                                                          .order = use.order,
                                                          .layout = row_layout(encoding, use.k),
                                                          .source = ChosenNumbers{packed}});
    const auto own = std::ranges::find(plan_.uses, use.value, &WeightUse::value);
    if (own != plan_.uses.end()) {
      const auto i = static_cast<std::size_t>(own - plan_.uses.begin());
      plan_.assignments[i].encoding = encoding;
      *own = std::move(use);
    } else {
      plan_.uses.push_back(std::move(use));
      plan_.assignments.push_back({encoding, ""});
    }
  }

  // An Add after each MatMul that had none.
  void insert_additions() {
    if (made_.empty()) return;
    std::vector<Node> nodes;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      nodes.push_back(std::move(graph_.nodes[n]));
      const auto made = made_.find(static_cast<NodeId>(n));
      if (made == made_.end()) continue;
      Node& product = nodes.back();
      const ValueId result = product.outputs[0];
      Value sum;
      sum.name = graph_.values[result].name + "_product";
      while (!names_.insert(sum.name).second) sum.name += "_";
      sum.dtype = graph_.values[result].dtype;
      sum.shape = graph_.values[result].shape;
      product.outputs[0] = graph_.add_value(std::move(sum));
      Node add;
      add.op = Op::Add;
      add.op_type = "Add";
      add.name = product.name.empty() ? "" : product.name + "_bias";
      add.inputs = {product.outputs[0], made->second};
      add.outputs = {result};
      nodes.push_back(std::move(add));
    }
    graph_.nodes = std::move(nodes);
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n)
      for (const ValueId output : graph_.nodes[n].outputs)
        if (output != kNone) graph_.values[output].producer = static_cast<NodeId>(n);
  }

  Model& model_;
  Graph& graph_;
  WeightPlan& plan_;
  Uses uses_;
  std::set<std::string> names_;
  std::map<NodeId, ValueId> made_;  // biases of MatMuls that are still to get their Add
};

}  // namespace

bool can_shift(const Graph& graph, const std::map<ValueId, StoredWeight>& stored, NodeId n) {
  const Node& node = graph.nodes[n];
  const bool convolution = node.op == Op::Conv || node.op == Op::ConvTranspose;
  if (!convolution && node.op != Op::Gemm && node.op != Op::MatMul) return false;
  // What multiplies integers gives integers: no bias of floats goes with them.
  if (sums_integers(node)) return false;
  const auto weight = stored.find(node.inputs[kWeight]);
  if (weight == stored.end() || value_bits(weight->second.encoding) == 32) return false;
  // What arrived quantized is the float model's own.
  if (std::holds_alternative<CodesOfGrid>(weight->second.source)) return false;
  const Tensor& numbers = *graph.constant(weight->first);
  if (numbers.dims.size() < 2 || (node.op == Op::MatMul && numbers.dims.size() != 2)) return false;
  const std::int64_t channels = channels_of(node, numbers);
  if (channels < 2) return false;  // a constant of one element is no stored weight
  if (node.op == Op::MatMul) return true;
  if (node.op == Op::Gemm && node.float_or("beta", 1.0f) == 0) return false;
  if (!node.has_input(kBias)) return true;
  const Tensor* const bias = graph.constant(node.inputs[kBias]);
  return bias != nullptr && is_row(*bias, channels);
}

Shifts no_shifts(const Graph& graph, const std::map<ValueId, StoredWeight>& stored) {
  Shifts shifts;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    if (!can_shift(graph, stored, n)) continue;
    const Node& node = graph.nodes[n];
    const auto channels = channels_of(node, *graph.constant(node.inputs[kWeight]));
    shifts.emplace(n, Shift(static_cast<std::size_t>(channels), 0.0f));
  }
  return shifts;
}

void store_shifts(Model& model, WeightPlan& plan, const Shifts& shifts) {
  BiasMaker maker(model, plan);
  for (const auto& [node, shift] : shifts) maker.shift(node, shift);
  maker.finish();
}

}  // namespace subbyte::fit
