#include "import/inline_functions.h"

#include <algorithm>

#include "base/text.h"
#include "import/build_node.h"
#include "import/names.h"

namespace subbyte {

using wire::AttributeProto;
using wire::AttributeType;
using wire::CallFrame;
using wire::FunctionProto;
using wire::GraphProto;
using wire::NodeProto;

const std::string_view* CallFrame::name(std::string_view name) const {
  for (const CallFrame* frame = this; frame != nullptr; frame = frame->outer.get())
    if (const auto found = frame->names.find(name); found != frame->names.end())
      return &found->second;
  return nullptr;
}

const AttributeProto* CallFrame::attribute(std::string_view name) const {
  const CallFrame* frame = this;
  while (frame->outer != nullptr) frame = frame->outer.get();
  const auto found = frame->attributes.find(name);
  return found == frame->attributes.end() ? nullptr : &found->second;
}

namespace {

// The opsets of ai.onnx from which an operator is written in another way. A function and the model
// that has it may declare different opsets; ONNX wants the operators of both to be the same.
struct Rewritten {
  std::string_view op_type;
  std::int64_t since;
};
constexpr Rewritten kRewritten[] = {
    {"Clip", 11},       {"Dropout", 12},      {"Hardmax", 13},         {"LogSoftmax", 13},
    {"Pad", 11},        {"ReduceSum", 13},    {"Resize", 11},          {"Slice", 10},
    {"Softmax", 13},    {"Split", 13},        {"Split", 18},           {"Squeeze", 13},
    {"Unsqueeze", 13},  {"Upsample", 9},      {"Upsample", 10},        {"ReduceL1", 18},
    {"ReduceL2", 18},   {"ReduceMax", 18},    {"ReduceMean", 18},      {"ReduceMin", 18},
    {"ReduceProd", 18}, {"ReduceLogSum", 18}, {"ReduceLogSumExp", 18}, {"ReduceSumSquare", 18},
};

Expected<void> check_opset(const FunctionProto& function, std::int64_t opset) {
  for (const wire::OperatorSetId& import : function.opset_imports) {
    if (!normal_domain(import.domain).empty() || import.version == opset) continue;
    const auto [older, newer] = std::minmax(import.version, opset);
    for (const NodeProto& node : function.nodes)
      for (const Rewritten& change : kRewritten)
        if (normal_domain(node.domain).empty() && node.op_type == change.op_type &&
            older < change.since && newer >= change.since)
          return fail(
              "it is of opset {} of ai.onnx and the model of opset {}, between which {} changed; "
              "export the model with one opset",
              import.version, opset, change.op_type);
  }
  return {};
}

// All values that the graph itself defines.
template <typename Visit>
void for_each_definition(GraphProto& graph, const Visit& visit) {
  for (wire::ValueInfoProto& input : graph.inputs) visit(input.name);
  for (wire::TensorProto& tensor : graph.initializers) visit(tensor.name);
  for (NodeProto& node : graph.nodes)
    for (std::string_view& output : node.outputs) visit(output);
}

}  // namespace

FunctionInliner::FunctionInliner(const std::vector<FunctionProto>& functions, std::int64_t opset)
    : opset_(opset) {
  for (const FunctionProto& function : functions)
    functions_.emplace(std::tuple(normal_domain(function.domain), function.name, function.overload),
                       &function);
}

const FunctionProto* FunctionInliner::function_of(const NodeProto& node) const {
  const auto found = functions_.find({normal_domain(node.domain), node.op_type, node.overload});
  return found == functions_.end() ? nullptr : found->second;
}

Expected<std::string_view> FunctionInliner::keep(std::string text) {
  bytes_ += text.size();
  if (bytes_ > kMostInlinedBytes)
    return fail("the names of its functions' values take more than {} bytes, written out",
                kMostInlinedBytes);
  return std::string_view(kept_.emplace_back(std::move(text)));
}

// No name of this graph, nor of those around it, starts with it.
Expected<std::string_view> FunctionInliner::prefix_for(const NodeProto& call) {
  constexpr std::size_t kLongest = 200;
  std::string base(call.name.empty() ? call.op_type : call.name);
  if (base.size() > kLongest) base = "call";
  for (std::size_t i = 0;; ++i) {
    std::string prefix = i == 0 ? base + "/" : fmt::format("{}_{}/", base, i);
    const auto next = taken_.lower_bound(prefix);
    if (next != taken_.end() && next->starts_with(prefix)) continue;
    SUBBYTE_TRY(const std::string_view kept, keep(std::move(prefix)));
    taken_.insert(kept);
    return kept;
  }
}

Expected<void> FunctionInliner::rename_node(NodeProto& node, const Frame& frame) {
  SUBBYTE_TRY(node.name, keep(std::string(frame->prefix) + std::string(node.name)));
  for (std::string_view& input : node.inputs) {
    if (input.empty()) continue;
    const std::string_view* name = frame->name(input);
    if (name == nullptr)
      return fail("its input {} is not defined: no input or node of the function has this name",
                  quoted(input));
    input = *name;
  }
  for (std::string_view& output : node.outputs)
    if (!output.empty()) output = *frame->name(output);
  std::vector<AttributeProto> attributes;
  for (AttributeProto& attribute : node.attributes) {
    if (attribute.ref_attr_name.empty()) {
      if (attribute.type == AttributeType::graph) attribute.frame = frame;
      attributes.push_back(std::move(attribute));
      continue;
    }
    const AttributeProto* given = frame->attribute(attribute.ref_attr_name);
    if (given == nullptr) continue;  // the operator's default holds
    if (attribute.type != AttributeType::undefined && attribute.type != given->type)
      return fail("attribute {} is not of the type that the function's attribute {} has",
                  quoted(attribute.name), quoted(attribute.ref_attr_name));
    attributes.push_back(*given);
    attributes.back().name = attribute.name;
  }
  node.attributes = std::move(attributes);
  return {};
}

Expected<void> FunctionInliner::rename_graph(GraphProto& graph, const Frame& frame) {
  auto inner = std::make_shared<CallFrame>();
  inner->outer = frame;
  inner->prefix = frame->prefix;
  Expected<void> status;
  for_each_definition(graph, [&](std::string_view& name) {
    if (name.empty() || !status) return;
    auto kept = keep(std::string(frame->prefix) + std::string(name));
    if (!kept) {
      status = tl::unexpected(std::move(kept.error()));
      return;
    }
    inner->names.emplace(name, *kept);
    name = *kept;
  });
  SUBBYTE_CHECK_OK(status);
  for (wire::ValueInfoProto& output : graph.outputs)
    if (const std::string_view* name = inner->name(output.name)) output.name = *name;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    // Its outputs have their names already.
    std::vector<std::string_view> outputs = std::exchange(graph.nodes[i].outputs, {});
    auto done = rename_node(graph.nodes[i], inner);
    if (!done) return within(describe(graph.nodes[i], i), std::move(done.error()));
    graph.nodes[i].outputs = std::move(outputs);
  }
  return {};
}

