#include "compile/made_biases.h"

#include <algorithm>

#include "base/text.h"
#include "graph/ops.h"

namespace subbyte {

namespace {

constexpr std::string_view kEnding = "_bias";
constexpr std::size_t kWeight = 1, kBias = 2;

// The product that computes "RESULT" of "RESULT_bias", where names that were taken end in more
// underscores.
NodeId product_of(const Graph& graph, std::string name) {
  while (name.ends_with('_')) name.pop_back();
  if (!name.ends_with(kEnding)) return kNone;
  name.resize(name.size() - kEnding.size());
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (node.outputs.empty() || node.outputs[0] == kNone) continue;
    if (valid_utf8(graph.values[node.outputs[0]].name) != name) continue;
    const bool product = node.op == Op::Conv || node.op == Op::ConvTranspose ||
                         node.op == Op::Gemm || node.op == Op::MatMul;
    return product && graph.constant(node.inputs[kWeight]) != nullptr ? n : kNone;
  }
  return kNone;
}

std::int64_t channels_of(const Node& node, const Tensor& weight) {
  if (node.op == Op::Conv) return weight.dims[0];
  if (node.op == Op::ConvTranspose) return weight.dims[1] * node.int_or("group", 1);
  const bool turned = node.op == Op::Gemm && node.int_or("transB", 0) != 0;
  return turned ? weight.dims[0] : weight.dims.back();
}

// The constant that an Add alone puts on the result of a MatMul; nullptr where there is none.
ValueId* addend_after(Graph& graph, ValueId result, std::int64_t channels) {
  const Uses uses = find_uses(graph);
  if (uses.count(result) != 1 || uses.readers[result].size() != 1) return nullptr;
  Node& add = graph.nodes[uses.readers[result][0]];
  if (add.op != Op::Add) return nullptr;
  for (const std::size_t i : {0u, 1u}) {
    const Tensor* const constant = graph.constant(add.inputs[i]);
    if (constant != nullptr && add.inputs[1 - i] == result && !constant->dims.empty() &&
        constant->dims.back() == channels && constant->elements() == channels)
      return &add.inputs[i];
  }
  return nullptr;
}

// An Add of the bias behind the product, whose result keeps its name.
void insert_addition(Graph& graph, NodeId product, ValueId bias) {
  const ValueId result = graph.nodes[product].outputs[0];
  Value before;
  before.name = graph.values[result].name + "_product";
  before.dtype = graph.values[result].dtype;
  before.shape = graph.values[result].shape;
  const ValueId sum = graph.add_value(std::move(before));
  graph.nodes[product].outputs[0] = sum;
  Node add;
  add.op = Op::Add;
  add.op_type = "Add";
  add.inputs = {sum, bias};
  add.outputs = {result};
  graph.nodes.insert(graph.nodes.begin() + product + 1, std::move(add));
  for (NodeId n = 0; n < graph.nodes.size(); ++n)
    for (const ValueId output : graph.nodes[n].outputs)
      if (output != kNone) graph.values[output].producer = n;
}

}  // namespace

ValueId make_bias(Model& model, const std::string& name) {
  Graph& graph = model.main();
  const NodeId product = product_of(graph, name);
  if (product == kNone) return kNone;
  const ValueId result = graph.nodes[product].outputs[0];
  const Tensor& weight = *graph.constant(graph.nodes[product].inputs[kWeight]);
  if (weight.dims.size() < 2) return kNone;
  const std::int64_t channels = channels_of(graph.nodes[product], weight);
  const bool addition = graph.nodes[product].op == Op::MatMul;
  if (!addition) {
    auto& inputs = graph.nodes[product].inputs;
    inputs.resize(std::max(inputs.size(), kBias + 1), kNone);
  }
  ValueId* const place =
      addition ? addend_after(graph, result, channels) : &graph.nodes[product].inputs[kBias];
  Value value;
  value.name = name;
  value.dtype = graph.values[result].dtype;
  if (place != nullptr && *place != kNone) {
    const Value& before = graph.values[*place];
    if (!before.constant) return kNone;
    value.dtype = before.dtype;
    value.shape = before.shape;
    value.constant = before.constant;
  } else {
    value.shape = std::vector<Expr>{model.exprs.constant(channels)};
    value.constant = make_tensor(
        value.dtype, {channels},
        std::vector<std::byte>(static_cast<std::size_t>(channels) * dtype_size(value.dtype)));
  }
  const ValueId bias = graph.add_value(std::move(value));
  if (place != nullptr) {
    *place = bias;
  } else {
    insert_addition(graph, product, bias);
  }
  return bias;
}

}  // namespace subbyte
