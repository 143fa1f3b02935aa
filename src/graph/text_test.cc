#include "graph/text.h"

#include <gtest/gtest.h>

#include <cstring>

#include "graph/ops.h"

namespace subbyte {
namespace {

std::string error_of(std::string_view text) {
  const auto model = parse_model(text);
  return model ? "" : model.error().message;
}

// Everything that a model can hold.
constexpr std::string_view kEverything =
    R"(model "m.onnx" producer "py\"torch" ir_version 8 opset 17
opset "com.microsoft" 1
symbol batch input 0 axis 0
symbol `n[0]` input 1 element 0 bounds -5 7
constraint (batch == `n[0]`) "sizes must agree"
graph "main" {
  input %x : float32 [batch, 3]
  input %n : int64 [1] <`n[0]`>
  value %f : float32 [7] = {0.1, -0, inf, -inf, nan:7fc00001, 1e-45, 3.4028235e+38}
  value %d : float64 [2] = {0.1, 1e+300}
  value %h : float16 [3] = {0.5, 65504, -5.9604645e-08}
  value %b : bfloat16 [2] = {1, -3.3895314e+38}
  value %i8 : int8 [2] = {-128, 127}
  value %u8 : uint8 [2] = {0, 255}
  value %i16 : int16 [1] = {-32768}
  value %u16 : uint16 [1] = {65535}
  value %i32 : int32 [2] = {-2147483648, 2147483647}
  value %u32 : uint32 [1] = {4294967295}
  value %i64 : int64 [2] = {-9223372036854775808, 9223372036854775807}
  value %u64 : uint64 [1] = {18446744073709551615}
  value %flag : bool [2] = {0, 1}
  value %complex : complex64 [1] = hex 0000803f00000040
  value %empty : float32 [0, 3] = {}
  value %unknown
  %onnx::y/0-1 : float32 [batch, 3], - = "com.microsoft"::"Thing"(%x, -, %f) {a = 1, b = 1.5f, c = "t\n", d = [1, -2], e = f[0.5, inf], f = s["p", "q"], g = tensor int64 [2, 1] {3, 4}, h = graph 1, "odd name" = [], i = nan:7fc00000f} "node"
  %z : float32 ? = !"":: "Add"(%onnx::y/0-1, %x)
  %" " = Relu(%z)
  = "":: "Sink"(%x)
  output %" "
  output %x
}
graph "body" {
  value %captured
  %inner = Relu(%captured)
  output %inner
}
)";

TEST(TextTest, ReadsBackAsItself) {
  const auto model = parse_model(kEverything);
  ASSERT_TRUE(model) << model.error().message;
  const std::string text = to_text(*model, true);
  std::string expected(kEverything);
  for (std::size_t at; (at = expected.find(":: \"")) != std::string::npos;)
    expected.erase(at + 2, 1);
  EXPECT_EQ(text, expected);
  const auto again = parse_model(text);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_text(*again, true), text);
  const auto valid = verify(*again);
  EXPECT_TRUE(valid) << valid.error().message;
  EXPECT_EQ(again->main().nodes[1].op, Op::Unknown);
  EXPECT_EQ(again->main().nodes[2].op, Op::Relu);
}

TEST(TextTest, LargeConstantsAreShownByHash) {
  Model model;
  model.graphs.emplace_back();
  std::vector<std::int64_t> numbers(17, 1);
  Value value{.name = "w", .dtype = DType::int64};
  value.shape = {model.exprs.constant(17)};
  value.constant = make_int64_tensor({17}, numbers);
  model.main().add_value(value);
  const std::string text = to_text(model);
  EXPECT_NE(text.find("  value %w : int64 [17] = sha256:"), std::string::npos) << text;
  EXPECT_EQ(
      error_of(text),
      "line 3, column 27: a constant that is shown by its hash cannot be read back; write the text "
      "in full");
  EXPECT_EQ(to_text(*parse_model(to_text(model, true))), text);
}

TEST(TextTest, ErrorsNameLineAndColumn) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "line 1, column 1: expected model"},
      {"model \"m\"", "line 1, column 10: expected a graph"},
      {"model \"m\"\nthing", "line 2, column 1: expected opset, symbol, constraint or graph"},
      {"model \"m", "line 1, column 9: expected '\"' before the end of the line"},
      {"model \"m\" graph \"\" {\n  output %y\n}",
       "line 3, column 1: value 'y' before this is not defined"},
      {"model \"m\" graph \"\" {\n  input %y\n  input %y\n}",
       "line 4, column 1: value 'y' is defined twice before this"},
      {"model \"m\" graph \"\" {\n  value %y : float [1]\n}",
       "line 2, column 20: 'float' before this is not a data type"},
      {"model \"m\" graph \"\" {\n  value %y : int64 [n]\n}",
       "line 2, column 21: symbol 'n' in the expression 'n]' is not declared"},
      {"model \"m\" graph \"\" {\n  value %y : int64 [2] = {1}\n}",
       "line 2, column 28: expected ','"},
      {"model \"m\" graph \"\" {\n  value %y : int64 [4294967296, 9] = {1}\n}",
       "line 2, column 38: the dimensions before this are too large"},
      {"model \"m\" graph \"\" {\n  %y = Relu(", "line 2, column 13: expected '%'"},
      {"model \"m\" graph \"\" {\n  input %x %y = Relu(%x) {a = }",
       "line 2, column 31: expected an integer of 64 bits"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(error_of(text), message) << text;
}

