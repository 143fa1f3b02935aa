#include "import/onnx.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/memory_file.h"
#include "graph/ops.h"
#include "graph/text.h"
#include "import/onnx_builder.h"

namespace subbyte {
namespace {

using namespace onnx_builder;
using testing::ElementsAre;

Expected<Model> parse(const std::string& bytes) {
  static MemoryFileSystem files;
  auto owner = std::make_shared<const std::string>(bytes);
  auto model = parse_onnx(files, std::as_bytes(std::span(*owner)), "models", "m.onnx", owner);
  if (model) {
    const auto verified = verify(*model);
    EXPECT_TRUE(verified) << verified.error().message;
  }
  return model;
}
std::string error(const std::string& bytes) {
  const auto model = parse(bytes);
  return model ? "no error" : model.error().message;
}

std::string name_of(const Graph& graph, ValueId id) {
  return id == kNone ? "-" : graph.values[id].name;
}
// "Add(x, w) -> y" for each node.
std::vector<std::string> nodes(const Graph& graph) {
  std::vector<std::string> lines;
  for (const Node& node : graph.nodes) {
    std::vector<std::string> inputs, outputs;
    for (const ValueId id : node.inputs) inputs.push_back(name_of(graph, id));
    for (const ValueId id : node.outputs) outputs.push_back(name_of(graph, id));
    lines.push_back(fmt::format("{}({}) -> {}", node.op_type, fmt::join(inputs, ", "),
                                fmt::join(outputs, ", ")));
  }
  return lines;
}
const Value* find(const Graph& graph, std::string_view name) {
  for (const Value& value : graph.values) {
    if (value.name == name) return &value;
  }
  return nullptr;
}
std::vector<std::string> shape_text(const Model& model, std::string_view name) {
  std::vector<std::string> dims;
  for (const Expr dim : find(model.main(), name)->shape.value()) {
    dims.push_back(model.exprs.text(dim));
  }
  return dims;
}
std::vector<std::int64_t> ints_of(const Model& model, std::string_view name) {
  return integer_values(find(model.main(), name)->constant.value()).value();
}

const std::string kX = value("x", DType::float32, {std::int64_t{2}});
const std::string kY = value("y", DType::float32, {std::int64_t{2}});
const std::string kW = tensor("w", DType::float32, {2}, raw({1.0F, 2.0F}));

TEST(ReadOnnx, ReadsAModel) {
  const auto model = parse(onnx_builder::model({.nodes = {node("Add", {"x", "w"}, {"y"}, "add")},
                                                .initializers = {kW},
                                                .inputs = {kX},
                                                .outputs = {kY},
                                                .name = "main"}) +
                           opset(1, "com.microsoft") + bytes_field(3, "1.2"));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->source_name, "m.onnx");
  EXPECT_EQ(model->producer, "maker 1.2");
  EXPECT_EQ(model->ir_version, 8);
  EXPECT_EQ(model->opset, 18);
  EXPECT_THAT(model->other_opsets, ElementsAre(testing::Pair("com.microsoft", 1)));
  const Graph& graph = model->main();
  EXPECT_EQ(graph.name, "main");
  EXPECT_THAT(nodes(graph), ElementsAre("Add(x, w) -> y"));
  EXPECT_EQ(graph.nodes[0].op, Op::Add);
  EXPECT_EQ(graph.nodes[0].name, "add");
  EXPECT_EQ(find(graph, "y")->producer, 0u);
  EXPECT_EQ(find(graph, "y")->shape, std::nullopt);
  ASSERT_NE(graph.constant(graph.nodes[0].inputs[1]), nullptr);
  EXPECT_THAT(graph.constant(graph.nodes[0].inputs[1])->dims, ElementsAre(2));
  EXPECT_EQ(graph.inputs.size(), 1u);
}

TEST(ReadOnnx, MakesDimensionsExpressions) {
  const auto model = parse(onnx_builder::model(
      {.nodes = {node("Foo", {"x", "z"}, {"y"})},
       .inputs = {value("x", DType::float32, {"batch", std::int64_t{3}, "", std::int64_t{-1}}),
                  value("z", DType::int64, {std::int64_t{0}, "batch", "x.2"}),
                  value("s", DType::boolean, {})},
       .outputs = {kY}}));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT(shape_text(*model, "x"), ElementsAre("batch", "3", "x.2_", "x.3"));
  EXPECT_THAT(shape_text(*model, "z"), ElementsAre("0", "batch", "x.2"));
  EXPECT_THAT(shape_text(*model, "s"), ElementsAre());
  const std::vector<Symbol>& symbols = model->exprs.symbols();
  ASSERT_EQ(symbols.size(), 4u);
  EXPECT_EQ(symbols[0].name, "batch");
  EXPECT_EQ(symbols[0].source.input, 0u);
  EXPECT_EQ(symbols[0].source.index, 0u);
  EXPECT_EQ(symbols[2].name, "x.3");
  EXPECT_EQ(symbols[2].source.index, 3u);
  EXPECT_EQ(symbols[3].name, "x.2");
  EXPECT_EQ(symbols[3].source.input, 1u);
  EXPECT_EQ(symbols[3].source.index, 2u);
}

// What exporters write for a size that they do not know names nothing: each is its own.
TEST(ReadOnnx, TakesOnlyNamesForNames) {
  const auto model = parse(onnx_builder::model(
      {.nodes = {node("Foo", {"x", "z"}, {"y"})},
       .inputs = {value("x", DType::float32, {"N", "?", "?", "-1", "7", " ", "+7", "?", "n7", "-"}),
                  value("z", DType::float32, {"N", "?", "-1", "7", "n7", "N "})},
       .outputs = {kY}}));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT(shape_text(*model, "x"),
              ElementsAre("N", "x.1", "x.2", "x.3", "x.4", "x.5", "x.6", "x.7", "n7", "`-`"));
  EXPECT_THAT(shape_text(*model, "z"), ElementsAre("N", "z.1", "z.2", "z.3", "n7", "`N `"));
}

TEST(ReadOnnx, TakesInitializersThatAreInputsAsConstants) {
  const auto model = parse(onnx_builder::model(
      {.nodes = {node("Add", {"x", "w"}, {"y"})},
       .initializers = {kW},
       .inputs = {value("w", DType::float32, {std::int64_t{2}}), value("x", DType::float32, {"n"})},
       .outputs = {kY}}));
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ(model->main().inputs.size(), 1u);
  EXPECT_EQ(name_of(model->main(), model->main().inputs[0]), "x");
  EXPECT_EQ(model->exprs.symbols()[0].source.input, 0u);
  EXPECT_TRUE(find(model->main(), "w")->constant);
}

TEST(ReadOnnx, TakesConstantNodesAsValues) {
  const auto model = parse(onnx_builder::model(
      {.nodes = {node("Constant", {}, {"a"}, "", {attribute("value", 4, bytes_field(5, kW))}),
                 node("Constant", {}, {"b"}, "", {attribute("value_int", 2, int_field(3, 7))},
                      "ai.onnx"),
                 node("Constant", {}, {"c"}, "",
                      {attribute("value_ints", 7, int_field(8, 1) + int_field(8, 2))}),
                 node("Constant", {}, {"d"}, "", {attribute("value_float", 1, float_field(2, 3))}),
                 node("Constant", {}, {"e"}, "", {attribute("value_floats", 6, "")}),
                 node("Foo", {"a", "b", "c", "d", "e"}, {"y"})},
       .outputs = {kY}}));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT(nodes(model->main()), ElementsAre("Foo(a, b, c, d, e) -> y"));
  EXPECT_THAT(shape_text(*model, "a"), ElementsAre("2"));
  EXPECT_THAT(shape_text(*model, "b"), ElementsAre());
  EXPECT_THAT(ints_of(*model, "b"), ElementsAre(7));
  EXPECT_THAT(ints_of(*model, "c"), ElementsAre(1, 2));
  EXPECT_EQ(find(model->main(), "d")->dtype, DType::float32);
  EXPECT_THAT(shape_text(*model, "e"), ElementsAre("0"));
}

TEST(ReadOnnx, RefusesOtherConstants) {
  const auto constant = [](const Names& attributes) {
    return error(onnx_builder::model({.nodes = {node("Constant", {}, {"y"}, "k", attributes)}}));
  };
  EXPECT_EQ(
      constant({attribute("value_string", 3, bytes_field(4, "x"))}),
      "'m.onnx': node 'k' (Constant): its attribute is 'value_string' of STRING; subbyte reads "
      "value (TENSOR), sparse_value (SPARSE_TENSOR), value_float, value_floats, value_int and "
      "value_ints");
  EXPECT_EQ(constant({attribute("sparse_value", 11, "")}),
            "'m.onnx': node 'k' (Constant): attribute 'sparse_value': values of attribute "
            "'sparse_value' has the dtype undefined, which subbyte does not read; it reads "
            "float32, float16, bfloat16, float64, bool, string, complex and the integers of 8 to "
            "64 bits");
  EXPECT_EQ(constant({}),
            "'m.onnx': node 'k' (Constant): it has 0 attributes and 0 inputs; a Constant has one "
            "attribute and no input");
  EXPECT_EQ(
      constant({attribute("value", 4, bytes_field(5, tensor_head("", 1, {1})))}),
      "'m.onnx': node 'k' (Constant): attribute 'value': float_data has 0 numbers, but its dims "
      "need 1");
}

TEST(ReadOnnx, KeepsEveryKindOfAttribute) {
  const auto model = parse(onnx_builder::model(
      {.nodes = {node(
           "Foo", {}, {"y"}, "",
           {attribute("f", 1, float_field(2, 1.5F)), attribute("i", 2, int_field(3, -4)),
            attribute("s", 3, bytes_field(4, "text")), attribute("t", 4, bytes_field(5, kW)),
            attribute("fs", 6, bytes_field(7, raw({1.0F, 2.0F}))),
            attribute("is", 7, int_field(8, 5)),
            attribute("ss", 8, bytes_field(9, "a") + bytes_field(9, "b")),
            bytes_field(1, "untyped") + int_field(3, 9)})},
       .outputs = {kY}}));
  ASSERT_TRUE(model) << model.error().message;
  const Node& node = model->main().nodes[0];
  EXPECT_EQ(node.op, Op::Unknown);
  EXPECT_EQ(node.float_or("f", 0), 1.5F);
  EXPECT_EQ(node.int_or("i", 0), -4);
  EXPECT_EQ(node.string_or("s", ""), "text");
  ASSERT_NE(node.tensor("t"), nullptr);
  EXPECT_THAT(node.tensor("t")->dims, ElementsAre(2));
  EXPECT_THAT(std::get<std::vector<float>>(node.find("fs")->value), ElementsAre(1.0F, 2.0F));
  EXPECT_THAT(std::get<std::vector<std::int64_t>>(node.find("is")->value), ElementsAre(5));
  EXPECT_THAT(std::get<std::vector<std::string>>(node.find("ss")->value), ElementsAre("a", "b"));
  EXPECT_EQ(node.int_or("untyped", 0), 9);
}

TEST(ReadOnnx, RefusesOtherAttributes) {
  const auto with = [](const Names& attributes) {
    return error(onnx_builder::model({.nodes = {node("Foo", {}, {"y"}, "", attributes)}}));
  };
  EXPECT_EQ(with({attribute("type", 13, "")}),
            "'m.onnx': node 0 (Foo): attribute 'type': it is of TYPE_PROTO, which subbyte does not "
            "read; it reads FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS and STRINGS");
  EXPECT_EQ(
      with({attribute("a", 77, "")}),
      "'m.onnx': node 0 (Foo): attribute 'a': it is of type 77, which subbyte does not read; it "
      "reads FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS and STRINGS");
  EXPECT_EQ(with({attribute("a", 2, int_field(3, 1)), attribute("a", 2, int_field(3, 1))}),
            "'m.onnx': node 0 (Foo): attribute 'a' is there twice; ONNX allows each name once");
  EXPECT_EQ(with({attribute("a", 2, bytes_field(21, "b"))}),
            "'m.onnx': node 0 (Foo): attribute 'a' refers to attribute 'b' of a function, but the "
            "node is not in one");
}

TEST(ReadOnnx, SortsNodes) {
  const auto model = parse(onnx_builder::model(
      {.nodes = {node("Relu", {"b"}, {"y"}),
                 node("Constant", {}, {"w"}, "", {attribute("value_float", 1, float_field(2, 3))}),
                 node("Add", {"a", "w"}, {"b"}), node("Neg", {"x"}, {"a"})},
       .inputs = {kX},
       .outputs = {kY}}));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT(nodes(model->main()), ElementsAre("Neg(x) -> a", "Add(a, w) -> b", "Relu(b) -> y"));
}

TEST(ReadOnnx, NamesACycle) {
  EXPECT_EQ(
      error(
          onnx_builder::model({.nodes = {node("Neg", {"x"}, {"a"}), node("Add", {"a", "c"}, {"b"}),
                                         node("Relu", {"b"}, {"c"}, "back")},
                               .inputs = {kX},
                               .outputs = {kY}})),
      "'m.onnx': node 1 (Add) depends on its own result, by way of node 'back' (Relu): a cycle "
      "of 2 nodes");
}

TEST(ReadOnnx, KeepsAbsentInputsAndOutputs) {
  const auto model = parse(onnx_builder::model(
      {.nodes = {node("Clip", {"x", "", "w"}, {"y"}), node("Foo", {"x"}, {"", "z"})},
       .initializers = {kW},
       .inputs = {kX},
       .outputs = {kY}}));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT(nodes(model->main()), ElementsAre("Clip(x, -, w) -> y", "Foo(x) -> -, z"));
}

TEST(ReadOnnx, ALocalFunctionTakesTheNameOfAnOperator) {
  const auto model = parse(
      onnx_builder::model({.nodes = {node("Relu", {"x"}, {"a"}), node("Add", {"a", "a"}, {"y"})},
                           .inputs = {kX},
                           .outputs = {kY}}) +
      bytes_field(25, bytes_field(1, "Add") + bytes_field(4, "p") + bytes_field(4, "q") +
                          bytes_field(5, "r") + bytes_field(7, node("Sub", {"p", "q"}, {"r"})) +
                          bytes_field(10, "ai.onnx")));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT(nodes(model->main()), ElementsAre("Relu(x) -> a", "Sub(a, a) -> y"));
}

// If with a branch that uses x of the main graph two graphs further in.
TEST(ReadOnnx, ResolvesCapturesOneGraphFurtherOut) {
  const std::string inner = graph({.nodes = {node("Add", {"x", "w"}, {"i"})},
                                   .outputs = {value("i", DType::float32)},
                                   .name = "inner"});
  const std::string outer =
      graph({.nodes = {node("If", {"c"}, {"o"}, "",
                            {attribute("then_branch", 5, bytes_field(6, inner))})},
             .initializers = {tensor("w", DType::float32, {}, raw({1.0F}))},
             .outputs = {bytes_field(1, "o")},
             .name = "outer"});
  const auto model = parse(onnx_builder::model(
      {.nodes = {node("If", {"c"}, {"y"}, "", {attribute("then_branch", 5, bytes_field(6, outer))}),
                 node("Relu", {"w"}, {"x"})},
       .initializers = {kW},
       .inputs = {value("c", DType::boolean, {})},
       .outputs = {kY}}));
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ(model->graphs.size(), 3u);
  // The If depends on x by what it captures.
  EXPECT_THAT(nodes(model->graphs[0]), ElementsAre("Relu(w) -> x", "If(c) -> y"));
  EXPECT_EQ(std::get<GraphRef>(model->graphs[0].nodes[1].attributes[0].value).graph, 1u);
  EXPECT_EQ(std::get<GraphRef>(model->graphs[1].nodes[0].attributes[0].value).graph, 2u);
  EXPECT_EQ(model->graphs[2].name, "inner");
  for (const GraphId id : {1u, 2u}) {
    const Value* x = find(model->graphs[id], "x");
    ASSERT_NE(x, nullptr) << id;
    EXPECT_EQ(x->producer, kNone);
    EXPECT_FALSE(x->constant);
    EXPECT_TRUE(model->graphs[id].inputs.empty());
  }
  EXPECT_TRUE(find(model->graphs[1], "w")->constant);
  EXPECT_FALSE(find(model->graphs[2], "w")->constant);
}

TEST(ReadOnnx, NamesANodeOfASubgraph) {
  const std::string body = graph({.nodes = {node("Relu", {"q"}, {"o"})}, .outputs = {}});
  EXPECT_EQ(
      error(onnx_builder::model(
          {.nodes = {node("If", {}, {"y"}, "if",
                          {attribute("else_branch", 5, bytes_field(6, body))})}})),
      "'m.onnx': node 'if' (If): attribute 'else_branch': node 0 (Relu): its input 'q' is not "
      "defined: no input, initializer or node output has this name");
}

TEST(ReadOnnx, LimitsTheDepthOfSubgraphs) {
  const auto nested = [](int depth) {
    std::string body = graph({});
    for (int i = 0; i < depth; ++i) {
      body = graph({.nodes = {node("If", {}, {}, "", {attribute("b", 5, bytes_field(6, body))})}});
    }
    return error(onnx_builder::model(
        {.nodes = {node("If", {}, {"y"}, "", {attribute("b", 5, bytes_field(6, body))})},
         .outputs = {kY}}));
  };
  EXPECT_EQ(nested(63), "no error");
  EXPECT_THAT(nested(64),
              testing::EndsWith("graphs are nested more than 64 deep, which is the most "
                                "that subbyte reads"));
  EXPECT_THAT(nested(1000), testing::HasSubstr("nested more than 64 deep"));
}

TEST(ReadOnnx, ChecksNames) {
  EXPECT_EQ(
      error(onnx_builder::model({.nodes = {node("Relu", {"x"}, {"x"}, "r")}, .inputs = {kX}})),
      "'m.onnx': node 'r' (Relu): the value 'x' is defined twice; each value of a graph has one "
      "origin");
  EXPECT_EQ(error(onnx_builder::model({.inputs = {kX, kX}})),
            "'m.onnx': the value 'x' is defined twice; each value of a graph has one origin");
  EXPECT_EQ(error(onnx_builder::model({.initializers = {kW, kW}})),
            "'m.onnx': the value 'w' is defined twice; each value of a graph has one origin");
  EXPECT_EQ(error(onnx_builder::model({.inputs = {value("", DType::float32, {})}})),
            "'m.onnx': a value has an empty name");
  EXPECT_EQ(error(onnx_builder::model({.nodes = {node("", {}, {})}})),
            "'m.onnx': node 0 (''): it names no operator");
  EXPECT_EQ(
      error(onnx_builder::model({.inputs = {kX}, .outputs = {kY}})),
      "'m.onnx': output 'y' is not defined: no input, initializer or node output has this name");
  EXPECT_EQ(error(onnx_builder::model({.inputs = {kX}, .outputs = {kX, kX}})),
            "'m.onnx': output 'x' is listed twice; each output of a model has its own name");
  EXPECT_EQ(error(onnx_builder::model({.inputs = {kX}})),
            "'m.onnx': the graph has no outputs; export the model again with its outputs declared");
}

TEST(ReadOnnx, ChecksArity) {
  const auto with = [](const std::string& bytes, std::int64_t opset_version) {
    return error(
        onnx_builder::model({.nodes = {bytes}, .inputs = {kX}, .outputs = {kY}}, opset_version));
  };
  EXPECT_EQ(with(node("Add", {"x", "x", "x"}, {"y"}, "add"), 18),
            "'m.onnx': node 'add' (Add): it has 3 inputs; Add takes at most 2");
  EXPECT_EQ(with(node("Add", {"x", ""}, {"y"}), 18),
            "'m.onnx': node 0 (Add): its input 1 is missing; Add needs it");
  EXPECT_EQ(with(node("Relu", {"x"}, {"z", "y"}), 18),
            "'m.onnx': node 0 (Relu): it has 2 outputs; Relu gives at most 1");
  EXPECT_EQ(with(node("Transpose", {}, {"y"}), 13),
            "'m.onnx': node 0 (Transpose): its input 0 is missing; Transpose needs it");
  // Until opset 13 the axes of Unsqueeze are an attribute.
  EXPECT_EQ(with(node("Unsqueeze", {"x"}, {"y"}), 11), "no error");
}

TEST(ReadOnnx, ChecksTypes) {
  const auto input = [](const std::string& type) {
    return error(onnx_builder::model({.inputs = {bytes_field(1, "x") + type}}));
  };
  EXPECT_EQ(
      input(""),
      "'m.onnx': input 'x' has no type; export the model again with typed inputs and outputs");
  EXPECT_EQ(input(bytes_field(2, bytes_field(4, ""))),
            "'m.onnx': input 'x' is a sequence, but subbyte reads models of tensors only");
  EXPECT_EQ(input(bytes_field(2, bytes_field(9, ""))),
            "'m.onnx': input 'x' is an optional, but subbyte reads models of tensors only");
  EXPECT_EQ(
      input(bytes_field(2, bytes_field(1, int_field(1, 21)))),
      "'m.onnx': input 'x' has the dtype uint4, which subbyte does not read; it reads float32, "
      "float16, bfloat16, float64, bool, string, complex and the integers of 8 to 64 bits");
  EXPECT_EQ(
      input(bytes_field(2, bytes_field(1, int_field(1, 1)))),
      "'m.onnx': input 'x' has no shape, not even a rank; export the model with a shape for it, "
      "sizes that vary as named dimensions");
  EXPECT_EQ(error(onnx_builder::model(
                {.inputs = {value("x", DType::float32,
                                  {std::int64_t{1} << 40, std::int64_t{1} << 40})}})),
            "'m.onnx': input 'x' has more than 2^63 elements");
}

TEST(ReadOnnx, ChecksOpsets) {
  const std::string body = bytes_field(7, graph({}));
  EXPECT_EQ(error(body + opset(5)),
            "'m.onnx': opset 5 of ai.onnx is not supported; subbyte reads 6 to 28");
  EXPECT_EQ(error(body + opset(29, "ai.onnx")),
            "'m.onnx': opset 29 of ai.onnx is not supported; subbyte reads 6 to 28");
  EXPECT_EQ(error(body + opset(13) + opset(14)),
            "'m.onnx': it declares two opsets of ai.onnx, 13 and 14");
  EXPECT_EQ(
      error(body + opset(1, "ai.onnx.ml")),
      "'m.onnx': it declares no opset of ai.onnx; subbyte reads 6 to 28: export the model again");
}

TEST(ReadOnnx, ReadsSparseInitializersAndConstants) {
  const auto sparse = [](std::string_view name, std::int64_t at) {
    return bytes_field(1, tensor(name, DType::int64, {1}, raw<std::int64_t>({5}))) +
           bytes_field(2, tensor("", DType::int64, {1}, raw<std::int64_t>({at}))) + int_field(3, 2);
  };
  const std::string constant = node(
      "Constant", {}, {"c"}, "", {attribute("sparse_value", 11, bytes_field(22, sparse("", 1)))});
  // An input of that name is its default.
  const auto model =
      parse(int_field(1, 8) +
            bytes_field(7, graph({.nodes = {constant, node("Foo", {"s", "c"}, {"y"})},
                                  .inputs = {value("s", DType::int64, {2})},
                                  .outputs = {kY}}) +
                               bytes_field(15, sparse("s", 0))) +
            opset(18));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(model->main().inputs.empty());
  EXPECT_THAT(ints_of(*model, "s"), ElementsAre(5, 0));
  EXPECT_THAT(ints_of(*model, "c"), ElementsAre(0, 5));
}

TEST(ReadOnnx, SaysWhatIsNoModel) {
  EXPECT_EQ(error("version https://git-lfs.github.com/spec/v1\n"),
            "'m.onnx': not an ONNX model but a Git LFS pointer; run 'git lfs pull' to get the file "
            "that it stands for");
  EXPECT_EQ(
      error(opset(18)),
      "'m.onnx': not an ONNX model: it has 0 graphs, and a model has one; name the .onnx file "
      "itself");
  const std::string whole =
      onnx_builder::model({.nodes = {node("Relu", {"x"}, {"y"})}, .inputs = {kX}, .outputs = {kY}});
  EXPECT_EQ(
      error(whole.substr(0, whole.size() / 2)),
      "'m.onnx': not a whole ONNX model: ModelProto ends in the middle of a field: the file is "
      "damaged or cut off; get a whole copy");
  EXPECT_EQ(
      error(bytes_field(
                7, bytes_field(1, node("Relu", {}, {})) + bytes_field(1, bytes_field(5, "\x10"))) +
            opset(18)),
      "'m.onnx': node 1: attribute 0: field 'f' of AttributeProto has the wire type varint, but "
      "ONNX defines it as fixed32");
}

TEST(ReadOnnx, EveryPrefixIsAnErrorAndNoCrash) {
  const std::string whole =
      onnx_builder::model({.nodes = {node("Conv", {"x", "w"}, {"y"}, "c",
                                          {attribute("pads", 7, int_field(8, 1)),
                                           attribute("t", 4, bytes_field(5, kW))})},
                           .initializers = {kW},
                           .inputs = {kX},
                           .outputs = {kY}});
  ASSERT_TRUE(parse(whole)) << error(whole);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse(whole.substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace subbyte
