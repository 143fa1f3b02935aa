#include "import/build_graph.h"

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "graph/ops.h"
#include "import/build_node.h"
#include "import/inline_functions.h"
#include "import/names.h"
#include "import/sort_nodes.h"
#include "import/sparse_tensor.h"
#include "import/value_type.h"

namespace subbyte {

namespace {

using Names = std::unordered_map<std::string_view, ValueId>;

// A graph while its names are being resolved.
struct Scope {
  Scope* outer = nullptr;
  int depth = 0;
  Graph graph;
  Names ids;
  std::vector<std::string_view> captures;
  // By value: the position in GraphProto.node of the node that computes it, or kNone.
  std::vector<std::uint32_t> producers;
};

// What is the same for all graphs of a model.
struct Builder {
  TensorSource& source;
  Model& model;
  FunctionInliner functions;
};

using Frame = std::shared_ptr<const wire::CallFrame>;

Expected<GraphId> build_graph(Builder& builder, std::string_view bytes, const Frame& frame,
                              Scope* outer, std::vector<std::string_view>* captures);

Expected<ValueId> define(Scope& scope, std::string_view name, Value value,
                         std::uint32_t producer = kNone) {
  if (name.empty()) return fail("a value has an empty name");
  value.name = std::string(name);
  const auto id = static_cast<ValueId>(scope.graph.values.size());
  if (!scope.ids.emplace(name, id).second) {
    return fail("the value {} is defined twice; each value of a graph has one origin",
                quoted(name));
  }
  scope.producers.push_back(producer);
  return scope.graph.add_value(std::move(value));
}

// The value of that name, captured from the graphs around this one where it has none; kNone where
// they have none either.
ValueId resolve(Scope& scope, std::string_view name) {
  if (const auto found = scope.ids.find(name); found != scope.ids.end()) return found->second;
  if (scope.outer == nullptr || resolve(*scope.outer, name) == kNone) return kNone;
  Value value;
  value.name = std::string(name);
  const ValueId id = scope.graph.add_value(std::move(value));
  scope.ids.emplace(name, id);
  scope.producers.push_back(kNone);
  scope.captures.push_back(name);
  return id;
}

Value constant_value(Tensor tensor, ExprPool& exprs) {
  Value value;
  value.dtype = tensor.dtype;
  value.shape.emplace();
  for (const std::int64_t dim : tensor.dims) value.shape->push_back(exprs.constant(dim));
  value.constant = std::move(tensor);
  return value;
}

// Of a body, the types of what it is given and gives may be left out, and those of sequences say
// nothing of their tensors that is needed.
bool has_dtype(const Scope& scope, const wire::ValueInfoProto& value) {
  return scope.outer == nullptr ||
         (value.type.kind != wire::TypeProto::Kind::none && !carries_tensors(value.type));
}

Expected<void> add_inputs(Builder& builder, Scope& scope, const wire::GraphProto& proto) {
  std::unordered_set<std::string_view> initializers;
  for (const wire::TensorProto& tensor : proto.initializers) initializers.insert(tensor.name);
  for (const wire::SparseTensorProto& tensor : proto.sparse_initializers)
    initializers.insert(tensor.values.name);
  const std::unordered_set<std::string> taken = dim_params(proto.inputs);

  for (const wire::ValueInfoProto& input : proto.inputs) {
    if (initializers.contains(input.name)) continue;
    Value value;
    const std::string what = fmt::format("input {}", quoted(input.name));
    if (has_dtype(scope, input)) {
      SUBBYTE_TRY(value.dtype, tensor_dtype(input.type, what));
    }
    if (scope.outer == nullptr) {
      const auto index = static_cast<std::uint32_t>(scope.graph.inputs.size());
      SUBBYTE_TRY(value.shape, input_shape(input, index, taken, builder.model.exprs));
    } else {
      value.shape = constant_shape(input.type, builder.model.exprs);
    }
    SUBBYTE_TRY(const ValueId id, define(scope, input.name, std::move(value)));
    scope.graph.inputs.push_back(id);
  }
  return {};
}

Expected<void> add_initializers(Builder& builder, Scope& scope, const wire::GraphProto& proto) {
  for (std::size_t i = 0; i < proto.initializers.size(); ++i) {
    SUBBYTE_TRY(Tensor tensor,
                to_tensor(proto.initializers[i], fmt::format("initializer {}", i), builder.source));
    SUBBYTE_CHECK_OK(define(scope, proto.initializers[i].name,
                            constant_value(std::move(tensor), builder.model.exprs)));
  }
  for (std::size_t i = 0; i < proto.sparse_initializers.size(); ++i) {
    const wire::SparseTensorProto& sparse = proto.sparse_initializers[i];
    SUBBYTE_TRY(Tensor tensor,
                to_dense(sparse, fmt::format("sparse initializer {}", i), builder.source));
    SUBBYTE_CHECK_OK(
        define(scope, sparse.values.name, constant_value(std::move(tensor), builder.model.exprs)));
  }
  return {};
}

Expected<void> add_node_outputs(Builder& builder, Scope& scope, const wire::NodeProto& node,
                                std::uint32_t index) {
  if (is_constant_node(node)) {
    if (node.outputs.size() != 1) {
      return fail("it has {} outputs; a Constant has one", node.outputs.size());
    }
    SUBBYTE_TRY(Tensor tensor, constant_of(node, builder.source));
    SUBBYTE_CHECK_OK(define(scope, node.outputs.front(),
                            constant_value(std::move(tensor), builder.model.exprs)));
    return {};
  }
  for (const std::string_view output : node.outputs) {
    if (!output.empty()) SUBBYTE_CHECK_OK(define(scope, output, Value{}, index));
  }
  return {};
}

// A node of the graph with the values that it needs besides its inputs: what its subgraphs capture.
struct BuiltNode {
  Node node;
  std::vector<ValueId> captured;
};

// The numbers of inputs and outputs that the table allows. Before opset 18 attributes stand where
// the table, which describes the canonical form, has inputs: there may be fewer.
Expected<void> check_arity(const Node& node, std::int64_t opset) {
  const OpInfo& info = op_info(node.op);
  if (node.inputs.size() > info.inputs_max) {
    return fail("it has {} inputs; {} takes at most {}", node.inputs.size(), info.name,
                info.inputs_max);
  }
  const std::uint32_t needed = opset >= 18 ? info.inputs_min : std::min(info.inputs_min, 1U);
  for (std::uint32_t i = 0; i < needed; ++i) {
    if (!node.has_input(i)) return fail("its input {} is missing; {} needs it", i, info.name);
  }
  if (node.outputs.size() > info.outputs_max) {
    return fail("it has {} outputs; {} gives at most {}", node.outputs.size(), info.name,
                info.outputs_max);
  }
  return {};
}

Expected<BuiltNode> build_node(Builder& builder, Scope& scope, const wire::NodeProto& proto) {
  if (proto.op_type.empty()) return fail("it names no operator");
  BuiltNode built;
  Node& node = built.node;
  node.name = std::string(proto.name);
  node.op_type = std::string(proto.op_type);
  node.domain = std::string(normal_domain(proto.domain));
  node.op = find_op(node.domain, node.op_type);
  for (const std::string_view input : proto.inputs) {
    const ValueId id = input.empty() ? kNone : resolve(scope, input);
    if (!input.empty() && id == kNone) {
      return fail("its input {} is not defined: no input, initializer or node output has this name",
                  quoted(input));
    }
    node.inputs.push_back(id);
  }
  for (const std::string_view output : proto.outputs) {
    node.outputs.push_back(output.empty() ? kNone : scope.ids.at(output));
  }
  if (node.op != Op::Unknown) SUBBYTE_CHECK_OK(check_arity(node, builder.model.opset));
  SUBBYTE_TRY(
      node.attributes,
      to_attributes(
          proto, builder.source, [&](const wire::AttributeProto& attribute) -> Expected<GraphId> {
            std::vector<std::string_view> captures;
            SUBBYTE_TRY(const GraphId id,
                        build_graph(builder, attribute.g, attribute.frame, &scope, &captures));
            for (const std::string_view name : captures) {
              built.captured.push_back(scope.ids.at(name));
            }
            return id;
          }));
  return built;
}

// Appends the nodes in topological order.
Expected<void> add_nodes(Scope& scope, const wire::GraphProto& proto,
                         std::vector<std::pair<std::uint32_t, BuiltNode>> built) {
  // Constant nodes have become values, so positions in `built` and in the file differ.
  std::unordered_map<std::uint32_t, std::uint32_t> position;
  for (std::uint32_t i = 0; i < built.size(); ++i) position.emplace(built[i].first, i);

  std::vector<std::vector<std::uint32_t>> dependencies(built.size());
  for (std::size_t i = 0; i < built.size(); ++i) {
    const auto depend_on = [&](ValueId id) {
      if (id == kNone || scope.producers[id] == kNone) return;
      dependencies[i].push_back(position.at(scope.producers[id]));
    };
    for (const ValueId id : built[i].second.node.inputs) depend_on(id);
    for (const ValueId id : built[i].second.captured) depend_on(id);
  }
  const NodeOrder order = sort_nodes(dependencies);
  if (!order.cycle.empty()) {
    const std::size_t first = built[order.cycle.front()].first;
    const std::size_t next = built[order.cycle[1 % order.cycle.size()]].first;
    return fail("{} depends on its own result, by way of {}: a cycle of {} nodes",
                describe(proto.nodes[first], first), describe(proto.nodes[next], next),
                order.cycle.size());
  }
  for (const std::uint32_t i : order.order) scope.graph.add_node(std::move(built[i].second.node));
  return {};
}

Expected<void> add_outputs(Scope& scope, const wire::GraphProto& proto) {
  if (proto.outputs.empty() && scope.outer == nullptr) {
    return fail("the graph has no outputs; export the model again with its outputs declared");
  }
  std::unordered_set<std::string_view> seen;
  for (const wire::ValueInfoProto& output : proto.outputs) {
    const std::string what = fmt::format("output {}", quoted(output.name));
    const ValueId id = resolve(scope, output.name);
    if (id == kNone) {
      return fail("{} is not defined: no input, initializer or node output has this name", what);
    }
    if (!seen.insert(output.name).second && scope.outer == nullptr) {
      return fail("{} is listed twice; each output of a model has its own name", what);
    }
    // Declared shapes are not trusted; the type of what an unknown operator computes is.
    if (has_dtype(scope, output)) {
      SUBBYTE_TRY(const DType dtype, tensor_dtype(output.type, what));
      Value& value = scope.graph.values[id];
      if (value.dtype == DType::undefined) value.dtype = dtype;
    }
    scope.graph.outputs.push_back(id);
  }
  return {};
}

Expected<GraphId> build_graph(Builder& builder, std::string_view bytes, const Frame& frame,
                              Scope* outer, std::vector<std::string_view>* captures) {
  Scope scope;
  scope.outer = outer;
  scope.depth = outer == nullptr ? 0 : outer->depth + 1;
  if (scope.depth > kDeepestSubgraph) {
    return fail("graphs are nested more than {} deep, which is the most that subbyte reads",
                kDeepestSubgraph);
  }
  SUBBYTE_TRY(wire::GraphProto proto, wire::read_graph(bytes));
  SUBBYTE_CHECK_OK(builder.functions.expand(proto, frame));
  const auto id = static_cast<GraphId>(builder.model.graphs.size());
  builder.model.graphs.emplace_back();  // the main graph comes before its subgraphs

  scope.graph.name = std::string(proto.name);
  SUBBYTE_CHECK_OK(add_inputs(builder, scope, proto));
  SUBBYTE_CHECK_OK(add_initializers(builder, scope, proto));
  for (std::uint32_t i = 0; i < proto.nodes.size(); ++i) {
    auto added = add_node_outputs(builder, scope, proto.nodes[i], i);
    if (!added) return within(describe(proto.nodes[i], i), std::move(added.error()));
  }
  // Names are all known now, so a node may come before what it reads.
  std::vector<std::pair<std::uint32_t, BuiltNode>> built;
  for (std::uint32_t i = 0; i < proto.nodes.size(); ++i) {
    if (is_constant_node(proto.nodes[i])) continue;
    auto node = build_node(builder, scope, proto.nodes[i]);
    if (!node) return within(describe(proto.nodes[i], i), std::move(node.error()));
    built.emplace_back(i, std::move(*node));
  }
  SUBBYTE_CHECK_OK(add_nodes(scope, proto, std::move(built)));
  SUBBYTE_CHECK_OK(add_outputs(scope, proto));
  builder.model.graphs[id] = std::move(scope.graph);
  if (captures != nullptr) *captures = std::move(scope.captures);
  return id;
}

}  // namespace

Expected<void> build_graphs(std::string_view main_graph,
                            const std::vector<wire::FunctionProto>& functions, TensorSource& source,
                            Model& model) {
  Builder builder{source, model, FunctionInliner(functions, model.opset)};
  SUBBYTE_CHECK_OK(build_graph(builder, main_graph, nullptr, nullptr, nullptr));
  return {};
}

}  // namespace subbyte
