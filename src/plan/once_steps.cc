#include "plan/once_steps.h"

#include <algorithm>

namespace subbyte {
namespace {

constexpr std::int64_t kMostKept = std::int64_t{128} << 20;

class Marker {
 public:
  Marker(const ExprPool& exprs, Plan& plan)
      : exprs_(exprs), plan_(plan), is_input_(plan.tensors.size(), false) {
    for (const PlanInput& input : plan.inputs)
      if (input.tensor) is_input_[*input.tensor] = true;
  }

  void run() {
    std::int64_t kept = 0;
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      PlanStep& step = plan_.steps[i];
      const std::int64_t bytes = written_bytes(step);
      step.once =
          !is_repeated(i) && knows_its_sizes(step) && !tells(step) && bytes <= kMostKept - kept;
      if (step.once) kept += bytes;
    }
    // Until nothing changes: what a step reads or writes with others depends on them.
    while (drop_dependent()) {
    }
  }

 private:
  bool knows_its_sizes(const PlanStep& step) const {
    const auto is_known = [&](Expr e) { return exprs_.value(e).has_value(); };
    return !step.split && is_one(step.guard) && std::ranges::all_of(step.params, is_known) &&
           std::ranges::all_of(step.forms, [&](const PlanForm& form) {
             return is_known(form.workgroups) && (!form.when || is_known(*form.when));
           });
  }

  bool is_repeated(std::size_t step) const {
    return std::ranges::any_of(
        plan_.loops, [&](const PlanLoop& loop) { return loop.begin <= step && step < loop.end; });
  }

  bool is_one(Expr e) const { return exprs_.is(e, 1); }

  // Whether a run reads something back that it writes, or gives it away.
  bool tells(const PlanStep& step) const {
    return std::ranges::any_of(step.writes, [&](TensorId t) {
      return t == plan_.flag ||
             std::ranges::any_of(plan_.outputs,
                                 [&](const PlanOutput& output) { return output.tensor == t; }) ||
             std::ranges::any_of(plan_.reads,
                                 [&](const PlanRead& read) { return read.symbol.tensor == t; });
    });
  }

  // Of tensors that this step is the first to write; the most where that is not known.
  std::int64_t written_bytes(const PlanStep& step) const {
    std::int64_t bytes = 0;
    for (const TensorId t : step.writes) {
      const PlanTensor& tensor = plan_.tensors[t];
      const auto count = exprs_.value(tensor.count);
      if (!count || *count > kMostKept / tensor.width) return kMostKept + 1;
      bytes += *count * tensor.width;
    }
    return bytes;
  }

  bool drop_dependent() {
    const std::size_t tensors = plan_.tensors.size();
    // Whether steps of a run write it; the last step at load that does, and the first step of a run
    // that binds it.
    std::vector<bool> in_runs = is_input_;
    std::vector<std::size_t> last_at_load(tensors, 0), first_in_run(tensors, plan_.steps.size());
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      const PlanStep& step = plan_.steps[i];
      for (const TensorId t : step.writes) {
        if (step.once) last_at_load[t] = i;
        if (!step.once) in_runs[t] = true;
      }
      if (step.once) continue;
      for (const PlanBinding& binding : step.bindings)
        if (binding.kind == PlanBinding::Kind::tensor)
          first_in_run[binding.index] = std::min(first_in_run[binding.index], i);
    }
    bool dropped = false;
    for (PlanStep& step : plan_.steps) {
      if (!step.once) continue;
      step.once = std::ranges::none_of(step.bindings, [&](const PlanBinding& binding) {
        if (binding.kind != PlanBinding::Kind::tensor) return false;
        const TensorId t = binding.index;
        // A run would see what is written later as if it were there before.
        return in_runs[t] || first_in_run[t] < last_at_load[t];
      });
      if (step.once) continue;
      dropped = true;
      for (const TensorId t : step.writes) in_runs[t] = true;
    }
    return dropped;
  }

  const ExprPool& exprs_;
  Plan& plan_;
  std::vector<bool> is_input_;
};

}  // namespace

void put_once_steps_first(const ExprPool& exprs, Plan& plan) {
  Marker(exprs, plan).run();
  // What the others are counted by moves with them.
  const auto is_once = [](const PlanStep& step) { return step.once; };
  const auto all = std::ranges::count_if(plan.steps, is_once);
  if (all == 0) return;
  const auto moved = [&](std::size_t place) {
    const auto end = plan.steps.begin() + static_cast<std::ptrdiff_t>(place);
    return place + static_cast<std::size_t>(all - std::count_if(plan.steps.begin(), end, is_once));
  };
  for (PlanRead& read : plan.reads) read.after = moved(read.after);
  for (PlanLoop& loop : plan.loops) {
    loop.begin = moved(loop.begin);
    loop.end = moved(loop.end);
  }
  std::stable_partition(plan.steps.begin(), plan.steps.end(), is_once);
}

}  // namespace subbyte