Expected<FunctionInliner::Frame> FunctionInliner::bind(const FunctionProto& function,
                                                       const NodeProto& call) {
  if (call.inputs.size() > function.inputs.size() || call.outputs.size() > function.outputs.size())
    return fail("it has {} inputs and {} outputs; its function has {} and {}", call.inputs.size(),
                call.outputs.size(), function.inputs.size(), function.outputs.size());
  auto frame = std::make_shared<CallFrame>();
  SUBBYTE_TRY(frame->prefix, prefix_for(call));
  for (std::size_t i = 0; i < function.inputs.size(); ++i) {
    const std::string_view given = i < call.inputs.size() ? call.inputs[i] : std::string_view();
    if (!frame->names.emplace(function.inputs[i], given).second)
      return fail("two inputs of its function are called {}", quoted(function.inputs[i]));
  }
  for (const AttributeProto& attribute : function.defaults)
    frame->attributes.emplace(attribute.name, attribute);
  for (const AttributeProto& attribute : call.attributes)
    frame->attributes.insert_or_assign(attribute.name, attribute);
  return Frame(std::move(frame));
}

Expected<void> FunctionInliner::expand_call(const FunctionProto& function, const NodeProto& call,
                                            std::vector<const FunctionProto*>& calls,
                                            std::vector<NodeProto>& nodes) {
  SUBBYTE_CHECK_OK(check_opset(function, opset_));
  SUBBYTE_TRY(Frame bound, bind(function, call));
  CallFrame frame = *bound;
  // Names of what the body computes: those of the call's outputs, or new ones.
  std::vector<NodeProto> passed_on;
  std::map<std::string_view, std::string_view> results;
  for (std::size_t i = 0; i < call.outputs.size(); ++i) {
    if (call.outputs[i].empty()) continue;
    const std::string_view name = function.outputs[i];
    const auto input = frame.names.find(name);
    const auto known = results.find(name);
    if (input == frame.names.end() && known == results.end()) {
      results.emplace(name, call.outputs[i]);
      continue;
    }
    // An input, or an output that is listed twice.
    NodeProto identity;
    identity.op_type = "Identity";
    identity.name = frame.prefix;
    identity.inputs = {known == results.end() ? input->second : known->second};
    identity.outputs = {call.outputs[i]};
    passed_on.push_back(std::move(identity));
  }
  std::set<std::string_view> defined;
  for (const NodeProto& node : function.nodes) {
    for (const std::string_view output : node.outputs) {
      if (output.empty()) continue;
      if (frame.names.contains(output) || !defined.insert(output).second)
        return fail("the value {} of its function is defined twice", quoted(output));
    }
  }
  for (const std::string_view name : defined) {
    if (const auto result = results.find(name); result != results.end()) {
      frame.names.emplace(name, result->second);
      continue;
    }
    SUBBYTE_TRY(const std::string_view kept, keep(std::string(frame.prefix) + std::string(name)));
    frame.names.emplace(name, kept);
  }
  for (const auto& [name, actual] : results)
    if (!defined.contains(name))
      return fail("the output {} of its function is not defined there", quoted(name));

  const auto names = std::make_shared<const CallFrame>(std::move(frame));
  calls.push_back(&function);
  for (std::size_t i = 0; i < function.nodes.size(); ++i) {
    NodeProto node = function.nodes[i];
    auto done = rename_node(node, names);
    if (done) done = expand_node(std::move(node), calls, nodes);
    if (!done) return within(describe(function.nodes[i], i), std::move(done.error()));
  }
  calls.pop_back();
  for (NodeProto& node : passed_on) nodes.push_back(std::move(node));
  return {};
}

