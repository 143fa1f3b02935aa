#include "plan/scan_code.h"

#include <fmt/format.h>

#include "plan/index_code.h"

namespace subbyte {

namespace {

// Elements that one workgroup walks: two turns of kernels/scan.wgsl.
constexpr std::int64_t kSegment = 4096;

void declare_hooks(StepCode& code, const Scan& scan, Expr lines, Expr length, bool exclusive) {
  code.declare(fmt::format("alias T = {};\n", scan.accumulator.type));
  code.declare_size("lines", lines);
  code.declare_size("length", length);
  code.declare(fmt::format("fn init() -> T {{ return {}; }}\n", scan.accumulator.init));
  code.declare(
      fmt::format("fn combine(a: T, b: T) -> T {{ return {}; }}\n", scan.accumulator.combine));
  code.declare(fmt::format("const EXCLUSIVE = {};\n", exclusive));
}

class ScanSteps {
 public:
  ScanSteps(Lowering& lowering, const std::string& name, const Scan& scan)
      : lowering_(lowering), exprs_(lowering.exprs()), name_(name), scan_(scan) {
    segments_ = exprs_.ceil_div(scan.length, exprs_.constant(kSegment));
    long_ = exprs_.less(exprs_.constant(kSegment), scan.length);
    if (exprs_.value(long_) == 0) return;
    sums_ = static_cast<TensorId>(lowering.plan.tensors.size());
    const Expr words =
        exprs_.mul(exprs_.mul(scan.lines, segments_), exprs_.constant(scan.wide ? 2 : 1));
    lowering.plan.tensors.push_back(PlanTensor{exprs_.select(long_, words, exprs_.constant(0))});
  }

  Expected<void> append() {
    if (sums_) {
      SUBBYTE_CHECK_OK(add_sums());
      add_carries();
    }
    return add_results();
  }

 private:
  // The combination of each segment.
  Expected<void> add_sums() {
    StepCode code(exprs_, lowering_.plan);
    const Expr outer = exprs_.mul(scan_.lines, segments_);
    declare_accumulator(code, scan_.accumulator, outer, exprs_.constant(kSegment));
    Scope loads;
    const std::string segments = code.size(segments_);
    const std::string line = loads.let(fmt::format("o / {}", segments));
    const std::string i = loads.let(fmt::format("(o % {}) * {}u + r", segments, kSegment));
    loads.line(fmt::format("if ({} >= {}) {{ return init(); }}", i, code.size(scan_.length)));
    SUBBYTE_TRY(const Typed x, scan_.load(code, loads, line, i));
    code.declare(loads.function("load(o: u32, r: u32) -> T", x.text));
    Scope stores;
    stores.line(write_sum(code, "o"));
    code.declare(stores.function("finish(o: u32, acc: T)"));
    add_step(lowering_, name_, code, {},
             {FormChoice{KernelForm{{"reduce_row"}, {}, {}, {}, {}}, when_long(outer), {}}});
    return {};
  }

  // What precedes each segment, in place: a lane has read all that it writes.
  void add_carries() {
    StepCode code(exprs_, lowering_.plan);
    declare_hooks(code, scan_, scan_.lines, segments_, true);
    code.declare("fn segment() -> u32 { return length(); }\n");
    code.declare("fn carry(line: u32, s: u32) -> T { return init(); }\n");
    const std::string at = "line * length() + i";
    code.declare(
        fmt::format("fn load(line: u32, i: u32) -> T {{ return {}; }}\n", read_sum(code, at)));
    code.declare(
        fmt::format("fn store(line: u32, i: u32, acc: T) {{ {} }}\n", write_sum(code, at)));
    add_step(lowering_, name_, code, {},
             {FormChoice{KernelForm{{"scan"}, {}, {}, {}, {}}, when_long(scan_.lines), {}}});
  }

  Expected<void> add_results() {
    StepCode code(exprs_, lowering_.plan);
    declare_hooks(code, scan_, scan_.lines, scan_.length, scan_.exclusive);
    code.declare(fmt::format("fn segment() -> u32 {{ return {}u; }}\n", kSegment));
    Scope carries;
    std::string carry = "init()";
    if (sums_) {
      if (!exprs_.value(long_))
        carries.line(fmt::format("if (length() <= {}u) {{ return init(); }}", kSegment));
      carry = read_sum(code, fmt::format("line * {} + s", code.size(segments_)));
    }
    code.declare(carries.function("carry(line: u32, s: u32) -> T", carry));
    Scope loads;
    SUBBYTE_TRY(const Typed x, scan_.load(code, loads, "line", "i"));
    code.declare(loads.function("load(line: u32, i: u32) -> T", x.text));
    Scope stores;
    SUBBYTE_CHECK_OK(scan_.store(code, stores));
    code.declare(stores.function("store(line: u32, i: u32, acc: T)"));
    std::vector<FormChoice> choices;
    for (auto& sized : scan_forms(exprs_, scan_.lines, scan_.length, segments_, scan_.strided)) {
      choices.push_back(FormChoice{std::move(sized.form), sized.workgroups, sized.when});
    }
    add_step(lowering_, name_, code, {}, choices);
    return {};
  }

  // The accumulator of a segment, and the statement that writes `acc` there.
  std::string read_sum(StepCode& code, const std::string& at) {
    if (!scan_.wide) return code.read_tensor(*sums_, scan_.type, at).text;
    const auto word = [&](const char* part) {
      return code.read_tensor(*sums_, GpuType::u32, fmt::format("2u * ({}) + {}", at, part)).text;
    };
    return fmt::format("vec2<u32>({}, {})", word("0u"), word("1u"));
  }
  std::string write_sum(StepCode& code, const std::string& at) {
    if (!scan_.wide) return code.write_tensor(*sums_, scan_.type, at, "acc");
    const auto word = [&](const char* part, const char* value) {
      return code.write_tensor(*sums_, GpuType::u32, fmt::format("2u * ({}) + {}", at, part),
                               value);
    };
    return word("0u", "acc.x") + " " + word("1u", "acc.y");
  }

  Expr when_long(Expr workgroups) { return exprs_.select(long_, workgroups, exprs_.constant(0)); }

  Lowering& lowering_;
  ExprPool& exprs_;
  const std::string& name_;
  const Scan& scan_;
  Expr segments_, long_;
  std::optional<TensorId> sums_;
};

}  // namespace

Expected<void> add_scan(Lowering& lowering, const std::string& name, const Scan& scan) {
  return ScanSteps(lowering, name, scan).append();
}

}  // namespace subbyte
