#include "emit/onnx/messages.h"

#include <algorithm>
#include <protozero/pbf_writer.hpp>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "graph/narrow_float.h"

namespace subbyte::onnx_messages {

namespace {

using protozero::pbf_writer;

void add_text(pbf_writer& writer, std::uint32_t tag, std::string_view text) {
  writer.add_bytes(tag, text.data(), text.size());
}

// A dimension's name: its symbol's own, or the text of the expression.
std::string dim_param(const ExprPool& exprs, Expr dim) {
  if (exprs.kind(dim) == ExprKind::symbol) {
    return exprs.symbols()[static_cast<std::size_t>(exprs.payload(dim))].name;
  }
  return exprs.text(dim);
}

std::string shape_message(const ExprPool& exprs, const std::vector<Expr>& shape) {
  std::string out;
  pbf_writer writer(out);
  for (const Expr dim : shape) {
    pbf_writer message(writer, 1);
    if (const auto value = exprs.value(dim)) {
      message.add_int64(1, *value);
    } else {
      add_text(message, 2, dim_param(exprs, dim));
    }
  }
  return out;
}

// ValueInfoProto. Inputs and outputs of subgraphs may go without a type.
std::string value_info(const Model& model, const Value& value) {
  std::string out;
  pbf_writer writer(out);
  add_text(writer, 1, value.name);
  if (value.dtype == DType::undefined) return out;
  pbf_writer type(writer, 2);
  pbf_writer tensor(type, 1);
  tensor.add_int64(1, static_cast<std::int64_t>(value.dtype));
  if (value.shape) add_text(tensor, 2, shape_message(model.exprs, *value.shape));
  return out;
}

Expected<std::string> whole_tensor(const Tensor& tensor, std::string_view name,
                                   std::string_view what) {
  SUBBYTE_CHECK_OK(check_data(tensor, what));
  std::string out = tensor_head(tensor, name);
  out += field_header(kTensorRawData, tensor.data.size());
  out.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
  return out;
}

// Numbers of AttributeProto.AttributeType, in the order of AttributeValue's alternatives.
constexpr std::int64_t kAttributeTypes[] = {2, 1, 3, 7, 6, 8, 4, 5};

Expected<std::string> attribute_message(const Model& model, const Attribute& attribute) {
  std::string out;
  pbf_writer writer(out);
  add_text(writer, 1, attribute.name);
  const AttributeValue& value = attribute.value;
  if (const auto* real = std::get_if<float>(&value)) writer.add_float(2, *real);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) writer.add_int64(3, *integer);
  if (const auto* text = std::get_if<std::string>(&value)) add_text(writer, 4, *text);
  if (const auto* tensor = std::get_if<Tensor>(&value)) {
    SUBBYTE_TRY(const std::string message,
                whole_tensor(*tensor, "", fmt::format("attribute {}", quoted(attribute.name))));
    add_text(writer, 5, message);
  }
  if (const auto* ref = std::get_if<GraphRef>(&value)) {
    SUBBYTE_TRY(std::string body, graph_body(model, ref->graph));
    const Graph& graph = model.graphs[ref->graph];
    for (const ValueId id : used_constants(model, ref->graph)) {
      const Value& constant = graph.values[id];
      SUBBYTE_TRY(const std::string message,
                  whole_tensor(*constant.constant, constant.name,
                               fmt::format("constant {}", quoted(constant.name))));
      body += field_header(kGraphInitializer, message.size()) + message;
    }
    add_text(writer, 6, body);
  }
  if (const auto* reals = std::get_if<std::vector<float>>(&value)) {
    for (const float item : *reals) writer.add_float(7, item);
  }
  if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value)) {
    for (const std::int64_t item : *integers) writer.add_int64(8, item);
  }
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    for (const std::string& item : *texts) add_text(writer, 9, item);
  }
  writer.add_int64(20, kAttributeTypes[value.index()]);
  return out;
}

// A name for each node that has one, "NAME_2" where another has it already: a pass that writes one
// node as several gives them all its name, and ONNX wants each once.
std::vector<std::string> node_names(const Graph& graph) {
  std::unordered_set<std::string> taken;
  for (const Node& node : graph.nodes) taken.insert(node.name);
  std::unordered_map<std::string_view, int> counts;
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) {
    std::string name = node.name;
    int& count = counts[node.name];
    if (++count > 1 && !name.empty()) {
      while (!taken.insert(name).second) name = fmt::format("{}_{}", node.name, count++);
      --count;
    }
    names.push_back(std::move(name));
  }
  return names;
}

