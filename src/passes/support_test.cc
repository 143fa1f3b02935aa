#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/test_model.h"

namespace subbyte {
namespace {

std::string message(const TestModel& test) {
  const auto checked = check_supported(test.model);
  return checked ? "supported" : checked.error().message;
}

TEST(CheckSupported, AModelOfKnownOperatorsPasses) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  const ValueId shape = t.node(Op::Shape, {x}, "shape");
  const ValueId positive = t.node(Op::Greater, {x, x}, "positive");
  t.output(t.node(Op::Where, {positive, x, x}, "y"));
  t.output(t.node(Op::Cast, {shape}, "z", {{"to", std::int64_t{1}}}));
  EXPECT_EQ(message(t), "supported");
}

TEST(CheckSupported, AllThatIsWrongComesInOneMessage) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  const ValueId n = t.input("n", DType::int32, {2});
  const ValueId s = t.input("s", DType::string, {2});
  t.node(Op::Unknown, {x}, "a");
  t.node(Op::Unknown, {x}, "b");
  t.model.main().nodes[1].domain = "com.example";
  t.model.main().nodes[1].op_type = "FusedThing\n";
  t.model.main().nodes[1].name = "encoder/fused";
  t.node(Op::Unknown, {x}, "c", {{"body", GraphRef{1}}});
  t.node(Op::Exp, {n}, "d");
  // The dtype follows from the nodes before.
  t.node(Op::Neg, {t.node(Op::Greater, {x, x}, "e")}, "f");
  t.node(Op::Identity, {s}, "g");
  t.node(Op::Cast, {x}, "h", {{"to", std::int64_t{8}}});
  t.node(Op::Cast, {x}, "i", {{"to", std::int64_t{24}}});
  t.node(Op::LayerNormalization, {x, x}, "j", {{"stash_type", std::int64_t{16}}});
  t.node(Op::Gelu, {x}, "k", {{"approximate", std::string("erf")}});
  EXPECT_EQ(
      message(t),
      "'model.onnx': 10 nodes cannot be converted. Export the model with other operators in their "
      "place; `subbyte list ops` shows those that are supported:\n"
      "  node 0 ('Mystery'): the operator is not supported\n"
      "  node 'encoder/fused' ('FusedThing\\n'): operators of the domain 'com.example' are not "
      "supported\n"
      "  node 2 ('Mystery'): operators with graphs inside are not supported\n"
      "  node 3 (Exp): input 0 is int32; supported are float16, bfloat16, float32 and float64\n"
      "  node 5 (Neg): input 0 is bool; supported are floats and integers\n"
      "  node 6 (Identity): input 0 is string; supported are floats, integers and bool\n"
      "  node 7 (Cast): it casts to string; supported are floats but float8e8m0, integers and "
      "bool\n"
      "  node 8 (Cast): it casts to float8e8m0; supported are floats but float8e8m0, integers and "
      "bool\n"
      "  node 9 (LayerNormalization): its stash_type is 16; supported is 1, statistics in float32\n"
      "  node 10 (Gelu): its approximate is 'erf'; supported are 'none' and 'tanh'");
  const Error error = check_supported(t.model).error();
  EXPECT_EQ(error.kind, ErrorKind::unsupported);
  EXPECT_EQ(error.object, "'model.onnx'");
  ASSERT_EQ(error.list.size(), 10u);
  EXPECT_EQ(error.list[3].object, "node 3 (Exp)");
  EXPECT_EQ(error.list[3].message,
            "node 3 (Exp): input 0 is int32; supported are float16, bfloat16, float32 and float64");
}

TEST(CheckSupported, DropoutMustBeOfInference) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  const ValueId ratio = t.constant("ratio", floats({}, {0.5f}));
  const ValueId mode = t.input("mode", DType::boolean, {});
  const ValueId no = t.constant("no", make_tensor(DType::boolean, {}, {std::byte{0}}));
  const ValueId yes = t.constant("yes", make_tensor(DType::boolean, {}, {std::byte{1}}));
  t.node(Op::Dropout, {x, ratio, no}, "a");
  t.node(Op::Dropout, {x, ratio, yes}, "b");
  t.node(Op::Dropout, {x, ratio, mode}, "c");
  EXPECT_EQ(
      message(t),
      "'model.onnx': 2 nodes cannot be converted. Export the model with other operators in their "
      "place; `subbyte list ops` shows those that are supported:\n"
      "  node 1 (Dropout): its training_mode is true; export the model for inference\n"
      "  node 2 (Dropout): its training_mode is computed; it must be absent or constant false");
}

