// Gather from a table that one binding cannot hold: the table is bound in chunks of its rows, and
// each chunk's dispatch writes the elements whose rows it holds.
#include <fmt/core.h>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "plan/lowering.h"
#include "plan/weight_code.h"

namespace subbyte {

namespace {

// Packed as it lies: a row of the matrix is a row of the table.
bool in_order(const AxisOrder& order) {
  if (order.rows != std::vector<int>{0}) return false;
  for (std::size_t i = 0; i < order.k.size(); ++i) {
    if (order.k[i] != static_cast<int>(i) + 1) return false;
  }
  return true;
}

}  // namespace

bool gathers_rows(const Node& node, const StoredWeight& table) {
  return node.op == Op::Gather && axis_of(node) == 0 && in_order(table.order) &&
         exceeds_binding(table) && !std::holds_alternative<IntegerEncoding>(table.encoding);
}

Expected<void> lower_gather_rows(Lowering& lowering, const Kernel& kernel) {
  ExprPool& exprs = lowering.exprs();
  const Node& node = lowering.graph().nodes[lowering.graph().values[kernel.result].producer];
  const WeightId weight = lowering.placement.weights.at(node.inputs[0]);
  const StoredWeight& table = lowering.plan.weights[weight];

  StepCode code(exprs, lowering.plan);
  code.bind_matrix(weight);
  code.declare("fn weight_row(b: u32, n: u32) -> u32 { return n; }\n");
  const Expr count = lowering.elements(kernel.result);
  code.declare_size("count", count);
  code.declare_size("depth", exprs.constant(table.k));

  Scope scope;
  Evaluator evaluator(lowering.model, lowering.schedule, lowering.placement, code, scope);
  const Frame frame{{{"i", count}}};
  SUBBYTE_TRY(const Frame at, gathered(evaluator, {node, kernel.result, frame, {}}));
  const std::string local = scope.let(
      fmt::format("{} - {}", at.coordinates[1].name, code.size(lowering.plan.first_row(exprs))));
  // A row before the chunk wraps around to far behind it.
  scope.line(fmt::format("if ({} >= {}) {{ return; }}", local,
                         code.size(lowering.plan.chunk_rows(exprs))));
  const std::string value = fmt::format("weight_value({}, {})", local, at.coordinates[2].name);
  scope.line(store_result(lowering, code, evaluator, kernel.result, frame, {}, value));
  code.declare(scope.function("element(i: u32)"));
  std::vector<std::string_view> libraries = reader_files(table);
  libraries.emplace_back("weights_value");
  add_step(lowering, step_name(lowering, kernel), code, libraries,
           {FormChoice{elementwise_form(), elementwise_workgroups(exprs, count), {}}}, weight);
  return {};
}

}  // namespace subbyte
