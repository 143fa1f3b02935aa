#include "calibrate/executor.h"

#include "base/text.h"
#include "calibrate/batches.h"
#include "calibrate/constants.h"
#include "calibrate/forms.h"
#include "graph/ops.h"
#include "reference/loop.h"

namespace subbyte {

using namespace calibrate;

namespace {

// The values that are alive, by sample of the batch; empty for the others.
using Live = std::vector<std::vector<Tensor>>;

// How far a run is: what a run of the same samples needs to go on from there.
struct Progress {
  Live live;
  NodeId next = 0;
  NodeId computed = 0;  // all before it are
};

class Batch {
 public:
  Batch(const Model& model, std::span<const Sample> samples, std::size_t first,
        const ExecuteOptions& options, Machine& machine)
      : model_(model),
        graph_(model.main()),
        samples_(samples),
        first_(first),
        options_(options),
        machine_(machine),
        last_(reference::last_readers(graph_, options.wants_outputs)),
        guards_(graph_),
        loops_(find_loops(graph_)),
        constants_(graph_, options.replace),
        live_(graph_.values.size()) {
    if (options.keeps_values) std::ranges::fill(last_, graph_.nodes.size());
  }

  void start() {
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i)
      for (const Sample& sample : samples_)
        live_[graph_.inputs[i]].push_back(as_float32(sample[i]));
  }

  Progress progress() const { return {live_, next_, computed_}; }
  void go_on_from(Progress progress) {
    live_ = std::move(progress.live);
    next_ = progress.next;
    computed_ = progress.computed;
  }

  Expected<std::vector<std::vector<Tensor>>> run() {
    start();
    while (next_ < graph_.nodes.size()) SUBBYTE_CHECK_OK(step());
    return outputs();
  }

  NodeId next() const { return next_; }
  std::span<Tensor> value(ValueId value) { return live_[value]; }
  Expected<const Tensor*> input(NodeId n, std::size_t i, std::size_t sample) {
    const Node& node = graph_.nodes[n];
    const ValueId value = i < node.inputs.size() ? node.inputs[i] : kNone;
    if (value == kNone) return nullptr;
    if (live_[value].empty()) return constants_.find(value, reads_any_dtype(node, i));
    const Tensor* const given = &live_[value][sample];
    return is_absent(given) ? nullptr : given;
  }

  Expected<void> step() {
    if (options_.cancelled && options_.cancelled())
      return fail_as(ErrorKind::cancelled, "the run was cancelled");
    // A loop is one step, after which its nodes are done.
    const NodeId first = next_++;
    if (first < computed_) return {};
    computed_ = next_;
    for (NodeId n = first; n < computed_;) {
      auto next = compute(n);
      if (!next) return within(describe(graph_, n), std::move(next.error()));
      n = *next;
    }
    return {};
  }

  Expected<std::vector<std::vector<Tensor>>> outputs() {
    std::vector<std::vector<Tensor>> outputs(samples_.size());
    for (const ValueId output : graph_.outputs) {
      const Tensor* constant = nullptr;
      if (live_[output].empty()) {
        SUBBYTE_TRY(constant, constants_.find(output, false));
        if (constant == nullptr)
          return fail("the output {} is never computed", quoted(graph_.values[output].name));
      }
      for (std::size_t s = 0; s < samples_.size(); ++s)
        outputs[s].push_back(constant != nullptr ? *constant : live_[output][s]);
    }
    return outputs;
  }

 private:
  // The inputs of a node on each sample.
  using Arguments = std::vector<std::vector<const Tensor*>>;

  Expected<Arguments> arguments(const Node& node) {
    Arguments arguments(samples_.size());
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      const Tensor* constant = nullptr;
      if (input != kNone && live_[input].empty()) {
        SUBBYTE_TRY(constant, constants_.find(input, reads_any_dtype(node, i)));
        if (constant == nullptr)
          return fail("the input {} has not been computed before the node that reads it",
                      quoted(graph_.values[input].name));
      }
      for (std::size_t s = 0; s < samples_.size(); ++s) {
        const bool flows = input != kNone && constant == nullptr;
        const Tensor* given = flows ? &live_[input][s] : constant;
        // What a sample has not computed is a side of a Merge that it has not taken.
        arguments[s].push_back(is_absent(given) ? nullptr : given);
      }
    }
    return arguments;
  }

  static bool is_absent(const Tensor* tensor) {
    return tensor != nullptr && tensor->dtype == DType::undefined;
  }

  // Whether a sample takes the branch that a node is in.
  bool is_taken(NodeId n, std::size_t sample) const {
    return reference::is_taken(guards_.of_node(n), [&](ValueId condition) -> const Tensor* {
      if (live_[condition].empty()) return graph_.constant(condition);
      const Tensor& value = live_[condition][sample];
      return is_absent(&value) ? nullptr : &value;
    });
  }

