#include "emit/onnx/onnx.h"

#include <gmock/gmock.h>

#include <sstream>

#include "base/memory_file.h"
#include "graph/text.h"
#include "import/onnx.h"
#include "import/onnx_builder.h"
#include "import/onnx_wire.h"

namespace subbyte {
namespace {

using namespace onnx_builder;
using testing::ElementsAre;

class WriteOnnx : public testing::Test {
 protected:
  Model parse(const std::string& bytes) {
    auto owner = std::make_shared<const std::string>(bytes);
    auto model = parse_onnx(files_, std::as_bytes(std::span(*owner)), "out", "in.onnx", owner);
    return std::move(model.value());
  }
  std::string write(const Model& model, const WeightSource& weights = {},
                    std::uint64_t largest = kLargestProtobuf, bool force = false) {
    OnnxSink sink(files_, "out/m.onnx", force);
    const auto written = write_onnx(sink, "m.onnx", model, weights, largest);
    return written ? "" : written.error().message;
  }
  Model read() {
    auto model = read_onnx(files_, "out/m.onnx");
    EXPECT_TRUE(model) << model.error().message;
    return std::move(model.value());
  }
  wire::ModelProto proto() {
    text_ = files_.text("out/m.onnx");
    return wire::read_model(text_).value();
  }
  MemoryFileSystem files_;
  std::string text_;
};

std::string bytes_of(const Model& model, std::string_view name) {
  for (const Value& value : model.main().values) {
    if (value.name == name && value.constant) {
      const Bytes data = value.constant->data;
      return {reinterpret_cast<const char*>(data.data()), data.size()};
    }
  }
  return "no constant";
}

// The text without the lines that hold `word`.
std::string without_lines(const std::string& text, std::string_view word) {
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(word) == std::string::npos) kept += line + "\n";
  }
  return kept;
}

const std::string kW = tensor("w", DType::float32, {2}, raw({1.0F, 2.0F}));
const std::string kY = value("y", DType::float32, {"n"});

// Every kind of attribute, subgraphs with captures and constants of their own, absent inputs and
// outputs, constants as outputs.
std::string rich_model() {
  const std::string branch =
      graph({.nodes = {node("Add", {"x", "k"}, {"a"}), node("Add", {"a", "w"}, {"b"}, "inner")},
             .initializers = {tensor("k", DType::float32, {}, raw({3.0F})),
                              tensor("unused", DType::float32, {}, raw({4.0F}))},
             .inputs = {value("i", DType::int64, {})},
             .outputs = {value("b", DType::float32)},
             .name = "branch"});
  return onnx_builder::model(
             {.nodes = {node("If", {"c"}, {"p"}, "if",
                             {attribute("then_branch", 5, bytes_field(6, branch)),
                              attribute("else_branch", 5, bytes_field(6, branch))}),
                        node("Foo", {"p", "", "x"}, {"", "y"}, "foo",
                             {attribute("f", 1, float_field(2, 1.5F)),
                              attribute("i", 2, int_field(3, -4)),
                              attribute("s", 3, bytes_field(4, std::string("a\0b", 3))),
                              attribute("t", 4, bytes_field(5, kW)),
                              attribute("fs", 6, bytes_field(7, raw({1.0F, 2.0F}))),
                              attribute("is", 7, int_field(8, 5) + int_field(8, -5)),
                              attribute("ss", 8, bytes_field(9, "a") + bytes_field(9, "b")),
                              attribute("empty", 7, "")},
                             "custom")},
              .initializers = {kW, tensor("q", DType::int64, {0, 3}, "")},
              .inputs = {value("x", DType::float32, {"n", std::int64_t{2}, ""}),
                         value("c", DType::boolean, {})},
              .outputs = {kY, value("q", DType::int64, {})},
              .name = "main"},
             21) +
         opset(3, "custom") + opset(4, "not used");
}