Expected<std::string> node_message(const Model& model, const Graph& graph, const Node& node,
                                   const std::string& node_name) {
  std::string out;
  pbf_writer writer(out);
  const auto name = [&](ValueId id) -> std::string_view {
    return id == kNone ? std::string_view() : graph.values[id].name;
  };
  for (const ValueId id : node.inputs) add_text(writer, 1, name(id));
  for (const ValueId id : node.outputs) add_text(writer, 2, name(id));
  if (!node_name.empty()) add_text(writer, 3, node_name);
  add_text(writer, 4, node.op_type);
  for (const Attribute& attribute : node.attributes) {
    SUBBYTE_TRY(const std::string message, attribute_message(model, attribute));
    add_text(writer, 5, message);
  }
  if (!node.domain.empty()) add_text(writer, 7, node.domain);
  return out;
}

// A value that a subgraph takes, by name, from the graph around it.
bool is_capture(const Graph& graph, ValueId id) {
  const Value& value = graph.values[id];
  return value.producer == kNone && !value.constant &&
         std::find(graph.inputs.begin(), graph.inputs.end(), id) == graph.inputs.end();
}

}  // namespace

std::string field_header(std::uint32_t tag, std::uint64_t length) {
  constexpr std::uint64_t kLengthDelimited = 2;
  std::string out;
  protozero::add_varint_to_buffer(&out, (std::uint64_t{tag} << 3) | kLengthDelimited);
  protozero::add_varint_to_buffer(&out, length);
  return out;
}

std::string tensor_head(const Tensor& tensor, std::string_view name) {
  std::string out;
  pbf_writer writer(out);
  for (const std::int64_t dim : tensor.dims) writer.add_int64(1, dim);
  writer.add_int64(2, static_cast<std::int64_t>(tensor.dtype));
  if (!name.empty()) add_text(writer, 8, name);
  return out;
}

std::string external_data(std::string_view location, std::uint64_t offset, std::uint64_t length) {
  std::string out;
  pbf_writer writer(out);
  const auto add_entry = [&](std::string_view key, std::string_view value) {
    pbf_writer entry(writer, 13);
    add_text(entry, 1, key);
    add_text(entry, 2, value);
  };
  add_entry("location", location);
  add_entry("offset", std::to_string(offset));
  add_entry("length", std::to_string(length));
  writer.add_int64(14, 1);  // data_location: EXTERNAL
  return out;
}

Expected<void> check_data(const Tensor& tensor, std::string_view what) {
  if (tensor.dtype == DType::string) {
    return fail("{} holds strings, which subbyte does not keep and so cannot write", what);
  }
  const int bits = integer_bits(tensor.dtype);
  if (tensor.dtype == DType::float4e2m1 || (bits > 0 && bits < 8)) {
    return fail_as(ErrorKind::unsupported,
                   "{} holds {}, which subbyte reads and does not write; --target-format webgpu "
                   "keeps it",
                   what, dtype_name(tensor.dtype));
  }
  const std::uint64_t needed =
      static_cast<std::uint64_t>(tensor.elements()) * dtype_size(tensor.dtype);
  if (tensor.data.size() != needed) {
    return fail("{} has {} bytes of data, but its dims need {}", what, tensor.data.size(), needed);
  }
  return {};
}

Expected<std::string> graph_body(const Model& model, GraphId graph_id) {
  const Graph& graph = model.graphs[graph_id];
  std::string out;
  pbf_writer writer(out);
  const std::vector<std::string> names = node_names(graph);
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    auto message = node_message(model, graph, graph.nodes[id], names[id]);
    if (!message) return within(describe(graph, id), std::move(message.error()));
    add_text(writer, 1, *message);
  }
  add_text(writer, 2, graph.name.empty() ? "graph" : graph.name);  // ONNX wants a name here
  for (const auto& [tag, ids] : {std::pair{11U, &graph.inputs}, std::pair{12U, &graph.outputs}}) {
    for (const ValueId id : *ids) {
      const Value& value = graph.values[id];
      if (graph_id == 0 && value.dtype == DType::undefined) {
        return fail(
            "{} {} has no dtype: shapes were not inferred, or an operator that subbyte does not "
            "know computes it",
            tag == 11 ? "input" : "output", quoted(value.name));
      }
      add_text(writer, tag, value_info(model, value));
    }
  }
  return out;
}

std::vector<ValueId> used_constants(const Model& model, GraphId graph_id) {
  std::unordered_set<std::string_view> captured;
  for (GraphId id = 1; id < model.graphs.size(); ++id) {
    const Graph& graph = model.graphs[id];
    for (ValueId value = 0; value < graph.values.size(); ++value) {
      if (is_capture(graph, value)) captured.insert(graph.values[value].name);
    }
  }
  const Graph& graph = model.graphs[graph_id];
  const Uses uses = find_uses(graph);
  std::vector<ValueId> ids;
  for (ValueId id = 0; id < graph.values.size(); ++id) {
    const Value& value = graph.values[id];
    if (value.constant && (uses.count(id) != 0 || captured.contains(value.name))) ids.push_back(id);
  }
  return ids;
}

}  // namespace subbyte::onnx_messages