  // The turns of a loop on each sample; those of samples that do not take its branch have none.
  struct OpenLoop {
    const Loop* loop;
    std::vector<std::optional<reference::Turns>> turns;
    bool is_repeated = false;

    bool runs(std::size_t sample) const { return turns[sample] && turns[sample]->runs(); }
  };

  // Whether a node is outside of a loop that has been through a turn: it was computed then.
  bool is_done(NodeId n) const {
    return std::ranges::any_of(open_, [&](const OpenLoop& open) {
      return open.is_repeated && n <= open.loop->leave && !open.loop->contains(n);
    });
  }

  bool is_due(NodeId n, std::size_t sample) const {
    const bool runs = std::ranges::all_of(open_, [&](const OpenLoop& open) {
      return n >= open.loop->leave || !open.loop->contains(n) || open.runs(sample);
    });
    return runs && is_taken(n, sample);
  }

  // The node that comes next.
  Expected<NodeId> compute(NodeId n) {
    if (is_done(n)) return n + 1;
    const Node& node = graph_.nodes[n];
    const auto loop = std::ranges::find(loops_, n, &Loop::enter);
    if (node.op == Op::Enter && loop != loops_.end()) return enter(*loop);
    if (node.op == Op::Leave) return leave(n);
    SUBBYTE_TRY(const Arguments inputs, arguments(node));
    std::vector<Call> calls;
    std::vector<bool> taken;
    // What constants alone make, such as a transposed table, is made once for all samples.
    const bool is_shared = calibrate::reads_constants_alone(graph_, n);
    for (std::size_t s = 0; s < inputs.size(); ++s) {
      taken.push_back(is_due(n, s));
      if (!taken.back()) continue;
      if (options_.observe) options_.observe(n, first_ + s, inputs[s]);
      if (is_shared && !calls.empty()) continue;
      calls.push_back(Call{node, inputs[s], reference::kMaxTensorBytes});
    }
    std::vector<Outputs> computed;
    if (!calls.empty()) {
      SUBBYTE_TRY(computed, evaluate_node(calls, machine_));
    }
    std::vector<Outputs> results;
    results.reserve(taken.size());
    std::size_t next = 0;
    for (const bool is_computed : taken) {
      if (!is_computed) {
        results.emplace_back(node.outputs.size());
      } else if (is_shared) {
        results.push_back(computed.front());
      } else {
        results.push_back(std::move(computed[next++]));
      }
    }
    SUBBYTE_CHECK_OK(keep(n, std::move(results)));
    forget(n);
    return n + 1;
  }

  Expected<NodeId> enter(const Loop& loop) {
    const Node& node = graph_.nodes[loop.enter];
    SUBBYTE_TRY(const Arguments inputs, arguments(node));
    OpenLoop open{&loop, {}};
    open.turns.resize(samples_.size());
    for (std::size_t s = 0; s < inputs.size(); ++s) {
      if (!is_due(loop.enter, s)) continue;
      SUBBYTE_TRY(open.turns[s], reference::Turns::begin(node, inputs[s]));
    }
    computed_ = std::max(computed_, loop.leave + 1);
    open_.push_back(std::move(open));
    SUBBYTE_CHECK_OK(give_states());
    forget(loop.enter);
    return loop.enter + 1;
  }

  // What the innermost loop gives the turn under way.
  Expected<void> give_states() {
    const OpenLoop& open = open_.back();
    std::vector<Outputs> given;
    for (const auto& turns : open.turns)
      given.push_back(turns ? turns->given()
                            : Outputs(graph_.nodes[open.loop->enter].outputs.size()));
    return keep(open.loop->enter, std::move(given));
  }

  Expected<NodeId> leave(NodeId n) {
    const Node& node = graph_.nodes[n];
    if (open_.empty() || open_.back().loop->leave != n)
      return fail("it ends turns that no Enter began");
    SUBBYTE_TRY(const Arguments inputs, arguments(node));
    OpenLoop& open = open_.back();
    bool goes_on = false;
    for (std::size_t s = 0; s < inputs.size(); ++s) {
      if (!open.runs(s)) continue;
      if (options_.observe) options_.observe(n, first_ + s, inputs[s]);
      SUBBYTE_CHECK_OK(open.turns[s]->next(node, inputs[s]));
      goes_on = goes_on || open.turns[s]->runs();
    }
    open.is_repeated = true;
    if (goes_on) {
      if (options_.cancelled && options_.cancelled())
        return fail_as(ErrorKind::cancelled, "the run was cancelled");
      SUBBYTE_CHECK_OK(give_states());
      return open.loop->enter + 1;
    }
    std::vector<Outputs> results;
    for (const auto& turns : open.turns) {
      if (!turns) {
        results.emplace_back(node.outputs.size());
        continue;
      }
      SUBBYTE_TRY(Outputs outputs, turns->outputs(model_, node));
      results.push_back(std::move(outputs));
    }
    open_.pop_back();
    SUBBYTE_CHECK_OK(keep(n, std::move(results)));
    forget(n);
    return n + 1;
  }

