// NonMaxSuppression, in two segments: the boxes of each batch and class are sorted by their scores,
// and those that are kept counted; when their number is known, what they are is written.
#include <fmt/format.h>

#include "plan/plan_segments.h"
#include "plan/scan_code.h"
#include "plan/scatter_code.h"
#include "plan/sort_code.h"

namespace subbyte {

namespace {

// Boxes by two corners, in whatever order, or by their middle and size, as y1, x1, y2, x2; then as
// reference/selection.cc says.
constexpr const char* kCorners =
    "fn corners(b: vec4<f32>) -> vec4<f32> {\n"
    "  return vec4<f32>(min(b.xy, b.zw), max(b.xy, b.zw));\n"
    "}\n";
constexpr const char* kCentered =
    "fn corners(b: vec4<f32>) -> vec4<f32> {\n"
    "  let half_size = b.wz / 2.0f;\n"
    "  return vec4<f32>(b.yx - half_size, b.yx + half_size);\n"
    "}\n";
constexpr const char* kOverlap =
    "fn area(b: vec4<f32>) -> f32 { return (b.z - b.x) * (b.w - b.y); }\n"
    "fn overlaps(line: u32, i: u32, j: u32) -> bool {\n"
    "  let a = corners(box(line, i));\n"
    "  let b = corners(box(line, j));\n"
    "  let sides = min(a.zw, b.zw) - max(a.xy, b.xy);\n"
    "  let is_apart = !(sides.x > 0.0f) || !(sides.y > 0.0f);\n"
    "  if (is_apart || !(area(a) > 0.0f) || !(area(b) > 0.0f)) { return false; }\n"
    "  let shared_area = sides.x * sides.y;\n"
    "  return shared_area / (area(a) + area(b) - shared_area) > threshold();\n"
    "}\n";

class Suppression {
 public:
  Suppression(Lowering& lowering, const Kernel& kernel)
      : lowering_(lowering),
        exprs_(lowering.exprs()),
        kernel_(kernel),
        node_(lowering.graph().nodes[kernel.anchor]),
        name_(step_name(lowering, kernel)) {
    const auto scores = lowering.shape(node_.inputs[1]);
    batches_ = scores[0];
    classes_ = scores[1];
    boxes_ = scores[2];
    lines_ = exprs_.mul(batches_, classes_);
    order_ = new_tensor(exprs_.mul(lines_, boxes_));
    counts_ = new_tensor(lines_);
    starts_ = new_tensor(lines_);
    total_ = new_tensor(exprs_.constant(1));
  }

  Expected<void> append() {
    SUBBYTE_CHECK_OK(sort());
    SUBBYTE_CHECK_OK(suppress());
    SUBBYTE_CHECK_OK(add_up());
    const Expr count = lowering_.shape(node_.outputs[0])[0];
    end_segment(lowering_.plan, PlanSymbol{count, total_, most_in_all()});
    return write();
  }

 private:
  TensorId new_tensor(Expr count) {
    lowering_.plan.tensors.push_back(PlanTensor{count});
    return static_cast<TensorId>(lowering_.plan.tensors.size() - 1);
  }
  Evaluator evaluator(StepCode& code, Scope& scope) {
    return {lowering_.model, lowering_.schedule, lowering_.placement, code, scope};
  }
  // The most of one batch and class, where it is known before anything is computed.
  std::optional<Expr> most_of_each() {
    if (!node_.has_input(2)) return exprs_.constant(0);
    const auto& content = lowering_.graph().values[node_.inputs[2]].content;
    if (!content) return std::nullopt;
    return exprs_.max(exprs_.min(content->front(), boxes_), exprs_.constant(0));
  }
  Expr most_in_all() { return exprs_.mul(lines_, most_of_each().value_or(boxes_)); }

  Expected<Typed> score(StepCode& code, Scope& scope, const std::string& line,
                        const std::string& i) {
    return evaluator(code, scope).value(node_.inputs[1], Frame{{{line, lines_}, {i, boxes_}}});
  }

