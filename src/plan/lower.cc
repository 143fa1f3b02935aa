#include "plan/lower.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "graph/branches.h"
#include "graph/infer.h"
#include "graph/loops.h"
#include "graph/ops.h"
#include "plan/family_code.h"
#include "plan/index_ranges.h"
#include "plan/join_products.h"
#include "plan/kernel_files.h"
#include "plan/lowering.h"
#include "plan/once_steps.h"
#include "plan/plan_segments.h"
#include "plan/repeat_by_views.h"
#include "plan/size_limits.h"
#include "plan/split_recurrences.h"
#include "plan/split_variadic.h"
#include "plan/wide_constants.h"

namespace subbyte {

namespace {

std::uint32_t piece(Lowering& lowering, std::string text) {
  const auto next = static_cast<std::uint32_t>(lowering.plan.pieces.size());
  const auto [it, added] = lowering.piece_index.try_emplace(text, next);
  if (added) lowering.plan.pieces.push_back(std::move(text));
  return it->second;
}

std::uint32_t library_piece(Lowering& lowering, std::string_view name, std::string text) {
  const std::uint32_t index = piece(lowering, std::move(text));
  lowering.plan.piece_names.try_emplace(index, name);
  return index;
}

std::uint32_t library_piece(Lowering& lowering, std::string_view file) {
  return library_piece(lowering, file, kernel_file(file));
}

std::uint32_t pipeline(Lowering& lowering, PlanPipeline wanted) {
  const std::string key = fmt::format("{}:{}", wanted.bindings, fmt::join(wanted.pieces, ","));
  const auto next = static_cast<std::uint32_t>(lowering.plan.pipelines.size());
  const auto [it, added] = lowering.pipeline_index.try_emplace(key, next);
  if (added) lowering.plan.pipelines.push_back(std::move(wanted));
  return it->second;
}

TensorId tensor_of(Lowering& lowering, ValueId value) {
  const auto next = static_cast<TensorId>(lowering.plan.tensors.size());
  const auto [it, added] = lowering.placement.tensors.try_emplace(value, next);
  if (added) {
    const Expr count = most_elements(lowering.exprs(), lowering.elements(value));
    lowering.plan.tensors.push_back(PlanTensor{count});
  }
  return it->second;
}

StoredWeight plain(const Value& value) {
  StoredWeight stored;
  stored.encoding =
      is_float(value.dtype) ? Encoding(FloatEncoding{32}) : Encoding(IntegerEncoding{32});
  stored.k = value.constant->elements();
  for (int axis = 0; axis < static_cast<int>(value.constant->dims.size()); ++axis) {
    stored.order.k.push_back(axis);
  }
  return stored;
}

// What Gathers read from tables that one binding cannot hold.
std::set<ValueId> results_from_large_tables(const Graph& graph,
                                            const std::map<ValueId, StoredWeight>& weights) {
  std::set<ValueId> results;
  for (const Node& node : graph.nodes) {
    if (node.op != Op::Gather) continue;
    const auto given = weights.find(node.inputs[0]);
    if (given == weights.end()) continue;
    StoredWeight table = given->second;
    table.layout = row_layout(table.encoding, table.k);
    if (gathers_rows(node, table)) results.insert(node.outputs[0]);
  }
  return results;
}

// The nodes that are watched, in the order of their numbers, and the word where they tell of it.
void list_watched(Lowering& lowering) {
  const Graph& graph = lowering.graph();
  for (ValueId v = 0; v < graph.values.size(); ++v) {
    if (lowering.schedule.watched[v] == 0) continue;
    lowering.plan.watched.push_back(describe(graph, graph.values[v].producer));
  }
  if (lowering.plan.watched.empty()) return;
  lowering.plan.flag = static_cast<TensorId>(lowering.plan.tensors.size());
  lowering.plan.tensors.push_back(PlanTensor{lowering.exprs().constant(1), kWordBytes, 0, 0});
}

// A state after the last turn is what it is then.
void place_states(Lowering& lowering) {
  for (const Loop& loop : find_loops(lowering.graph())) {
    const Node& enter = lowering.graph().nodes[loop.enter];
    const Node& leave = lowering.graph().nodes[loop.leave];
    for (std::size_t k = 0; k < states_of_leave(leave); ++k) {
      const TensorId state = tensor_of(lowering, enter.outputs[k]);
      lowering.placement.tensors.emplace(leave.outputs[k], state);
    }
  }
}

// Tensors for what is materialized, weights for the constants that kernels read.
Expected<void> place_values(Lowering& lowering, const std::map<ValueId, StoredWeight>& weights) {
  const Graph& graph = lowering.graph();
  for (ValueId v = 0; v < graph.values.size(); ++v) {
    const Value& value = graph.values[v];
    if (!lowering.schedule.needed[v]) continue;
    if (lowering.schedule.materialized[v]) {
      if (!gpu_type(value.dtype)) {
        return fail("value {}: a {} cannot be computed on the GPU", quoted(value.name),
                    dtype_name(value.dtype));
      }
      tensor_of(lowering, v);
    }
    if (!value.constant || is_immediate(value) || value.constant->elements() == 0) continue;
    const auto given = weights.find(v);
    StoredWeight stored = given == weights.end() ? plain(value) : given->second;
    stored.value = v;
    stored.layout = row_layout(stored.encoding, stored.k);
    lowering.placement.weights[v] = static_cast<WeightId>(lowering.plan.weights.size());
    lowering.plan.weights.push_back(std::move(stored));
  }
  return {};
}

// Integers are stored as words.
Expected<void> tables_fit_words(const Lowering& lowering) {
  for (const StoredWeight& stored : lowering.plan.weights) {
    if (!std::holds_alternative<IntegerEncoding>(stored.encoding)) continue;
    const Value& value = lowering.model.main().values[stored.value];
    if (!gpu_type(value.dtype)) {
      return fail("value {}: a table of {} cannot be stored for the GPU", quoted(value.name),
                  dtype_name(value.dtype));
    }
    SUBBYTE_CHECK_OK(fits_words("value " + quoted(value.name), *value.constant));
  }
  return {};
}

Expected<void> lower_kernel(Lowering& lowering, const Kernel& kernel) {
  if (kernel.anchor == kNone) {
    return lowering.alone.contains(kernel.result) ? lower_gather_rows(lowering, kernel)
                                                  : lower_elementwise(lowering, kernel);
  }
  return family_code(lowering.graph().nodes[kernel.anchor].op).lower(lowering, kernel);
}

void list_inputs_and_outputs(Lowering& lowering) {
  const Graph& graph = lowering.graph();
  for (const ValueId v : graph.inputs) {
    PlanInput input{v, std::nullopt};
    if (const auto it = lowering.placement.tensors.find(v);
        it != lowering.placement.tensors.end()) {
      input.tensor = it->second;
    }
    lowering.plan.inputs.push_back(input);
  }
  const std::vector<ValueId> sources = same_order_sources(graph);
  std::map<ValueId, std::uint32_t> inputs;
  for (const ValueId v : graph.inputs) inputs.emplace(v, static_cast<std::uint32_t>(inputs.size()));
  for (const ValueId v : graph.outputs) {
    PlanOutput output{v};
    const ValueId source = sources[v];
    if (const auto input = inputs.find(source); input != inputs.end()) {
      output.input = input->second;
    } else if (is_wide_constant(graph.values[source]) && !graph.values[v].content) {
      output.constant = source;
    } else if (const auto it = lowering.placement.tensors.find(source);
               it != lowering.placement.tensors.end() && !graph.values[v].content) {
      output.tensor = it->second;
    }
    lowering.plan.outputs.push_back(output);
  }
}

// What one turn leaves for the next is alive in all steps of the loop, and so is what is read in
// every turn.
void stay_in_loops(Plan& plan) {
  for (auto loop = plan.loops.rbegin(); loop != plan.loops.rend(); ++loop) {
    const auto begin = static_cast<std::int64_t>(loop->begin);
    const auto end = static_cast<std::int64_t>(loop->end);
    for (PlanTensor& tensor : plan.tensors) {
      const bool from_before = tensor.first < begin && tensor.last >= begin;
      const bool is_kept = tensor.first < end && tensor.last >= end;
      if (from_before) tensor.last = std::max(tensor.last, end - 1);
      if (is_kept) tensor.first = std::min(tensor.first, begin);
    }
  }
}

void set_lifetimes(Plan& plan) {
  const auto end = static_cast<std::int64_t>(plan.steps.size());
  for (auto& tensor : plan.tensors) tensor.first = tensor.last = end;
  for (std::int64_t step = 0; step < end; ++step) {
    for (const auto& binding : plan.steps[static_cast<std::size_t>(step)].bindings) {
      if (binding.kind != PlanBinding::Kind::tensor) continue;
      PlanTensor& tensor = plan.tensors[binding.index];
      tensor.first = std::min(tensor.first, step);
      tensor.last = step;
    }
  }
  for (const PlanRead& read : plan.reads) {
    if (!read.symbol.tensor) continue;
    PlanTensor& tensor = plan.tensors[*read.symbol.tensor];
    tensor.last = std::max(tensor.last, static_cast<std::int64_t>(read.after) - 1);
  }
  for (const auto& input : plan.inputs) {
    if (input.tensor) plan.tensors[*input.tensor].first = -1;
  }
  if (plan.flag) {
    plan.tensors[*plan.flag].first = -1;
    plan.tensors[*plan.flag].last = end;
  }
  for (const auto& output : plan.outputs) {
    if (output.tensor) plan.tensors[*output.tensor].last = end;
  }
  stay_in_loops(plan);
}

// The loops whose steps are being added.
class OpenLoops {
 public:
  explicit OpenLoops(Lowering& lowering)
      : lowering_(lowering), loops_(find_loops(lowering.graph())) {
    is_open_.assign(loops_.size(), false);
  }

