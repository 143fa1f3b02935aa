#include "plan/plan_segments.h"

#include <algorithm>
#include <unordered_set>

namespace subbyte {
namespace {

bool holds_unknown(const ExprPool& exprs, Expr e, const std::set<Expr>& known,
                   std::unordered_set<std::uint32_t>& seen) {
  if (!seen.insert(e.index).second) return false;
  if (exprs.kind(e) == ExprKind::symbol) {
    const auto number = static_cast<std::size_t>(exprs.payload(e));
    return exprs.symbols()[number].source.kind == SymbolSource::Kind::result && !known.contains(e);
  }
  return std::ranges::any_of(
      exprs.operands(e), [&](Expr operand) { return holds_unknown(exprs, operand, known, seen); });
}

// A symbol that only says which branch was taken.
bool is_decision(const ExprPool& exprs, Expr e) {
  if (exprs.kind(e) == ExprKind::equal)
    return is_decision(exprs, exprs.operands(e)[1]) || is_decision(exprs, exprs.operands(e)[0]);
  return exprs.kind(e) == ExprKind::symbol && is_found_out(exprs, e) && exprs.upper(e) == 1;
}

}  // namespace

bool is_found_out(const ExprPool& exprs, Expr e, const std::set<Expr>& known) {
  std::unordered_set<std::uint32_t> seen;
  return holds_unknown(exprs, e, known, seen);
}

void end_segment(Plan& plan, const PlanSymbol& symbol) {
  plan.reads.push_back({plan.steps.size(), symbol});
}

Expr guard_condition(ExprPool& exprs, const Graph& graph, const Plan& plan, const Guard& guard) {
  std::set<Expr> known;
  for (const PlanRead& read : plan.reads) known.insert(read.symbol.symbol);
  Expr all = exprs.constant(1);
  for (const Branch& branch : guard) {
    const auto& condition = graph.values[branch.condition].content;
    if (!condition || is_found_out(exprs, condition->front(), known)) continue;
    all = exprs.mul(all, branch_taken(exprs, condition->front(), branch.holds));
  }
  return all;
}

void make_segments(ExprPool& exprs, Plan& plan) {
  plan.segments.clear();
  auto read = plan.reads.begin();
  for (std::size_t step = 0; step < plan.steps.size(); ++step) {
    const Expr guard = plan.steps[step].guard;
    const auto when = exprs.is(guard, 1) ? std::nullopt : std::optional(guard);
    const bool is_new = plan.segments.empty() || !plan.segments.back().symbols.empty() ||
                        plan.segments.back().when != when;
    if (is_new) plan.segments.push_back(PlanSegment{.when = when});
    ++plan.segments.back().steps;
    for (; read != plan.reads.end() && read->after == step + 1; ++read)
      plan.segments.back().symbols.push_back(read->symbol);
  }
}

Expr most_elements(ExprPool& exprs, Expr count) {
  const std::vector<Expr> operands(exprs.operands(count).begin(), exprs.operands(count).end());
  switch (exprs.kind(count)) {
    case ExprKind::select:
      if (!is_decision(exprs, operands[0])) return count;
      return exprs.max(most_elements(exprs, operands[1]), most_elements(exprs, operands[2]));
    case ExprKind::mul:
      if (exprs.lower(operands[0]) < 0 || exprs.lower(operands[1]) < 0) return count;
      return exprs.mul(most_elements(exprs, operands[0]), most_elements(exprs, operands[1]));
    case ExprKind::add:
      return exprs.add(most_elements(exprs, operands[0]), most_elements(exprs, operands[1]));
    default:
      return count;
  }
}

void free_untaken_tensors(ExprPool& exprs, Plan& plan) {
  // By tensor: the guard of the steps that bind it, 1 where they have several.
  std::vector<std::optional<Expr>> guards(plan.tensors.size());
  const Expr always = exprs.constant(1);
  for (const PlanStep& step : plan.steps) {
    for (const PlanBinding& binding : step.bindings) {
      if (binding.kind != PlanBinding::Kind::tensor) continue;
      auto& guard = guards[binding.index];
      if (!guard) guard = step.guard;
      if (*guard != step.guard) guard = always;
    }
  }
  for (const PlanInput& input : plan.inputs)
    if (input.tensor) guards[*input.tensor].reset();
  for (std::size_t t = 0; t < guards.size(); ++t) {
    if (!guards[t] || exprs.is(*guards[t], 1) || is_found_out(exprs, *guards[t])) continue;
    plan.tensors[t].count = exprs.select(*guards[t], plan.tensors[t].count, exprs.constant(0));
  }
}

}  // namespace subbyte