  Expected<void> sort() {
    Sort sort;
    sort.lines = lines_;
    sort.length = sort.kept = boxes_;
    sort.key = [this](StepCode& code, Scope& scope, const std::string& line,
                      const std::string& i) -> Expected<std::string> {
      SUBBYTE_TRY(const Typed x, score(code, scope, line, i));
      return sort_key(code, x, true);
    };
    sort.store = [this](StepCode& code, Scope& scope, const std::string& line,
                        const std::string& rank, const std::string& place) -> Expected<void> {
      scope.line(code.write_tensor(
          order_, GpuType::u32, fmt::format("{} * {} + {}", line, code.size(boxes_), rank), place));
      return {};
    };
    return add_sort(lowering_, name_, sort);
  }

  // "fn NAME(ARGUMENTS) -> TYPE" for the one element of an input.
  Expected<void> declare_number(StepCode& code, const char* signature, std::size_t input,
                                const char* otherwise, const char* pattern) {
    Scope scope;
    std::string text = otherwise;
    if (node_.has_input(input)) {
      SUBBYTE_TRY(
          const Typed x,
          evaluator(code, scope).value(node_.inputs[input], Frame{{{"0u", exprs_.constant(1)}}}));
      text = fmt::format(fmt::runtime(pattern), x.text);
    }
    code.declare(scope.function(signature, text));
    return {};
  }

  Expected<void> declare_boxes(StepCode& code) {
    Scope scope;
    const std::string batch = scope.let(fmt::format("line / {}", code.divisor(classes_)));
    std::string text;
    for (int part = 0; part < 4; ++part) {
      const Frame at{
          {{batch, batches_}, {"i", boxes_}, {fmt::format("{}u", part), exprs_.constant(4)}}};
      SUBBYTE_TRY(const Typed x, evaluator(code, scope).value(node_.inputs[0], at));
      text += fmt::format("{}{}", part == 0 ? "" : ", ", x.text);
    }
    code.declare(
        scope.function("box(line: u32, i: u32) -> vec4<f32>", fmt::format("vec4<f32>({})", text)));
    code.declare(node_.int_or("center_point_box", 0) != 0 ? kCentered : kCorners);
    code.declare(kOverlap);
    return {};
  }

  Expected<void> suppress() {
    StepCode code(exprs_, lowering_.plan);
    code.declare_size("lines", lines_);
    code.declare_size("length", boxes_);
    if (const auto most = most_of_each()) {
      code.declare_size("most", *most);
    } else {
      SUBBYTE_CHECK_OK(declare_number(code, "most() -> u32", 2, "0u", "u32(max({}, 0i))"));
    }
    SUBBYTE_CHECK_OK(declare_number(code, "threshold() -> f32", 3, "0.0f", "{}"));
    Scope passes;
    std::string passing = "true";
    if (node_.has_input(4)) {
      SUBBYTE_CHECK_OK(declare_number(code, "least_score() -> f32", 4, "0.0f", "{}"));
      SUBBYTE_TRY(const Typed x, score(code, passes, "line", "i"));
      passing = fmt::format("{} > least_score()", x.text);
    }
    code.declare(passes.function("passes(line: u32, i: u32) -> bool", passing));
    SUBBYTE_CHECK_OK(declare_boxes(code));
    const std::string at = "line * length() + rank";
    const std::string candidate = code.read_tensor(order_, GpuType::u32, at).text;
    code.declare(
        fmt::format("fn candidate(line: u32, rank: u32) -> u32 {{ return {}; }}\n", candidate));
    code.declare(fmt::format("fn fall(line: u32, rank: u32) {{ {} }}\n",
                             code.write_tensor(order_, GpuType::u32, at, candidate + " | FALLEN")));
    // Where a better one stood, which nobody reads again.
    code.declare(fmt::format("fn keep(line: u32, rank: u32, place: u32) {{ {} }}\n",
                             code.write_tensor(order_, GpuType::u32, at, "place")));
    code.declare(fmt::format("fn store_count(line: u32, count: u32) {{ {} }}\n",
                             code.write_tensor(counts_, GpuType::u32, "line", "count")));
    add_step(lowering_, name_, code, {},
             {FormChoice{KernelForm{{"suppress"}, {}, {}, {}, {}}, lines_, {}}});
    return {};
  }

