#include "graph/ops.h"
#include "reference/test_tensors.h"

namespace subbyte::reference {
namespace {

// y = (x + x) * 2, x of shape [n, 2].
Model doubled() {
  Model model;
  Graph& graph = model.graphs.emplace_back();
  const Expr n = model.exprs.symbol({.name = "n", .source = {}});
  Value x;
  x.name = "x";
  x.dtype = DType::float32;
  x.shape = std::vector<Expr>{n, model.exprs.constant(2)};
  Value two;
  two.name = "two";
  two.dtype = DType::float32;
  two.constant = floats({}, {2});
  for (Value value : {x, two}) graph.add_value(std::move(value));
  Value sum;
  sum.name = "sum";
  graph.add_value(std::move(sum));
  Value y;
  y.name = "y";
  graph.add_value(std::move(y));
  graph.inputs = {0};
  graph.outputs = {3};
  Node add = make_node(Op::Add);
  add.inputs = {0, 0};
  add.outputs = {2};
  add.name = "plus";
  graph.add_node(std::move(add));
  Node mul = make_node(Op::Mul);
  mul.inputs = {2, 1};
  mul.outputs = {3};
  graph.add_node(std::move(mul));
  return model;
}

TEST(Run, ComputesInOrderAndShowsEachValue) {
  const Model model = doubled();
  std::string seen;
  const std::vector<Tensor> inputs{floats({1, 2}, {1, 5})};
  const auto outputs = run(model, inputs, [&](ValueId id, const Tensor& value) {
    seen += fmt::format("{} = {}\n", model.main().values[id].name, text(value));
  });
  EXPECT_EQ(text(outputs), "float32 [1, 2] 4 20");
  EXPECT_EQ(seen,
            "x = float32 [1, 2] 1 5\n"
            "sum = float32 [1, 2] 2 10\n"
            "y = float32 [1, 2] 4 20\n");
}

TEST(Run, InputsMustBeWhatTheGraphSays) {
  const Model model = doubled();
  const auto message = [&](std::vector<Tensor> inputs) { return text(run(model, inputs)); };
  EXPECT_EQ(message({}), "error: the model has 1 inputs and 0 are given");
  EXPECT_EQ(message({int32s({1, 2}, {1, 2})}), "error: input 'x' is int32; it must be float32");
  EXPECT_EQ(message({floats({1, 3}, {1, 2, 3})}),
            "error: input 'x' has shape [1, 3]; it must be [n, 2], a name standing for one size "
            "everywhere");
}

TEST(Run, ErrorsNameTheNode) {
  Model model = doubled();
  model.main().values[1].constant = int32s({}, {2});
  const std::vector<Tensor> inputs{floats({1, 2}, {1, 5})};
  EXPECT_EQ(text(run(model, inputs)),
            "error: node 1 (Mul): Mul: the inputs are float32 and int32; they must have one dtype");
  model.main().nodes[0].op = Op::Unknown;
  EXPECT_EQ(text(run(model, inputs)),
            "error: node 'plus' ('Add'): operator 'Add' is not supported");
  model.main().nodes[0].attributes.push_back({"body", GraphRef{1}});
  EXPECT_EQ(text(run(model, inputs)),
            "error: node 'plus' ('Add'): operators with graphs inside are not supported");
}

TEST(Evaluate, ChecksArityAndData) {
  EXPECT_EQ(text(evaluate_on(make_node(Op::Add), {floats({1}, {1})})),
            "error: Add: the node has 1 inputs; it takes 2");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Add), {floats({1}, {1}), std::nullopt})),
            "error: Add: input 1 is absent; it is required");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Relu, {}, 2), {floats({1}, {1})})),
            "error: Relu: the node has 2 outputs; it gives at most 1");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Relu), {floats({3}, {1})})),
            "error: Relu: input 0 has shape [3] (float32) and 4 bytes of data, which do not agree");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Identity), {tensor<char>(DType::string, {1}, {})})),
            "error: Identity: input 0 is string, which subbyte does not compute with");
}

}  // namespace
}  // namespace subbyte::reference
