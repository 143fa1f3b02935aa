#include "import/inline_functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/memory_file.h"
#include "import/onnx.h"
#include "import/onnx_builder.h"

namespace subbyte {
namespace {

using namespace onnx_builder;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kX = value("x", DType::float32, {std::int64_t{2}});
const std::string kY = value("y", DType::float32, {std::int64_t{2}});

struct Function {
  std::string name;
  Names inputs, outputs, nodes;
  Names defaults = {};
  std::int64_t opset = 18;
};

std::string function(const Function& f) {
  std::string out = bytes_field(1, f.name);
  for (const std::string& input : f.inputs) out += bytes_field(4, input);
  for (const std::string& output : f.outputs) out += bytes_field(5, output);
  for (const std::string& message : f.nodes) out += bytes_field(7, message);
  out += bytes_field(9, bytes_field(1, "") + int_field(2, f.opset));
  out += bytes_field(10, "local");
  for (const std::string& message : f.defaults) out += bytes_field(11, message);
  return bytes_field(25, out);
}

std::string call(std::string_view name, const Names& inputs, const Names& outputs,
                 std::string_view node_name = "", const Names& attributes = {}) {
  return node(name, inputs, outputs, node_name, attributes, "local");
}

// An attribute of a node in a function that has the value of one of the function's.
std::string alpha_from(std::string_view name) {
  return bytes_field(1, "alpha") + int_field(20, 1) + bytes_field(21, name);
}

Expected<Model> parse(const std::string& bytes) {
  static MemoryFileSystem files;
  auto owner = std::make_shared<const std::string>(bytes);
  return parse_onnx(files, std::as_bytes(std::span(*owner)), "models", "m.onnx", owner);
}

std::vector<std::string> nodes(const Graph& graph) {
  std::vector<std::string> list;
  for (const Node& node : graph.nodes) {
    std::string line = node.op_type + "(";
    for (const ValueId input : node.inputs)
      line += (input == kNone ? "-" : graph.values[input].name) + " ";
    line += ") ->";
    for (const ValueId output : node.outputs)
      line += " " + (output == kNone ? "-" : graph.values[output].name);
    if (node.find("alpha") != nullptr) line += fmt::format(" {}", node.float_or("alpha", 0));
    list.push_back(line);
  }
  return list;
}

// The nodes of a model with these nodes and functions, or the error.
std::vector<std::string> expanded(const Names& main, const Names& functions) {
  std::string bytes = onnx_builder::model({.nodes = main, .inputs = {kX}, .outputs = {kY}});
  for (const std::string& function : functions) bytes += function;
  const auto model = parse(bytes);
  if (!model) return {model.error().message};
  return nodes(model->main());
}

TEST(InlineFunctions, ACallBecomesItsBody) {
  const std::string leaky =
      function({.name = "Leaky",
                .inputs = {"a", "b"},
                .outputs = {"c"},
                .nodes = {node("LeakyRelu", {"a"}, {"t"}, "", {alpha_from("slope")}),
                          node("Add", {"t", "b"}, {"c"})},
                .defaults = {attribute("slope", 1, float_field(2, 0.5F))}});
  EXPECT_THAT(expanded({call("Leaky", {"x", "x"}, {"t"}, "one"),
                        call("Leaky", {"t", "x"}, {"y"}, "two",
                             {attribute("slope", 1, float_field(2, 0.25F))})},
                       {leaky}),
              ElementsAre("LeakyRelu(x ) -> one/t 0.5", "Add(one/t x ) -> t",
                          "LeakyRelu(t ) -> two/t 0.25", "Add(two/t x ) -> y"));
}

TEST(InlineFunctions, NamesDoNotClash) {
  const std::string twice =
      function({.name = "F",
                .inputs = {"x"},
                .outputs = {"z"},
                .nodes = {node("Abs", {"x"}, {"y"}), node("Neg", {"y"}, {"z"})}});
  // The name that the first would give is that of a value, and both calls have one name.
  EXPECT_THAT(expanded({node("Relu", {"x"}, {"n/y"}), call("F", {"n/y"}, {"b"}, "n"),
                        call("F", {"b"}, {"y"}, "n")},
                       {twice}),
              ElementsAre("Relu(x ) -> n/y", "Abs(n/y ) -> n_1/y", "Neg(n_1/y ) -> b",
                          "Abs(b ) -> n_2/y", "Neg(n_2/y ) -> y"));
}

TEST(InlineFunctions, CallsInsideOfCalls) {
  const std::string inner = function(
      {.name = "Inner", .inputs = {"a"}, .outputs = {"b"}, .nodes = {node("Abs", {"a"}, {"b"})}});
  const std::string outer =
      function({.name = "Outer",
                .inputs = {"a"},
                .outputs = {"b"},
                .nodes = {call("Inner", {"a"}, {"t"}, "i"), call("Inner", {"t"}, {"b"}, "i")}});
  EXPECT_THAT(expanded({call("Outer", {"x"}, {"y"}, "o")}, {inner, outer}),
              ElementsAre("Abs(x ) -> o/t", "Abs(o/t ) -> y"));
}

TEST(InlineFunctions, WhatIsLeftOutAndWhatIsPassedOn) {
  const std::string f =
      function({.name = "F",
                .inputs = {"a", "low", "high"},
                .outputs = {"b", "c", "d"},
                .nodes = {node("Clip", {"a", "low", "high"}, {"b"}), node("Abs", {"b"}, {"c"})}});
  const std::string same =
      function({.name = "Same", .inputs = {"a"}, .outputs = {"a"}, .nodes = {}});
  EXPECT_THAT(expanded({call("F", {"x"}, {"t"}, "f"), call("Same", {"t"}, {"y"}, "s")}, {f, same}),
              ElementsAre("Clip(x - - ) -> t", "Abs(t ) -> f/c", "Identity(t ) -> y"));
}

// If whose branch uses a value and an attribute of the function, and calls another.
TEST(InlineFunctions, GraphsInsideOfABody) {
  const std::string inner = function(
      {.name = "Inner", .inputs = {"a"}, .outputs = {"b"}, .nodes = {node("Abs", {"a"}, {"b"})}});
  const std::string branch = graph({.nodes = {node("Elu", {"t"}, {"u"}, "", {alpha_from("slope")}),
                                              call("Inner", {"u"}, {"v"}, "c")},
                                    .outputs = {bytes_field(1, "v")},
                                    .name = "branch"});
  const std::string outer =
      function({.name = "Outer",
                .inputs = {"a"},
                .outputs = {"b"},
                .nodes = {node("Relu", {"a"}, {"t"}),
                          node("If", {"t"}, {"b"}, "",
                               {attribute("then_branch", 5, bytes_field(6, branch))})}});
  std::string bytes = onnx_builder::model(
      {.nodes = {call("Outer", {"x"}, {"y"}, "o", {attribute("slope", 1, float_field(2, 0.25F))})},
       .inputs = {kX},
       .outputs = {kY}});
  const auto model = parse(bytes + inner + outer);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT(nodes(model->graphs[0]),
              ElementsAre("Relu(x ) -> o/t", testing::StartsWith("If(o/t")));
  EXPECT_THAT(nodes(model->graphs[1]), ElementsAre("Elu(o/t ) -> o/u 0.25", "Abs(o/u ) -> o/v"));
}

TEST(InlineFunctions, RefusesWhatDoesNotEnd) {
  const std::string self = function(
      {.name = "F", .inputs = {"a"}, .outputs = {"b"}, .nodes = {call("F", {"a"}, {"b"})}});
  EXPECT_THAT(expanded({call("F", {"x"}, {"y"})}, {self}),
              ElementsAre("'m.onnx': node 0 (F): node 0 (F): the function 'F' calls itself"));
  // Each calls the next twice: 2^40 nodes.
  Names bomb{function(
      {.name = "f0", .inputs = {"a"}, .outputs = {"b"}, .nodes = {node("Abs", {"a"}, {"b"})}})};
  for (int i = 1; i <= 40; ++i) {
    const std::string next = fmt::format("f{}", i - 1);
    bomb.push_back(function({.name = fmt::format("f{}", i),
                             .inputs = {"a"},
                             .outputs = {"b"},
                             .nodes = {call(next, {"a"}, {"t"}), call(next, {"t"}, {"b"})}}));
  }
  EXPECT_THAT(expanded({call("f40", {"x"}, {"y"})}, bomb),
              ElementsAre(HasSubstr("its functions have more than 262144 nodes, written out")));
  Names chain{bomb.front()};
  for (int i = 1; i <= 70; ++i)
    chain.push_back(function({.name = fmt::format("f{}", i),
                              .inputs = {"a"},
                              .outputs = {"b"},
                              .nodes = {call(fmt::format("f{}", i - 1), {"a"}, {"b"})}}));
  EXPECT_THAT(expanded({call("f70", {"x"}, {"y"})}, chain),
              ElementsAre(HasSubstr("functions call each other more than 64 deep")));
}

TEST(InlineFunctions, RefusesWhatDoesNotFit) {
  const std::string f = function(
      {.name = "F", .inputs = {"a"}, .outputs = {"b"}, .nodes = {node("Abs", {"c"}, {"b"})}});
  EXPECT_THAT(expanded({call("F", {"x"}, {"y"}, "n")}, {f}),
              ElementsAre("'m.onnx': node 'n' (F): node 0 (Abs): its input 'c' is not defined: no "
                          "input or node of the function has this name"));
  EXPECT_THAT(
      expanded({call("F", {"x", "x"}, {"y"}, "n")}, {f}),
      ElementsAre("'m.onnx': node 'n' (F): it has 2 inputs and 1 outputs; its function has 1 "
                  "and 1"));
  const std::string missing =
      function({.name = "F", .inputs = {"a"}, .outputs = {"b"}, .nodes = {}});
  EXPECT_THAT(expanded({call("F", {"x"}, {"y"}, "n")}, {missing}),
              ElementsAre("'m.onnx': node 'n' (F): the output 'b' of its function is not defined "
                          "there"));
  const std::string again = function(
      {.name = "F", .inputs = {"a"}, .outputs = {"b"}, .nodes = {node("Abs", {"a"}, {"a"})}});
  EXPECT_THAT(
      expanded({call("F", {"x"}, {"y"}, "n")}, {again}),
      ElementsAre("'m.onnx': node 'n' (F): the value 'a' of its function is defined twice"));
  const std::string old = function({.name = "F",
                                    .inputs = {"a"},
                                    .outputs = {"b"},
                                    .nodes = {node("Softmax", {"a"}, {"b"})},
                                    .opset = 12});
  EXPECT_THAT(expanded({call("F", {"x"}, {"y"}, "n")}, {old}),
              ElementsAre("'m.onnx': node 'n' (F): it is of opset 12 of ai.onnx and the model of "
                          "opset 18, between which Softmax changed; export the model with one "
                          "opset"));
}

}  // namespace
}  // namespace subbyte