  // How many there are before those of each batch and class, and in all.
  Expected<void> add_up() {
    Scan scan;
    scan.accumulator = {"u32", "0u", "a + b"};
    scan.type = GpuType::u32;
    scan.lines = exprs_.constant(1);
    scan.length = lines_;
    scan.exclusive = true;
    scan.load = [this](StepCode& code, Scope&, const std::string&,
                       const std::string& i) -> Expected<Typed> {
      return code.read_tensor(counts_, GpuType::u32, i);
    };
    scan.store = [this](StepCode& code, Scope& scope) -> Expected<void> {
      scope.line(code.write_tensor(starts_, GpuType::u32, "i", "acc"));
      const std::string all =
          fmt::format("acc + {}", code.read_tensor(counts_, GpuType::u32, "i").text);
      scope.line(fmt::format("if (i + 1u == length()) {{ {} }}",
                             code.write_tensor(total_, GpuType::u32, "0u", all)));
      return {};
    };
    return add_scan(lowering_, name_, scan);
  }

  Expected<void> write() {
    StepCode code(exprs_, lowering_.plan);
    Scope scope;
    const std::vector<Expr> sizes = lowering_.shape(node_.outputs[0]);
    const auto at = split_index(code, scope, "i", sizes);
    // The last batch and class that begins no later.
    const std::string start = code.read_tensor(starts_, GpuType::u32, "middle").text;
    scope.line("var line = 0u;");
    scope.line(fmt::format("var end = {};", code.size(lines_)));
    scope.line("while (end - line > 1u) {");
    scope.line("let middle = (line + end) / 2u;");
    scope.line(
        fmt::format("if ({} <= {}) {{ line = middle; }} else {{ end = middle; }}", start, at[0]));
    scope.line("}");
    const std::string first = code.read_tensor(starts_, GpuType::u32, "line").text;
    const std::string place =
        code.read_tensor(order_, GpuType::u32,
                         fmt::format("line * {} + {} - {}", code.size(boxes_), at[0], first))
            .text;
    const std::string classes = code.divisor(classes_);
    scope.line(fmt::format("var found = {};", place));
    scope.line(fmt::format("if ({} == 0u) {{ found = line / {}; }}", at[1], classes));
    scope.line(fmt::format("if ({} == 1u) {{ found = line % {}; }}", at[1], classes));
    const Frame frame{{{at[0], sizes[0]}, {at[1], sizes[1]}}};
    Evaluator epilogue(lowering_.model, lowering_.schedule, lowering_.placement, code, scope,
                       KernelResult{node_.outputs[0], scope.let("i32(found)"), GpuType::i32});
    SUBBYTE_TRY(const Typed y, epilogue.definition(kernel_.result, frame));
    scope.line(store_result(lowering_, code, epilogue, kernel_.result, frame, {}, y.text));
    add_elementwise(lowering_, kernel_, code, scope, lowering_.elements(node_.outputs[0]));
    return {};
  }

  Lowering& lowering_;
  ExprPool& exprs_;
  const Kernel& kernel_;
  const Node& node_;
  const std::string name_;
  Expr batches_, classes_, boxes_, lines_;
  TensorId order_ = 0;   // places by score, then those that are kept first
  TensorId counts_ = 0;  // of those that are kept
  TensorId starts_ = 0, total_ = 0;
};

}  // namespace

Expected<void> lower_non_max_suppression(Lowering& lowering, const Kernel& kernel) {
  return Suppression(lowering, kernel).append();
}

}  // namespace subbyte
