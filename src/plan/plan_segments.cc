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
  for (const PlanLoop& loop : plan.loops) known.insert(loop.turn.symbol);
  Expr all = exprs.constant(1);
  for (const Branch& branch : guard) {
    const auto& condition = graph.values[branch.condition].content;
    if (!condition || is_found_out(exprs, condition->front(), known)) continue;
    all = exprs.mul(all, branch_taken(exprs, condition->front(), branch.holds));
  }
  return all;
}

namespace {

bool holds_any(const ExprPool& exprs, Expr e, const std::set<Expr>& symbols,
               std::unordered_set<std::uint32_t>& seen) {
  if (!seen.insert(e.index).second) return false;
  if (symbols.contains(e)) return true;
  return std::ranges::any_of(
      exprs.operands(e), [&](Expr operand) { return holds_any(exprs, operand, symbols, seen); });
}

// The segments of steps, from the first on. What is read back is read together with what follows,
// as far as no step waits for it.
class SegmentMaker {
 public:
  SegmentMaker(ExprPool& exprs, Plan& plan) : exprs_(exprs), plan_(plan) {}

  // Those of the steps before `end`, in the turns of what is repeated around them.
  std::vector<PlanSegment> until(std::size_t end) {
    std::vector<PlanSegment> segments;
    while (step_ < end) {
      if (loop_ < plan_.loops.size() && plan_.loops[loop_].begin == step_) {
        read(segments);
        const PlanLoop& loop = plan_.loops[loop_++];
        segments.push_back(PlanSegment{.segments = until(loop.end),
                                       .when = condition(loop.guard),
                                       .repeat = loop.repeat,
                                       .turn = loop.turn,
                                       .loop_while = loop.loop_while});
        continue;
      }
      add_step(segments);
    }
    read(segments);
    return segments;
  }

 private:
  std::optional<Expr> condition(Expr guard) const {
    return exprs_.is(guard, 1) ? std::nullopt : std::optional(guard);
  }

  void add_step(std::vector<PlanSegment>& segments) {
    const PlanStep& step = plan_.steps[step_];
    const auto when = condition(step.guard);
    const bool is_new = segments.empty() || segments.back().repeat ||
                        segments.back().once != step.once || segments.back().when != when ||
                        !segments.back().symbols.empty() || waits(step);
    if (is_new) {
      read(segments);
      segments.push_back(PlanSegment{.when = when, .once = step.once});
    }
    ++segments.back().steps;
    ++step_;
    for (; next_ < plan_.reads.size() && plan_.reads[next_].after == step_; ++next_)
      pending_.push_back(next_);
  }

  // Whether a step depends on what has not been read yet.
  bool waits(const PlanStep& step) const {
    if (pending_.empty()) return false;
    std::set<Expr> symbols;
    for (const std::size_t read : pending_) symbols.insert(plan_.reads[read].symbol.symbol);
    std::unordered_set<std::uint32_t> seen;
    const auto holds = [&](Expr e) { return holds_any(exprs_, e, symbols, seen); };
    return std::ranges::any_of(step.params, holds) || (step.split && holds(step.split_rows)) ||
           std::ranges::any_of(step.forms, [&](const PlanForm& form) {
             return holds(form.workgroups) || (form.when && holds(*form.when));
           });
  }

  // Ends the last segment with what is to be read.
  void read(std::vector<PlanSegment>& segments) {
    for (const std::size_t read : pending_) {
      plan_.reads[read].after = step_;
      segments.back().symbols.push_back(plan_.reads[read].symbol);
    }
    pending_.clear();
  }

  ExprPool& exprs_;
  Plan& plan_;
  std::vector<std::size_t> pending_;  // of the plan's reads
  std::size_t step_ = 0, loop_ = 0, next_ = 0;
};

}  // namespace

void make_segments(ExprPool& exprs, Plan& plan) {
  plan.segments = SegmentMaker(exprs, plan).until(plan.steps.size());
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