  // Before the steps of a kernel, which computes an output of node n.
  Expected<void> begin(NodeId n) {
    for (std::size_t l = 0; l < loops_.size(); ++l) {
      if (is_open_[l] || n <= loops_[l].enter || n > loops_[l].leave || !loops_[l].contains(n))
        continue;
      is_open_[l] = true;
      SUBBYTE_CHECK_OK(open(loops_[l]));
      numbers_.emplace(loops_[l].leave, lowering_.plan.loops.size() - 1);
    }
    return {};
  }

  // After them.
  void end(NodeId n) {
    const auto loop = numbers_.find(n);
    if (loop != numbers_.end())
      lowering_.plan.loops[loop->second].end = lowering_.plan.steps.size();
  }

 private:
  Expected<void> open(const Loop& loop) {
    const Graph& graph = lowering_.graph();
    const Node& enter = graph.nodes[loop.enter];
    const Node& leave = graph.nodes[loop.leave];
    const auto most = most_turns(lowering_.exprs(), graph, enter);
    const auto& turn = graph.values[leave.inputs[0]].content;
    const bool asks = leave.has_input(1);
    if (!most || !turn || (asks && !graph.values[leave.inputs[1]].content))
      return fail("{}: how many turns it makes is not known", describe(graph, loop.leave));
    PlanLoop made{.begin = lowering_.plan.steps.size(),
                  .repeat = most->turns,
                  .turn = PlanSymbol{.symbol = turn->front()}};
    made.guard = guard_condition(lowering_.exprs(), graph, lowering_.plan,
                                 Guards(graph).of_node(loop.leave));
    if (most->is_bounded) made.turn.most = most->turns;
    if (asks) {
      const Expr goes_on =
          branch_taken(lowering_.exprs(), graph.values[leave.inputs[1]].content->front(), true);
      if (!lowering_.exprs().is(goes_on, 1)) made.loop_while = goes_on;
    }
    lowering_.plan.loops.push_back(made);
    return {};
  }

