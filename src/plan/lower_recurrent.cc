// LSTM, GRU and RNN, as split_recurrences() leaves them: one kernel walks through all times.
#include <fmt/core.h>

#include "graph/ops.h"
#include "graph/recurrence.h"
#include "plan/lowering.h"
#include "plan/product.h"
#include "plan/split_recurrences.h"
#include "plan/weight_code.h"

namespace subbyte {

namespace {

std::string activation_text(const ActivationUse& use) {
  const std::string alpha = f32_literal(use.alpha), beta = f32_literal(use.beta);
  switch (use.function) {
    case Activation::affine:
      return fmt::format("{} * x + {}", alpha, beta);
    case Activation::elu:
      return fmt::format("select({} * expm1_f32(x), x, x >= 0.0f)", alpha);
    case Activation::hard_sigmoid:
      return fmt::format("clamp_unit_f32({} * x + {})", alpha, beta);
    case Activation::leaky_relu:
      return fmt::format("select({} * x, x, x >= 0.0f)", alpha);
    case Activation::relu:
      return "maximum_f32(x, 0.0f)";
    case Activation::scaled_tanh:
      return fmt::format("{} * tanh_f32({} * x)", alpha, beta);
    case Activation::sigmoid:
      return "sigmoid_f32(x)";
    case Activation::softplus:
      return "softplus_f32(x)";
    case Activation::softsign:
      return "x / (1.0f + abs(x))";
    case Activation::tanh:
      return "tanh_f32(x)";
    case Activation::thresholded_relu:
      return fmt::format("select(0.0f, x, x > {})", alpha);
  }
  return "x";
}

// One recurrence while its kernel is written.
class Writer {
 public:
  Writer(Lowering& lowering, const Kernel& kernel, Recurrence r)
      : lowering_(lowering),
        kernel_(kernel),
        node_(lowering.graph().nodes[kernel.anchor]),
        r_(std::move(r)),
        code_(lowering.exprs(), lowering.plan) {
    const auto& projected = lowering.shape(node_.inputs[0]);
    time_ = projected[1];
    batch_ = projected[2];
    hidden_ = lowering.shape(node_.inputs[2])[2];
    const auto size = lowering.exprs().value(hidden_);
    in_workgroup_ = size && *size <= kMaxWorkgroupState;
  }

  Expected<void> write() {
    declare_sizes();
    declare_activations();
    SUBBYTE_CHECK_OK(declare_reads());
    SUBBYTE_CHECK_OK(declare_lengths());
    SUBBYTE_CHECK_OK(declare_first_states());
    SUBBYTE_CHECK_OK(declare_stores());
    SUBBYTE_TRY(const auto libraries, bind_weights());
    const Expr lines = exprs().mul(directions(), batch_);
    const std::string_view state = in_workgroup_ ? "recurrent_workgroup" : "recurrent_storage";
    const std::string_view body = node_.op == Op::LSTM  ? "lstm"
                                  : node_.op == Op::GRU ? "gru"
                                                        : "rnn";
    add_step(lowering_, step_name(lowering_, kernel_), code_, libraries,
             {FormChoice{KernelForm{{state, "recurrent", body}, {}, {}, {}, {}}, lines, {}}});
    return {};
  }

 private:
  ExprPool& exprs() { return lowering_.exprs(); }
  Expr directions() { return exprs().constant(r_.directions); }
  Expr rows() { return exprs().mul(exprs().constant(r_.gates), hidden_); }
  Evaluator evaluator(Scope& scope) {
    return {lowering_.model, lowering_.schedule, lowering_.placement, code_, scope};
  }