TEST(CheckSupported, BatchNormalizationMustBeOfInference) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2, 3});
  const ValueId p = t.input("p", DType::float32, {3});
  t.nodes(Op::BatchNormalization, {x, p, p, p, p}, {"a", "a_mean"});
  t.output(t.nodes(Op::BatchNormalization, {x, p, p, p, p}, {"b", "b_mean"})[1]);
  t.node(Op::Neg, {t.nodes(Op::BatchNormalization, {x, p, p, p, p}, {"c", "c1", "c2"})[2]}, "d");
  t.node(Op::BatchNormalization, {x, p, p, p, p}, "e", {{"training_mode", std::int64_t{1}}});
  t.node(Op::BatchNormalization, {x, p, p, p, p}, "f", {{"spatial", std::int64_t{0}}});
  t.node(Op::EyeLike, {x}, "g", {{"dtype", std::int64_t{8}}});
  t.node(Op::GroupNormalization, {x, p, p}, "h",
         {{"num_groups", std::int64_t{1}}, {"stash_type", std::int64_t{10}}});
  EXPECT_EQ(
      message(t),
      "'model.onnx': 5 nodes cannot be converted. Export the model with other operators in their "
      "place; `subbyte list ops` shows those that are supported:\n"
      "  node 1 (BatchNormalization): its output 1 is read, which training gives; export the model "
      "for inference\n"
      "  node 2 (BatchNormalization): its output 2 is read, which training gives; export the model "
      "for inference\n"
      "  node 5 (BatchNormalization): its spatial is 0; supported is 1\n"
      "  node 6 (EyeLike): its dtype is string; supported are floats of 16 bits and more, integers "
      "and bool\n"
      "  node 7 (GroupNormalization): its stash_type is 10; supported is 1, statistics in float32");
}

TEST(CheckSupported, AttributesMustMakeSense) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2, 4, 8});
  const ValueId p = t.input("p", DType::float32, {4});
  t.node(Op::GlobalLpPool, {x}, "a", {{"p", std::int64_t{0}}});
  t.node(Op::LpNormalization, {x}, "b", {{"p", std::int64_t{3}}});
  t.node(Op::GroupNormalization, {x, p, p}, "c", {{"num_groups", std::int64_t{0}}});
  EXPECT_EQ(
      message(t),
      "'model.onnx': 3 nodes cannot be converted. Export the model with other operators in their "
      "place; `subbyte list ops` shows those that are supported:\n"
      "  node 0 (GlobalLpPool): its p is 0; it must be at least 1\n"
      "  node 1 (LpNormalization): its p is 3; it must be 1 or 2\n"
      "  node 2 (GroupNormalization): its num_groups is 0; it must be at least 1");
}

TEST(CheckSupported, NodesThatAreRefusedAlikeTakeOneLine) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  for (int i = 0; i < 253; ++i) t.node(Op::Unknown, {x}, fmt::format("y{}", i));
  t.node(Op::Unknown, {x}, "z");
  t.model.main().nodes.back().op_type = "Riddle";
  EXPECT_EQ(
      message(t),
      "'model.onnx': 254 nodes cannot be converted. Export the model with other operators in their "
      "place; `subbyte list ops` shows those that are supported:\n"
      "  node 0 ('Mystery'), node 1 ('Mystery'), node 2 ('Mystery') and 250 more: the operator is "
      "not supported\n"
      "  node 253 ('Riddle'): the operator is not supported");
  EXPECT_EQ(check_supported(t.model).error().list.size(), 2u);
}

TEST(CheckSupported, NodesOfGraphsInsideAreToldOfToo) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  t.node(Op::Unknown, {x}, "y", {{"body", GraphRef{1}}});
  Graph body;
  body.name = "turn";
  Node inner;
  inner.op_type = "Riddle";
  body.add_node(std::move(inner));
  t.model.graphs.push_back(std::move(body));
  EXPECT_EQ(
      message(t),
      "'model.onnx': 2 nodes cannot be converted. Export the model with other operators in their "
      "place; `subbyte list ops` shows those that are supported:\n"
      "  node 0 ('Mystery'): operators with graphs inside are not supported\n"
      "  node 0 ('Riddle') of the graph 'turn': the operator is not supported");
}

}  // namespace
}  // namespace subbyte