Expected<void> FunctionInliner::expand_node(NodeProto node,
                                            std::vector<const FunctionProto*>& calls,
                                            std::vector<NodeProto>& nodes) {
  const FunctionProto* function = function_of(node);
  if (!calls.empty() && ++nodes_ > kMostInlinedNodes)
    return fail("its functions have more than {} nodes, written out", kMostInlinedNodes);
  if (function == nullptr) {
    nodes.push_back(std::move(node));
    return {};
  }
  if (std::ranges::find(calls, function) != calls.end())
    return fail("the function {} calls itself", quoted(function->name));
  if (calls.size() >= kDeepestCall)
    return fail("functions call each other more than {} deep, which is the most that subbyte reads",
                kDeepestCall);
  return expand_call(*function, node, calls, nodes);
}

Expected<void> FunctionInliner::expand(GraphProto& graph, const Frame& frame) {
  if (functions_.empty()) return {};
  if (frame != nullptr) SUBBYTE_CHECK_OK(rename_graph(graph, frame));
  for_each_definition(graph, [&](std::string_view& name) { taken_.insert(name); });
  std::vector<NodeProto> nodes;
  std::vector<const FunctionProto*> calls;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const std::string what = describe(graph.nodes[i], i);
    auto done = expand_node(std::move(graph.nodes[i]), calls, nodes);
    if (!done) return within(what, std::move(done.error()));
  }
  graph.nodes = std::move(nodes);
  return {};
}

}  // namespace subbyte
