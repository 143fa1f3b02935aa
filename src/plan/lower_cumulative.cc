// Sums and products along an axis up to each of its elements.
#include <fmt/format.h>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "plan/index_code.h"
#include "plan/scan_code.h"
#include "plan/watch_code.h"

namespace subbyte {

Expected<void> lower_cumulative(Lowering& lowering, const Kernel& kernel) {
  ExprPool& exprs = lowering.exprs();
  const Node& node = lowering.graph().nodes[kernel.anchor];
  const auto shape = lowering.shape(node.inputs[0]);
  const std::size_t axis = axes_operand(lowering.graph(), node, 1).front();
  const Expr before = exprs.product(std::span(shape).first(axis));
  const Expr length = shape[axis];
  const Expr after = exprs.product(std::span(shape).subspan(axis + 1));
  const bool reverse = node.int_or("reverse", 0) != 0;

  // Where element i of a line lies.
  const auto place = [&](StepCode& code, Scope& scope, const std::string& line,
                         const std::string& i) {
    const auto at = split_index(code, scope, line, std::vector<Expr>{before, after});
    const std::string along =
        reverse ? scope.let(fmt::format("{} - 1u - {}", code.size(length), i)) : i;
    return Frame{{{at[0], before}, {along, length}, {at[1], after}}};
  };
  const GpuType type = lowering.type(node.inputs[0]);
  const std::string t(wgsl_name(type));
  Scan scan;
  const bool multiplies = node.op == Op::CumProd;
  scan.accumulator = {t, t + (multiplies ? "(1)" : "(0)"), multiplies ? "a * b" : "a + b"};
  scan.type = type;
  std::optional<WatchedJoining> watched;
  const std::uint32_t number = lowering.schedule.watched[node.outputs[0]];
  if (number != 0) {
    watched = watched_joining(multiplies ? Joined::product : Joined::sum, type);
    scan.accumulator = watched->accumulator;
    scan.wide = true;
  }
  scan.lines = exprs.mul(before, after);
  scan.length = length;
  scan.exclusive = node.int_or("exclusive", 0) != 0;
  scan.strided = !exprs.is(after, 1);
  scan.load = [&](StepCode& code, Scope& scope, const std::string& line,
                  const std::string& i) -> Expected<Typed> {
    Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
    SUBBYTE_TRY(Typed x, reader.value(node.inputs[0], place(code, scope, line, i)));
    if (watched) x.text = fmt::format(fmt::runtime(watched->load), x.text);
    return x;
  };
  scan.store = [&](StepCode& code, Scope& scope) -> Expected<void> {
    const Frame frame = place(code, scope, "line", "i");
    const Typed sum = watched ? joined_value(*watched, type, number, "acc") : Typed{"acc", type};
    Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, scope,
                       KernelResult{node.outputs[0], scope.let(sum.text), type, sum.watch});
    SUBBYTE_TRY(const Typed y, epilogue.definition(kernel.result, frame));
    scope.line(store_result(lowering, code, epilogue, kernel.result, frame, {}, y.text));
    return {};
  };
  return add_scan(lowering, step_name(lowering, kernel), scan);
}

}  // namespace subbyte