  Lowering& lowering_;
  std::vector<Loop> loops_;
  std::vector<bool> is_open_;
  std::map<NodeId, std::size_t> numbers_;  // by Leave, of the plan's loops
};

Expected<void> shapes_are_known(const Graph& graph) {
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId output : graph.nodes[n].outputs) {
      if (output == kNone || graph.values[output].shape) continue;
      return fail(
          "{}: the shape of its output {} depends on values that are known only when the module "
          "runs",
          describe(graph, n), quoted(graph.values[output].name));
    }
  }
  return {};
}

}  // namespace

std::string step_name(Lowering& lowering, const Kernel& kernel) {
  const NodeId node =
      kernel.anchor != kNone ? kernel.anchor : lowering.graph().values[kernel.result].producer;
  if (node == kNone) return lowering.graph().values[kernel.result].name;
  const Node& n = lowering.graph().nodes[node];
  return n.name.empty() ? fmt::format("{}.{}", n.op_type, node) : n.name;
}

std::string store_result(Lowering& lowering, StepCode& code, Evaluator& evaluator, ValueId result,
                         const Frame& frame, const std::vector<ViewStep>& path,
                         const std::string& value) {
  Access access = contiguous(lowering.exprs(), lowering.shape(result));
  for (const auto& step : path) access = apply(lowering.exprs(), access, step);
  return code.write_tensor(lowering.placement.tensors.at(result), lowering.type(result),
                           evaluator.address(access, frame), value);
}