TEST_F(WriteOnnx, RoundTrips) {
  const Model source = parse(rich_model());
  ASSERT_EQ(write(source), "");
  const std::string once = files_.text("out/m.onnx");
  const Model back = read();
  ASSERT_EQ(write(back), "");
  EXPECT_EQ(files_.text("out/m.onnx"), once);
  EXPECT_THAT(files_.paths(), ElementsAre("out/m.onnx"));

  // What writing changes, and nothing else.
  Model expected = source;
  expected.source_name = "out/m.onnx";
  expected.producer = "subbyte";
  expected.other_opsets = {{"custom", 3}};
  EXPECT_EQ(without_lines(to_text(back), "%unused"), to_text(back));
  EXPECT_EQ(to_text(back), without_lines(to_text(expected), "%unused"));
  const Node& foo = back.main().nodes[1];
  EXPECT_EQ(foo.outputs[0], kNone);
  EXPECT_EQ(foo.float_or("f", 0), 1.5F);
  EXPECT_EQ(foo.int_or("i", 0), -4);
  EXPECT_EQ(foo.string_or("s", ""), std::string_view("a\0b", 3));
  EXPECT_EQ(foo.tensor("t")->data.size(), 8u);
  EXPECT_THAT(std::get<std::vector<float>>(foo.find("fs")->value), ElementsAre(1.0F, 2.0F));
  EXPECT_THAT(*foo.ints("is"), ElementsAre(5, -5));
  EXPECT_TRUE(foo.ints("empty") && foo.ints("empty")->empty());
  EXPECT_THAT(std::get<std::vector<std::string>>(foo.find("ss")->value), ElementsAre("a", "b"));
  EXPECT_EQ(bytes_of(back, "w"), raw({1.0F, 2.0F}));
  EXPECT_EQ(bytes_of(back, "q"), "");
}

TEST_F(WriteOnnx, LeavesOutWhatNothingUses) {
  ASSERT_EQ(write(parse(rich_model())), "");
  EXPECT_THAT(files_.text("out/m.onnx"), testing::Not(testing::HasSubstr("unused")));
  EXPECT_THAT(files_.text("out/m.onnx"), testing::Not(testing::HasSubstr("not used")));
}

TEST_F(WriteOnnx, NamesDimensionsThatAreExpressions) {
  Model model = parse(onnx_builder::model({.nodes = {node("Foo", {"x"}, {"y"})},
                                           .inputs = {value("x", DType::float32, {"n", ""})},
                                           .outputs = {kY}}));
  const std::vector<Expr> x = *model.main().values[model.main().inputs[0]].shape;
  model.main().values[model.main().outputs[0]].shape = {
      model.exprs.add(model.exprs.mul(x[0], model.exprs.constant(2)), model.exprs.constant(1)),
      x[1], model.exprs.constant(7)};
  ASSERT_EQ(write(model), "");
  const wire::GraphProto graph = wire::read_graph(proto().graphs.front()).value();
  const std::vector<wire::Dimension>& input = graph.inputs[0].type.shape.value();
  EXPECT_EQ(input[0].param, "n");
  EXPECT_EQ(input[1].param, "x.1");
  const std::vector<wire::Dimension>& output = graph.outputs[0].type.shape.value();
  EXPECT_EQ(output[0].param, "n*2 + 1");
  EXPECT_EQ(output[1].param, "x.1");
  EXPECT_EQ(output[2].value, 7);
}

TEST_F(WriteOnnx, NamesEachNodeOnce) {
  Model model = parse(
      onnx_builder::model({.nodes = {node("Foo", {"x"}, {"a"}, "n"), node("Foo", {"a"}, {"b"}, "n"),
                                     node("Foo", {"b"}, {"c"}), node("Foo", {"c"}, {"d"}, "n_2"),
                                     node("Foo", {"d"}, {"e"}, "n"), node("Foo", {"e"}, {"y"})},
                           .inputs = {value("x", DType::float32, {"n"})},
                           .outputs = {kY}}));
  ASSERT_EQ(write(model), "");
  std::vector<std::string> names;
  const wire::GraphProto graph = wire::read_graph(proto().graphs.front()).value();
  for (const wire::NodeProto& node : graph.nodes) names.emplace_back(node.name);
  EXPECT_THAT(names, ElementsAre("n", "n_3", "", "n_2", "n_4", ""));
}

