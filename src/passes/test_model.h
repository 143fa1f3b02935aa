// Small models for tests of passes, and a listing of what a pass left.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <string>

#include "graph/graph.h"
#include "graph/op_info.h"

namespace subbyte {

class TestModel {
 public:
  TestModel() {
    model.source_name = "model.onnx";
    model.opset = 18;
    model.graphs.emplace_back();
  }

  ValueId input(const std::string& name, DType dtype, std::initializer_list<std::int64_t> dims) {
    const ValueId id = value(name, dtype, dims);
    model.main().inputs.push_back(id);
    return id;
  }
  ValueId constant(const std::string& name, Tensor tensor) {
    const ValueId id = value(name, tensor.dtype, tensor.dims);
    model.main().values[id].constant = std::move(tensor);
    return id;
  }
  // The output is named by the caller; its dtype and shape stay unknown.
  ValueId node(Op op, std::vector<ValueId> inputs, const std::string& output,
               std::vector<Attribute> attributes = {}) {
    return nodes(op, std::move(inputs), {output}, std::move(attributes)).front();
  }
  std::vector<ValueId> nodes(Op op, std::vector<ValueId> inputs,
                             const std::vector<std::string>& outputs,
                             std::vector<Attribute> attributes = {}) {
    Node made;
    made.op = op;
    made.op_type = op == Op{} ? "Mystery" : std::string(op_info(op).name);
    made.inputs = std::move(inputs);
    made.attributes = std::move(attributes);
    for (const std::string& name : outputs) {
      Value result;
      result.name = name;
      made.outputs.push_back(model.main().add_value(std::move(result)));
    }
    std::vector<ValueId> ids = made.outputs;
    model.main().add_node(std::move(made));
    return ids;
  }
  void output(ValueId id) { model.main().outputs.push_back(id); }
  void set_shape(ValueId id, DType dtype, std::initializer_list<std::int64_t> dims) {
    model.main().values[id].dtype = dtype;
    model.main().values[id].shape = exprs(dims);
  }
  std::vector<Expr> exprs(std::span<const std::int64_t> numbers) {
    std::vector<Expr> list;
    for (const std::int64_t number : numbers) list.push_back(model.exprs.constant(number));
    return list;
  }
  std::vector<Expr> exprs(std::initializer_list<std::int64_t> numbers) {
    return exprs(std::span(std::data(numbers), numbers.size()));
  }

  Model model;

 private:
  ValueId value(const std::string& name, DType dtype, std::span<const std::int64_t> dims) {
    Value made;
    made.name = name;
    made.dtype = dtype;
    made.shape = exprs(dims);
    return model.main().add_value(std::move(made));
  }
  ValueId value(const std::string& name, DType dtype, std::initializer_list<std::int64_t> dims) {
    return value(name, dtype, std::span(std::data(dims), dims.size()));
  }
};

inline Tensor floats(std::vector<std::int64_t> dims, std::initializer_list<float> values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), std::data(values), bytes.size());
  return make_tensor(DType::float32, std::move(dims), std::move(bytes));
}
inline Tensor int64s(std::vector<std::int64_t> dims, std::initializer_list<std::int64_t> values) {
  return make_int64_tensor(std::move(dims), std::span(std::data(values), values.size()));
}

// "(x) -> (y); c = [2 elements]; y = Add(x, c)": inputs, outputs, constants and nodes. Checks on
// the way that producers and nodes agree.
inline std::string listing(const Model& model) {
  const Graph& graph = model.main();
  const auto names = [&](const std::vector<ValueId>& ids) {
    std::string text;
    for (const ValueId id : ids)
      text += (text.empty() ? "" : ", ") + (id == kNone ? "-" : graph.values.at(id).name);
    return text;
  };
  std::string text = fmt::format("({}) -> ({})", names(graph.inputs), names(graph.outputs));
  for (const Value& value : graph.values) {
    if (!value.constant) continue;
    EXPECT_EQ(value.producer, kNone) << value.name;
    text += fmt::format("; {} =", value.name);
    if (const auto integers = integer_values(*value.constant)) {
      for (const std::int64_t element : *integers) text += fmt::format(" {}", element);
    } else {
      std::vector<float> elements(static_cast<std::size_t>(value.constant->elements()));
      read_floats(*value.constant, 0, value.constant->elements(), elements.data());
      for (const float element : elements) text += fmt::format(" {}", element);
    }
  }
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    text += fmt::format("; {} = {}({})", names(node.outputs), node.op_type, names(node.inputs));
    for (const ValueId output : node.outputs) {
      if (output == kNone) continue;
      EXPECT_EQ(graph.values.at(output).producer, n) << text;
    }
  }
  return text;
}

}  // namespace subbyte