  // The outputs of a node on each sample; absent where it does not compute them.
  Expected<void> keep(NodeId n, std::vector<Outputs> results) {
    const Node& node = graph_.nodes[n];
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId output = node.outputs[i];
      // What nothing reads is not kept; what was there is of the turn before.
      const bool is_kept = output != kNone && last_[output] > n;
      if (is_kept) live_[output].clear();
      for (Outputs& result : results) {
        if (i >= result.size())
          return fail("the node has {} outputs; the operator gives {}", node.outputs.size(),
                      result.size());
        if (is_kept)
          live_[output].push_back(is_absent(&result[i]) ? Tensor{}
                                                        : as_float32(std::move(result[i])));
      }
    }
    return {};
  }

  void forget(NodeId n) {
    for (const ValueId input : graph_.nodes[n].inputs) {
      if (input == kNone || last_[input] != n) continue;
      live_[input].clear();
      constants_.drop(input);
    }
  }

  const Model& model_;
  const Graph& graph_;
  std::span<const Sample> samples_;
  std::size_t first_;  // sample of all
  const ExecuteOptions& options_;
  Machine& machine_;
  std::vector<std::size_t> last_;
  Guards guards_;
  std::vector<Loop> loops_;
  Constants constants_;
  Live live_;
  std::vector<OpenLoop> open_;
  NodeId next_ = 0;
  NodeId computed_ = 0;  // all before it are
};

}  // namespace

// A batch with what it refers to.
class Execution::State {
 public:
  State(const Model& model, std::span<const Sample> samples, ExecuteOptions options)
      : State(model, samples, std::make_shared<Machine>(options.threads), std::move(options)) {}
  State(const State& other, ExecuteOptions options)
      : State(other.model_, other.samples_, other.machine_, std::move(options)) {
    batch.go_on_from(other.batch.progress());
  }

 private:
  State(const Model& model, std::span<const Sample> samples, std::shared_ptr<Machine> machine,
        ExecuteOptions options)
      : model_(model),
        samples_(samples),
        options_(std::move(options)),
        machine_(std::move(machine)),
        batch(model, samples, 0, options_, *machine_) {}

  const Model& model_;
  std::span<const Sample> samples_;
  const ExecuteOptions options_;
  std::shared_ptr<Machine> machine_;  // that of the runs that go on from this one, too

 public:
  Batch batch;
};

class Execution::Values {
 public:
  Progress progress;
};

Execution::Execution(std::unique_ptr<State> state) : state_(std::move(state)) {}
Execution::Execution(Execution&&) noexcept = default;
Execution::~Execution() = default;

Expected<Execution> Execution::begin(const Model& model, std::span<const Sample> samples,
                                     ExecuteOptions options) {
  for (const Sample& sample : samples) SUBBYTE_CHECK_OK(reference::check_inputs(model, sample));
  Execution execution(std::make_unique<State>(model, samples, std::move(options)));
  execution.state_->batch.start();
  return execution;
}

Execution Execution::fork(ExecuteOptions options) const {
  return Execution(std::make_unique<State>(*state_, std::move(options)));
}

std::shared_ptr<const Execution::Values> Execution::values() const {
  return std::make_shared<const Values>(Values{state_->batch.progress()});
}

Execution Execution::resume(const Model& model, std::span<const Sample> samples,
                            const Values& values, ExecuteOptions options) {
  Execution execution(std::make_unique<State>(model, samples, std::move(options)));
  execution.state_->batch.go_on_from(values.progress);
  return execution;
}

NodeId Execution::next() const { return state_->batch.next(); }
Expected<void> Execution::step() { return state_->batch.step(); }
std::span<Tensor> Execution::value(ValueId value) { return state_->batch.value(value); }
Expected<const Tensor*> Execution::input(NodeId node, std::size_t i, std::size_t sample) {
  return state_->batch.input(node, i, sample);
}
Expected<std::vector<std::vector<Tensor>>> Execution::outputs() { return state_->batch.outputs(); }

Expected<std::vector<std::vector<Tensor>>> execute(const Model& model,
                                                   std::span<const Sample> samples,
                                                   const ExecuteOptions& options) {
  for (const Sample& sample : samples) SUBBYTE_CHECK_OK(reference::check_inputs(model, sample));
  Machine machine(options.threads);
  std::vector<std::vector<Tensor>> outputs;
  std::size_t first = 0;
  for (const std::size_t end : batch_ends(model, samples, options.memory)) {
    Batch batch(model, samples.subspan(first, end - first), first, options, machine);
    SUBBYTE_TRY(auto results, batch.run());
    for (auto& result : results) outputs.push_back(std::move(result));
    first = end;
  }
  return outputs;
}

}  // namespace subbyte