TEST_F(WriteOnnx, WritesAtLeastOpset18AndTheIrVersionOfTheOpset) {
  const auto versions = [&](std::int64_t ir_version, std::int64_t opset_version) {
    Model model = parse(onnx_builder::model({.inputs = {kY}, .outputs = {kY}}, opset_version));
    model.ir_version = ir_version;
    EXPECT_EQ(write(model), "");
    return std::pair(proto().ir_version, proto().opset_imports[0].version);
  };
  EXPECT_EQ(versions(3, 9), std::pair(std::int64_t{8}, std::int64_t{18}));
  EXPECT_EQ(versions(10, 17), std::pair(std::int64_t{8}, std::int64_t{18}));
  EXPECT_EQ(versions(10, 20), std::pair(std::int64_t{9}, std::int64_t{20}));
  EXPECT_EQ(versions(10, 21), std::pair(std::int64_t{10}, std::int64_t{21}));
  EXPECT_EQ(versions(0, 25), std::pair(std::int64_t{8}, std::int64_t{25}));
  EXPECT_EQ(versions(99, 23), std::pair(std::int64_t{11}, std::int64_t{23}));
  EXPECT_EQ(versions(99, 25), std::pair(std::int64_t{13}, std::int64_t{25}));
}

// Two large constants with a small one between them: 1028, 8 and 2000 bytes.
std::string large_model() {
  const std::vector<Dim> any = {"n"};
  return onnx_builder::model(
      {.nodes = {node("Foo", {"a", "w", "b"}, {"y"})},
       .initializers = {tensor("a", DType::float32, {257}, std::string(1028, 'a')), kW,
                        tensor("b", DType::uint8, {2000}, std::string(2000, 'b'))},
       .inputs = {value("x", DType::float32, any)},
       .outputs = {kY}});
}

TEST_F(WriteOnnx, MovesLargeConstantsOutAboveTheLimit) {
  const Model source = parse(large_model());
  ASSERT_EQ(write(source), "");
  const std::size_t whole = files_.text("out/m.onnx").size();
  ASSERT_EQ(write(source, {}, whole), "");
  EXPECT_THAT(files_.paths(), ElementsAre("out/m.onnx"));
  ASSERT_EQ(write(source, {}, whole - 1), "");
  EXPECT_THAT(files_.paths(), ElementsAre("out/m.onnx", "out/m.onnx.data"));
  EXPECT_EQ(files_.text("out/m.onnx.data"),
            std::string(1028, 'a') + std::string(1088 - 1028, '\0') + std::string(2000, 'b'));
  EXPECT_LT(files_.text("out/m.onnx").size(), 1024u);

  const Model back = read();
  EXPECT_EQ(bytes_of(back, "a"), std::string(1028, 'a'));
  EXPECT_EQ(bytes_of(back, "b"), std::string(2000, 'b'));
  EXPECT_EQ(bytes_of(back, "w"), raw({1.0F, 2.0F}));
}

TEST_F(WriteOnnx, ReplacesNoDataOfOthers) {
  const Model source = parse(large_model());
  const std::string message =
      "'out/m.onnx.data': the model's data would go there, where a file is that subbyte did not "
      "write; name another output, or pass --force to replace it";
  files_.put("out/m.onnx.data", "mine");
  EXPECT_EQ(write(source, {}, 1000), message);
  EXPECT_EQ(write(source), "") << "no data are written";
  EXPECT_EQ(files_.text("out/m.onnx.data"), "mine");
  EXPECT_EQ(write(source, {}, 1000), message) << "our ONNX file does not name it";
  EXPECT_EQ(write(source, {}, 1000, true), "");
  EXPECT_EQ(files_.text("out/m.onnx.data").size(), 3088u);
  EXPECT_EQ(write(source, {}, 1000), "") << "now it is ours";
  // An ONNX file of somebody else's that names it makes it no file of ours.
  files_.put("out/m.onnx", onnx_builder::model({.inputs = {kY}, .outputs = {kY}}));
  EXPECT_EQ(write(source, {}, 1000), message);
}

