// Softmax and the normalisations: kernels that work on whole rows.
#include <fmt/core.h>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "plan/lowering.h"

namespace subbyte {

namespace {

const std::string kLoad = "load(r: u32, c: u32) -> f32";
const std::string kStore = "store(r: u32, c: u32, value: f32)";

// Mean and inverse standard deviation of each row, where the model asks for them.
void declare_statistics(Lowering& lowering, StepCode& code, const Node& node, Expr rows) {
  Scope statistics;
  const Frame row{{{"r", rows}}};
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    const ValueId output = node.outputs[i];
    if (output == kNone || !lowering.placement.tensors.contains(output)) continue;
    Evaluator place(lowering.model, lowering.schedule, lowering.placement, code, statistics);
    statistics.line(store_result(lowering, code, place, output, row, {},
                                 i == 1 ? "mean" : "inverse_deviation"));
  }
  code.declare(statistics.function("store_statistics(r: u32, mean: f32, inverse_deviation: f32)"));
}

}  // namespace

Expected<void> lower_softmax(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  ExprPool& exprs = lowering.exprs();
  const std::vector<Expr> shape = lowering.shape(node.outputs[0]);
  if (shape.empty())
    return fail("{}: softmax of a scalar has no axis", step_name(lowering, kernel));
  const std::size_t axis = axis_of(node);
  // The axis comes last: rows are what remains, in order.
  ViewStep reshape{ViewStep::Kind::reshape, shape, {}, {}, {}};
  ViewStep permute{ViewStep::Kind::permute, {}, {}, {}, {}};
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i != axis) permute.permutation.push_back(static_cast<std::int64_t>(i));
  }
  permute.permutation.push_back(static_cast<std::int64_t>(axis));
  std::vector<Expr> others = shape;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(axis));
  const Expr rows = exprs.product(others), cols = shape[axis];
  const Frame frame{{{"r", rows}, {"c", cols}}};

  StepCode code(exprs, lowering.plan);
  Scope loads;
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, loads);
  SUBBYTE_TRY(const Typed x, reader.value(node.inputs[0], frame, {permute}));
  code.declare(loads.function(kLoad, x.text));

  Scope stores;
  Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, stores,
                     KernelResult{node.outputs[0], "value", GpuType::f32});
  SUBBYTE_TRY(const Typed y, epilogue.definition(kernel.result, frame, {reshape, permute}));
  stores.line(
      store_result(lowering, code, epilogue, kernel.result, frame, {reshape, permute}, y.text));
  code.declare(stores.function(kStore));
  code.declare_size("rows", rows);
  code.declare_size("cols", cols);
  code.declare(fmt::format("const LOG = {};\n", node.op == Op::LogSoftmax));
  add_step(lowering, step_name(lowering, kernel), code, {},
           {FormChoice{KernelForm{{"columns", "softmax"}, {}, {}, {}, {}},
                       row_workgroups(exprs, rows, cols),
                       {}}});
  return {};
}

Expected<void> lower_normalize(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  ExprPool& exprs = lowering.exprs();
  const std::vector<Expr> shape = lowering.shape(node.inputs[0]);
  const std::size_t axis = axis_of(node);
  const Expr rows = exprs.product(std::span(shape).first(axis));
  const Expr cols = exprs.product(std::span(shape).subspan(axis));
  const Frame frame{{{"r", rows}, {"c", cols}}};

  StepCode code(exprs, lowering.plan);
  Scope loads;
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, loads);
  SUBBYTE_TRY(const Typed x, reader.value(node.inputs[0], frame));
  code.declare(loads.function(kLoad, x.text));

  // The node's own value is the normalized one times scale plus bias.
  Scope stores;
  std::string value = "value";
  {
    Evaluator reads(lowering.model, lowering.schedule, lowering.placement, code, stores);
    const ViewStep broadcast{ViewStep::Kind::expand, shape, {}, {}, {}};
    for (std::size_t i = 1; i < 3; ++i) {
      if (!node.has_input(i)) continue;
      SUBBYTE_TRY(const Typed factor, reads.value(node.inputs[i], frame, {broadcast}));
      value = stores.let(fmt::format("{} {} {}", value, i == 1 ? "*" : "+", factor.text));
    }
  }
  Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, stores,
                     KernelResult{node.outputs[0], value, GpuType::f32});
  SUBBYTE_TRY(const Typed y, epilogue.definition(kernel.result, frame));
  stores.line(store_result(lowering, code, epilogue, kernel.result, frame, {}, y.text));
  code.declare(stores.function(kStore));

  declare_statistics(lowering, code, node, rows);
  code.declare_size("rows", rows);
  code.declare_size("cols", cols);
  code.declare(fmt::format("fn epsilon() -> f32 {{ return {}; }}\n",
                           f32_literal(node.float_or("epsilon", 1e-5f))));
  code.declare(fmt::format("const CENTER = {};\n", node.op == Op::LayerNormalization));
  add_step(lowering, step_name(lowering, kernel), code, {},
           {FormChoice{KernelForm{{"columns", "normalize"}, {}, {}, {}, {}},
                       row_workgroups(exprs, rows, cols),
                       {}}});
  return {};
}

}  // namespace subbyte
