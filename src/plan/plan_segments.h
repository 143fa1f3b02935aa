// The segments of a plan, from what lowering has noted of its steps: under which condition each
// runs, and after which of them something is read back.
#pragma once

#include <set>

#include "graph/branches.h"
#include "plan/plan.h"

namespace subbyte {

// Ends the segment with the steps so far, after which `symbol` is known.
void end_segment(Plan& plan, const PlanSymbol& symbol);

// The condition under which what has a guard runs, as far as it is known after the steps so far:
// sizes and inputs always are, what the run finds out when it has been read back.
Expr guard_condition(ExprPool& exprs, const Graph& graph, const Plan& plan, const Guard& guard);

// Whether an expression holds a symbol that the run finds out, other than those that have been
// read back.
bool is_found_out(const ExprPool& exprs, Expr e, const std::set<Expr>& known = {});

// Sets plan.segments, and after which steps the reads are made.
void make_segments(ExprPool& exprs, Plan& plan);

// Elements that a tensor has room for where it is not known yet which branch gives its size: those
// of the larger.
Expr most_elements(ExprPool& exprs, Expr count);

// Tensors of branches that sizes or inputs decide take no memory where the branch is not taken.
void free_untaken_tensors(ExprPool& exprs, Plan& plan);

}  // namespace subbyte