void add_step(Lowering& lowering, const std::string& name, const StepCode& code,
              const std::vector<std::string_view>& libraries, const std::vector<FormChoice>& forms,
              std::optional<WeightId> split) {
  PlanStep step;
  step.name = name;
  step.guard = lowering.guard;
  step.params = code.params();
  step.bindings = code.bindings();
  step.writes = code.writes();
  step.split = split;
  if (split) step.split_rows = lowering.exprs().constant(lowering.plan.weights[*split].rows);
  const std::string prologue = code.prologue();
  const bool math = uses_math_library(prologue);
  const bool trigonometry = uses_trigonometry_library(prologue);
  const bool resample = uses_resample_library(prologue);
  const bool integers = uses_integers_library(prologue);
  const bool narrow = uses_narrow_library(prologue);
  for (const FormChoice& choice : forms) {
    const auto known =
        choice.when ? lowering.exprs().value(*choice.when) : std::optional<std::int64_t>(1);
    if (known == 0) continue;
    PlanPipeline wanted;
    wanted.bindings = code.binding_kinds();
    for (const auto& feature : choice.form.enables) {
      wanted.pieces.push_back(piece(lowering, fmt::format("enable {};", feature)));
    }
    wanted.pieces.push_back(piece(lowering, prologue));
    if (math) wanted.pieces.push_back(library_piece(lowering, "math"));
    if (trigonometry) wanted.pieces.push_back(library_piece(lowering, "trigonometry"));
    if (integers) wanted.pieces.push_back(library_piece(lowering, "integers"));
    if (narrow) wanted.pieces.push_back(library_piece(lowering, "narrow"));
    if (resample) wanted.pieces.push_back(library_piece(lowering, "resample"));
    for (const auto library : libraries) {
      wanted.pieces.push_back(library_piece(lowering, library));
    }
    for (const auto& library : code.libraries()) {
      if (std::ranges::find(libraries, library.name) != libraries.end()) continue;
      wanted.pieces.push_back(library_piece(lowering, library.name, library.text));
    }
    if (!choice.form.constants.empty())
      wanted.pieces.push_back(piece(lowering, choice.form.constants));
    for (const auto file : choice.form.files) {
      wanted.pieces.push_back(library_piece(lowering, file));
    }
    PlanForm form;
    if (!known) form.when = choice.when;
    form.features = choice.form.features;
    form.limits = choice.form.limits;
    form.workgroups = choice.workgroups;
    form.pipeline = pipeline(lowering, std::move(wanted));
    const bool always = known && form.features.empty() && form.limits.empty();
    step.forms.push_back(std::move(form));
    if (always) break;
  }
  lowering.plan.steps.push_back(std::move(step));
}

Expected<Plan> lower(Model& model, std::map<ValueId, StoredWeight> weights,
                     std::int64_t most_joined) {
  SUBBYTE_CHECK_OK(check_shapes(model));
  SUBBYTE_CHECK_OK(shapes_are_known(model.main()));
  SUBBYTE_CHECK_OK(split_variadic(model));
  repeat_by_views(model);
  split_recurrences(model);
  gather_loops(model.main());
  std::set<ValueId> alone = results_from_large_tables(model.main(), weights);
  const IntegerRanges ranges = integer_ranges(model);
  model.constraints.insert(model.constraints.end(), ranges.constraints.begin(),
                           ranges.constraints.end());
  tell_size_limits(model);
  const std::vector<InputRange> checked = both_ranges(ranges.assumed, index_ranges(model));
  // After all that reads the numbers of constants.
  join_products(model, weights, most_joined);
  SUBBYTE_TRY(Schedule scheduled, schedule(model, alone, ranges.watched));
  Lowering lowering{model, {}, std::move(scheduled), {}, std::move(alone), {}, {}};
  lowering.guard = model.exprs.constant(1);
  list_watched(lowering);
  place_states(lowering);
  SUBBYTE_CHECK_OK(place_values(lowering, weights));
  const Guards guards(model.main());
  OpenLoops loops(lowering);
  for (const Kernel& kernel : lowering.schedule.kernels) {
    const NodeId producer = model.main().values[kernel.result].producer;
    if (producer != kNone) SUBBYTE_CHECK_OK(loops.begin(producer));
    lowering.guard =
        guard_condition(model.exprs, model.main(), lowering.plan, guards.of_value(kernel.result));
    SUBBYTE_CHECK_OK(lower_kernel(lowering, kernel));
    if (producer != kNone) loops.end(producer);
  }
  SUBBYTE_CHECK_OK(tables_fit_words(lowering));
  list_inputs_and_outputs(lowering);
  put_once_steps_first(model.exprs, lowering.plan);
  make_segments(model.exprs, lowering.plan);
  for (const InputRange& range : checked) lowering.plan.inputs[range.input].range = range;
  free_untaken_tensors(model.exprs, lowering.plan);
  set_lifetimes(lowering.plan);
  return std::move(lowering.plan);
}

}  // namespace subbyte