Model valid_model() {
  return *parse_model(R"(model "m"
graph "main" {
  input %x : float32 [2]
  value %w : float32 [2] = {1, 2}
  %y = Add(%x, %w) "add"
  %z = Relu(%y)
  output %z
})");
}

std::string verified(const Model& model) {
  const auto valid = verify(model);
  return valid ? "" : valid.error().message;
}

TEST(VerifyTest, SaysWhatIsWrong) {
  EXPECT_EQ(verified(valid_model()), "");
  EXPECT_EQ(verified(Model{}), "the model has no graph");

  Model model = valid_model();
  model.main().nodes[0].inputs[1] = 77;
  EXPECT_EQ(verified(model), "graph 'main': node 0 refers to value 77 of 4");

  model = valid_model();
  std::swap(model.main().nodes[0], model.main().nodes[1]);
  EXPECT_EQ(verified(model),
            "graph 'main': node 0 (Relu): its input 'y' is not computed before it");

  model = valid_model();
  model.main().values[2].name = "x";
  EXPECT_EQ(verified(model), "graph 'main': two values have the name 'x'");

  model = valid_model();
  model.main().values[1].constant->dims = {3};
  EXPECT_EQ(verified(model),
            "graph 'main': value 'w': its constant has 8 bytes, but its dims need 12");

  model = valid_model();
  model.main().values[1].constant->dims = {-1};
  EXPECT_EQ(verified(model), "graph 'main': value 'w': its constant has the negative size -1");

  model = valid_model();
  model.main().values[0].content = {model.exprs.constant(1)};
  EXPECT_EQ(verified(model), "graph 'main': value 'x': its content has 1 elements and its shape 2");

  model = valid_model();
  model.main().values[0].shape = {Expr{9999}};
  EXPECT_EQ(verified(model), "graph 'main': value 'x': an expression is not in the pool");

  model = valid_model();
  model.main().values[0].shape = {model.exprs.constant(-2)};
  EXPECT_EQ(verified(model),
            "graph 'main': value 'x': its shape has the size -2; a size must not be negative");

  model = valid_model();
  model.main().nodes[1].outputs = {2};
  EXPECT_EQ(verified(model), "graph 'main': node 1 (Relu): its output 'y' has another origin too");

  model = valid_model();
  model.main().nodes[1].outputs = {kNone};
  EXPECT_EQ(verified(model),
            "graph 'main': value 'z' is not an output of its producer, node 1 (Relu)");

  model = valid_model();
  model.main().nodes[0].inputs.push_back(0);
  EXPECT_EQ(verified(model),
            "graph 'main': node 'add' (Add): it has 3 inputs; Add takes at most 2");

  model = valid_model();
  model.main().nodes[0].inputs[0] = kNone;
  EXPECT_EQ(verified(model),
            "graph 'main': node 'add' (Add): its input 0 is missing; Add needs it");

  model = valid_model();
  model.main().nodes[0].op_type = "Mul";
  EXPECT_EQ(
      verified(model),
      "graph 'main': node 'add' (Mul): it is called 'Mul' of domain '', but its operator is Add of "
      "domain ''");

  model = valid_model();
  model.main().nodes[0].attributes = {{"a", std::int64_t{1}}, {"a", std::int64_t{2}}};
  EXPECT_EQ(verified(model), "graph 'main': node 'add' (Add): it has the attribute 'a' twice");

  model = valid_model();
  model.main().nodes[0].attributes = {{"body", GraphRef{0}}};
  EXPECT_EQ(verified(model),
            "graph 'main': node 'add' (Add): its attribute 'body' is graph 0 of 1");

  model = valid_model();
  model.main().inputs.clear();
  EXPECT_EQ(verified(model),
            "graph 'main': node 'add' (Add): its input 'x' is not computed before it");

  model = valid_model();
  model.main().outputs = {0, 5};
  EXPECT_EQ(verified(model), "graph 'main': an input or output is value 5 of 4");

  model = valid_model();
  model.exprs.symbol({.name = "s", .source = {.input = 4}});
  EXPECT_EQ(verified(model), "symbol 's' comes from input 4 of 1");
}

}  // namespace
}  // namespace subbyte