  void declare_sizes() {
    code_.declare_size("directions", directions());
    code_.declare_size("batch", batch_);
    code_.declare_size("times", time_);
    code_.declare_size("hidden", hidden_);
    code_.declare(fmt::format("const GATES = {}u;\n", r_.gates));
    if (in_workgroup_) {
      const std::int64_t size = exprs().value(hidden_).value_or(0);
      code_.declare(
          fmt::format("const STATE = {}u;\n", std::max<std::int64_t>(size + 7, 8) / 8 * 8));
    }
    if (node_.op == Op::LSTM)
      code_.declare(fmt::format("const INPUT_FORGET = {};\n", r_.input_forget));
    if (node_.op == Op::GRU)
      code_.declare(fmt::format("const LINEAR_BEFORE_RESET = {};\n", r_.linear_before_reset));
    const char* reversed = r_.reversed ? "true" : r_.directions == 2 ? "d == 1u" : "false";
    code_.declare(fmt::format("fn reversed(d: u32) -> bool {{ return {}; }}\n", reversed));
  }

  void declare_activations() {
    const std::size_t count = node_.op == Op::LSTM ? 3 : node_.op == Op::GRU ? 2 : 1;
    const std::string clip = f32_literal(r_.clip);
    for (std::size_t i = 0; i < count; ++i) {
      Scope scope;
      scope.line(r_.clip > 0 && i < 2 ? fmt::format("let x = clamp(value, -{0}, {0});", clip)
                                      : std::string("let x = value;"));
      if (r_.directions == 2 && r_.activations[0][i] != r_.activations[1][i])
        scope.line(
            fmt::format("if (d == 1u) {{ return {}; }}", activation_text(r_.activations[1][i])));
      code_.declare(scope.function(fmt::format("activate_{}(d: u32, value: f32) -> f32", "fgh"[i]),
                                   activation_text(r_.activations[0][i])));
    }
  }

  // A function of one element of an input; 0 where the input is absent.
  Expected<void> declare_element(std::size_t input, const Frame& frame,
                                 const std::string& signature,
                                 const std::vector<ViewStep>& path = {}) {
    Scope scope;
    if (!node_.has_input(input)) {
      code_.declare(scope.function(signature + " -> f32", "0.0f"));
      return {};
    }
    SUBBYTE_TRY(const Typed value, evaluator(scope).value(node_.inputs[input], frame, path));
    code_.declare(scope.function(signature + " -> f32", value.text));
    return {};
  }

  Expected<void> declare_reads() {
    SUBBYTE_CHECK_OK(declare_element(
        0, Frame{{{"d", directions()}, {"t", time_}, {"n", batch_}, {"row", rows()}}},
        "projected(d: u32, t: u32, n: u32, row: u32)"));
    if (node_.op == Op::GRU) {
      const Frame frame{{{"d", directions()}, {"half", exprs().constant(2)}, {"row", rows()}}};
      const ViewStep halves = reshaped({directions(), exprs().constant(2), rows()});
      Frame second = frame;
      second.coordinates[1].name = "1u";
      SUBBYTE_CHECK_OK(declare_element(3, second, "recurrent_bias(d: u32, row: u32)", {halves}));
    }
    if (node_.op != Op::LSTM) return {};
    const Expr three = exprs().constant(3);
    return declare_element(7, Frame{{{"d", directions()}, {"gate", three}, {"u", hidden_}}},
                           "peephole(d: u32, gate: u32, u: u32)",
                           {reshaped({directions(), three, hidden_})});
  }

  Expected<void> declare_lengths() {
    Scope scope;
    std::string length = "times()";
    if (node_.has_input(4)) {
      SUBBYTE_TRY(const Typed given,
                  evaluator(scope).value(node_.inputs[4], Frame{{{"n", batch_}}}));
      length = fmt::format("u32(clamp({}, 0i, i32(times())))", given.text);
    }
    code_.declare(scope.function("sequence_length(n: u32) -> u32", length));
    return {};
  }