TEST_F(WriteOnnx, RemovesItsDataWhereNoneAreNeededAnyMore) {
  const Model source = parse(large_model());
  ASSERT_EQ(write(source, {}, 1000), "");
  EXPECT_THAT(files_.paths(), ElementsAre("out/m.onnx", "out/m.onnx.data"));
  ASSERT_EQ(write(source), "");
  EXPECT_THAT(files_.paths(), ElementsAre("out/m.onnx"));
}

TEST_F(WriteOnnx, RefusesAGraphAboveTheLimit) {
  EXPECT_THAT(write(parse(large_model()), {}, 100),
              testing::MatchesRegex("'out/m.onnx': the graph without its large constants is [0-9]+ "
                                    "bytes, but an ONNX file has at most 100"));
  EXPECT_THAT(files_.paths(), ElementsAre());
}

TEST_F(WriteOnnx, AsksForEachConstantOnce) {
  const Model source = parse(large_model());
  for (const std::uint64_t largest : {kLargestProtobuf, std::uint64_t{1000}}) {
    std::vector<std::string> asked;
    const auto weights = [&](ValueId id) -> Expected<Tensor> {
      const Value& value = source.main().values[id];
      asked.push_back(value.name);
      return make_tensor(value.dtype, value.constant->dims,
                         std::vector<std::byte>(value.constant->data.size(), std::byte{'z'}));
    };
    ASSERT_EQ(write(source, weights, largest), "");
    EXPECT_THAT(asked, ElementsAre("a", "w", "b"));
    EXPECT_EQ(bytes_of(read(), "b"), std::string(2000, 'z'));
    EXPECT_EQ(bytes_of(read(), "w"), std::string(8, 'z'));
  }
}

TEST_F(WriteOnnx, RefusesTensorsThatDoNotFit) {
  const Model source = parse(large_model());
  EXPECT_EQ(write(source,
                  [](ValueId) -> Expected<Tensor> {
                    return make_tensor(DType::float16, {257, 1}, std::vector<std::byte>(514));
                  }),
            "'out/m.onnx': constant 'a' is float32 [257] in the graph, but the tensor to write is "
            "float16 [257, 1]");
  EXPECT_EQ(write(source, [](ValueId) -> Expected<Tensor> { return fail("no memory"); }),
            "'out/m.onnx': constant 'a': no memory");
  EXPECT_THAT(files_.paths(), ElementsAre());
}

TEST_F(WriteOnnx, RefusesWhatItCannotWrite) {
  const std::string strings = tensor_head("w", 8, {1}) + bytes_field(6, "text");
  EXPECT_EQ(write(parse(onnx_builder::model(
                {.initializers = {strings}, .outputs = {value("w", DType::string, {})}}))),
            "'out/m.onnx': constant 'w' holds strings, which subbyte does not keep and so cannot "
            "write");
  EXPECT_EQ(
      write(parse(onnx_builder::model(
          {.nodes = {node("Foo", {}, {"y"}, "", {attribute("t", 4, bytes_field(5, strings))})},
           .outputs = {kY}}))),
      "'out/m.onnx': node 0 ('Foo'): attribute 't' holds strings, which subbyte does not keep "
      "and so cannot write");
  Model model = parse(large_model());
  model.main().values[model.main().outputs[0]].dtype = DType::undefined;
  EXPECT_EQ(write(model),
            "'out/m.onnx': output 'y' has no dtype: shapes were not inferred, or an operator that "
            "subbyte does not know computes it");
}

TEST_F(WriteOnnx, LeavesNothingWhenTheDiskIsFull) {
  const Model source = parse(large_model());
  for (std::size_t capacity = 0; capacity < 4000; capacity += 97) {
    files_.capacity = capacity;
    if (write(source, {}, 1000).empty()) continue;
    EXPECT_THAT(files_.paths(), ElementsAre()) << capacity;
  }
}

}  // namespace
}  // namespace subbyte