  Expected<void> declare_first_states() {
    if (!in_workgroup_) {
      const TensorId states = lowering_.placement.tensors.at(node_.inputs[5]);
      code_.declare(fmt::format("fn state_word(i: u32) -> f32 {{ return {}; }}\n",
                                code_.read_tensor(states, GpuType::f32, "i").text));
      code_.declare(fmt::format("fn keep_word(i: u32, value: f32) {{ {} }}\n",
                                code_.write_tensor(states, GpuType::f32, "i", "value")));
      return {};
    }
    // Both in one input, or each in its own.
    const Expr first = node_.has_input(5) ? lowering_.shape(node_.inputs[5])[0] : directions();
    const bool joined = first != directions();
    const Frame frame{{{"d", first}, {"n", batch_}, {"u", hidden_}}};
    SUBBYTE_CHECK_OK(declare_element(5, frame, "initial_hidden(d: u32, n: u32, u: u32)"));
    Frame cell = frame;
    if (joined) cell.coordinates[0].name = fmt::format("(d + {}u)", r_.directions);
    return declare_element(joined ? 5 : 6, cell, "initial_cell(d: u32, n: u32, u: u32)");
  }

  Expected<void> declare_stores() {
    const Frame::Coordinate d{"d", directions()}, t{"t", time_}, n{"n", batch_}, u{"u", hidden_};
    const Frame all = r_.batch_first ? Frame{{n, t, d, u}} : Frame{{t, d, n, u}};
    const Frame last = r_.batch_first ? Frame{{n, d, u}} : Frame{{d, n, u}};
    Scope stores;
    Evaluator epilogue(lowering_.model, lowering_.schedule, lowering_.placement, code_, stores,
                       KernelResult{node_.outputs[0], "value", GpuType::f32});
    SUBBYTE_TRY(const Typed y, epilogue.definition(kernel_.result, all));
    stores.line(store_result(lowering_, code_, epilogue, kernel_.result, all, {}, y.text));
    code_.declare(stores.function("store(t: u32, d: u32, n: u32, u: u32, value: f32)"));
    static constexpr const char* kNames[] = {"store_last_hidden", "store_last_cell"};
    for (std::size_t i = 1; i < (node_.op == Op::LSTM ? 3 : 2); ++i) {
      Scope scope;
      const ValueId output = i < node_.outputs.size() ? node_.outputs[i] : kNone;
      if (output != kNone && lowering_.placement.tensors.contains(output)) {
        Evaluator place = evaluator(scope);
        scope.line(store_result(lowering_, code_, place, output, last, {}, "value"));
      }
      code_.declare(
          scope.function(fmt::format("{}(d: u32, n: u32, u: u32, value: f32)", kNames[i - 1])));
    }
    return {};
  }

  // The weights of the state as the matrix [gates * hidden, hidden] of each direction, by its parts
  // where so many buffers can be bound.
  Expected<std::vector<std::string_view>> bind_weights() {
    const ValueId weights = node_.inputs[2];
    code_.declare_size("depth", hidden_);
    const auto it = lowering_.placement.weights.find(weights);
    if (it != lowering_.placement.weights.end()) {
      const StoredWeight& stored = lowering_.plan.weights[it->second];
      if (stored.order == AxisOrder{{0, 1}, {2}} &&
          !std::holds_alternative<IntegerEncoding>(stored.encoding)) {
        const std::size_t parts = weight_parts(stored).size();
        code_.bind_matrix(it->second, code_.bindings().size() + parts > kMaxStorageBindings);
        code_.declare(fmt::format(
            "fn weight_row(b: u32, n: u32) -> u32 {{ return b * GATES * hidden() + n; }}\n"));
        return reader_files(stored);
      }
      note_read_by_elements(lowering_, kernel_, weights);
    }
    const Frame frame{{{"b", directions()}, {"n", rows()}, {"k", hidden_}}};
    SUBBYTE_CHECK_OK(declare_operand(lowering_, code_, weights, frame, {}, hidden_, "load_b"));
    return std::vector<std::string_view>{"octet", "weights_activations"};
  }

  Lowering& lowering_;
  const Kernel& kernel_;
  const Node& node_;
  const Recurrence r_;
  StepCode code_;
  Expr time_, batch_, hidden_;
  bool in_workgroup_ = false;
};

}  // namespace

Expected<void> lower_recurrent(Lowering& lowering, const Kernel& kernel) {
  SUBBYTE_TRY(Recurrence r, recurrence_of(lowering.graph().nodes[kernel.anchor]));
  return Writer(lowering, kernel, std::move(r)).write();
}

}  // namespace subbyte
