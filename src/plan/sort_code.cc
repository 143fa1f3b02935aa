#include "plan/sort_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "plan/index_code.h"
#include "plan/scan_code.h"

namespace subbyte {

namespace {

// What a workgroup holds; the elements of one workgroup of the long form.
constexpr std::int64_t kShort = 2048, kBlock = 2048;
constexpr int kDigits = 8, kDigitBits = 4, kDigitValues = 16;

class SortSteps {
 public:
  SortSteps(Lowering& lowering, const std::string& name, const Sort& sort)
      : lowering_(lowering), exprs_(lowering.exprs()), name_(name), sort_(sort) {
    long_ = exprs_.less(exprs_.constant(kShort), sort.length);
    blocks_ = exprs_.ceil_div(sort.length, exprs_.constant(kBlock));
    elements_ = exprs_.mul(sort.lines, sort.length);
    counts_ = exprs_.mul(sort.lines, exprs_.mul(exprs_.constant(kDigitValues), blocks_));
  }

  Expected<void> append() {
    if (exprs_.value(long_) != 1) SUBBYTE_CHECK_OK(add_short());
    if (exprs_.value(long_) == 0) return {};
    for (TensorId& tensor : tensors_) tensor = new_tensor(elements_);
    const TensorId counts = new_tensor(counts_);
    SUBBYTE_CHECK_OK(add_keys());
    for (int digit = 0; digit < kDigits; ++digit) {
      add_counts(digit, counts);
      SUBBYTE_CHECK_OK(add_starts(counts));
      add_moves(digit, counts);
    }
    return add_ranks();
  }

 private:
  TensorId new_tensor(Expr count) {
    lowering_.plan.tensors.push_back(PlanTensor{when_long(count)});
    return static_cast<TensorId>(lowering_.plan.tensors.size() - 1);
  }
  Expr when_long(Expr e) { return exprs_.select(long_, e, exprs_.constant(0)); }
  // Keys and places before and after a digit, in turn.
  TensorId keys(int turn) const { return tensors_[turn % 2 == 0 ? 0 : 2]; }
  TensorId places(int turn) const { return tensors_[turn % 2 == 0 ? 1 : 3]; }

  void declare_sizes(StepCode& code) {
    code.declare_size("lines", sort_.lines);
    code.declare_size("length", sort_.length);
  }
  void step(const StepCode& code, std::string_view body, Expr workgroups,
            std::string constants = "") {
    add_step(lowering_, name_, code, {},
             {FormChoice{KernelForm{{body}, {}, {}, std::move(constants), {}}, workgroups, {}}});
  }

  Expected<void> add_short() {
    StepCode code(exprs_, lowering_.plan);
    declare_sizes(code);
    code.declare_size("kept", sort_.kept);
    Scope loads;
    SUBBYTE_TRY(const std::string key, sort_.key(code, loads, "line", "i"));
    code.declare(loads.function("load_key(line: u32, i: u32) -> u32", key));
    Scope stores;
    SUBBYTE_CHECK_OK(sort_.store(code, stores, "line", "rank", "place"));
    code.declare(stores.function("store(line: u32, rank: u32, place: u32)"));
    const std::int64_t most = std::clamp<std::int64_t>(exprs_.upper(sort_.length), 2, kShort);
    const auto size = std::bit_ceil(static_cast<std::uint64_t>(most));
    code.declare(fmt::format("const SIZE = {}u;\n", size));
    step(code, "sort_short", exprs_.select(long_, exprs_.constant(0), sort_.lines));
    return {};
  }

  Expected<void> add_keys() {
    StepCode code(exprs_, lowering_.plan);
    Scope scope;
    const auto at = split_index(code, scope, "i", std::vector<Expr>{sort_.lines, sort_.length});
    SUBBYTE_TRY(const std::string key, sort_.key(code, scope, at[0], at[1]));
    scope.line(code.write_tensor(keys(0), GpuType::u32, "i", key));
    scope.line(code.write_tensor(places(0), GpuType::u32, "i", at[1]));
    code.declare(scope.function("element(i: u32)"));
    code.declare_size("count", when_long(elements_));
    step(code, "elementwise", elementwise_workgroups(exprs_, when_long(elements_)));
    return {};
  }

  // What sort_count and sort_move have in common. The digit is a parameter: all turns share
  // pipelines.
  void declare_digit(StepCode& code, int digit) {
    declare_sizes(code);
    code.declare_size("blocks", blocks_);
    code.declare(fmt::format("fn shift() -> u32 {{ return {}; }}\n",
                             code.parameter(exprs_.constant(digit * kDigitBits))));
    code.declare(
        fmt::format("fn key_at(line: u32, i: u32) -> u32 {{ return {}; }}\n",
                    code.read_tensor(keys(digit), GpuType::u32, "line * length() + i").text));
  }
  std::string count_index() const {
    return fmt::format("(line * {}u + digit) * blocks() + block", kDigitValues);
  }

  void add_counts(int digit, TensorId counts) {
    StepCode code(exprs_, lowering_.plan);
    declare_digit(code, digit);
    code.declare(
        fmt::format("fn store_count(line: u32, digit: u32, block: u32, count: u32) {{ {} }}\n",
                    code.write_tensor(counts, GpuType::u32, count_index(), "count")));
    step(code, "sort_count", when_long(exprs_.mul(sort_.lines, blocks_)));
  }

  // Where the elements of each digit of each block begin, in place.
  Expected<void> add_starts(TensorId counts) {
    Scan scan;
    scan.accumulator = {"u32", "0u", "a + b"};
    scan.type = GpuType::u32;
    scan.lines = when_long(sort_.lines);
    scan.length = exprs_.mul(exprs_.constant(kDigitValues), blocks_);
    scan.exclusive = true;
    scan.load = [&](StepCode& code, Scope&, const std::string& line,
                    const std::string& i) -> Expected<Typed> {
      return code.read_tensor(counts, GpuType::u32,
                              fmt::format("{} * {} + {}", line, code.size(scan.length), i));
    };
    scan.store = [&](StepCode& code, Scope& scope) -> Expected<void> {
      scope.line(code.write_tensor(counts, GpuType::u32,
                                   fmt::format("line * {} + i", code.size(scan.length)), "acc"));
      return {};
    };
    return add_scan(lowering_, name_, scan);
  }

  void add_moves(int digit, TensorId counts) {
    StepCode code(exprs_, lowering_.plan);
    declare_digit(code, digit);
    code.declare(
        fmt::format("fn first_of(line: u32, digit: u32, block: u32) -> u32 {{ return {}; }}\n",
                    code.read_tensor(counts, GpuType::u32, count_index()).text));
    const std::string from = "line * length() + from_place", to = "line * length() + to";
    const std::string place = code.read_tensor(places(digit), GpuType::u32, from).text;
    code.declare(fmt::format(
        "fn put(line: u32, to: u32, from_place: u32) {{\n  {}\n  {}\n}}\n",
        code.write_tensor(keys(digit + 1), GpuType::u32, to, "key_at(line, from_place)"),
        code.write_tensor(places(digit + 1), GpuType::u32, to, place)));
    step(code, "sort_move", when_long(exprs_.mul(sort_.lines, blocks_)));
  }

  Expected<void> add_ranks() {
    StepCode code(exprs_, lowering_.plan);
    Scope scope;
    const auto at = split_index(code, scope, "i", std::vector<Expr>{sort_.lines, sort_.kept});
    const std::string place = scope.let(
        code.read_tensor(places(kDigits), GpuType::u32,
                         fmt::format("{} * {} + {}", at[0], code.size(sort_.length), at[1]))
            .text);
    SUBBYTE_CHECK_OK(sort_.store(code, scope, at[0], at[1], place));
    const Expr count = when_long(exprs_.mul(sort_.lines, sort_.kept));
    code.declare(scope.function("element(i: u32)"));
    code.declare_size("count", count);
    step(code, "elementwise", elementwise_workgroups(exprs_, count));
    return {};
  }

  Lowering& lowering_;
  ExprPool& exprs_;
  const std::string& name_;
  const Sort& sort_;
  Expr long_, blocks_, elements_, counts_;
  TensorId tensors_[4] = {};
};

}  // namespace

Expected<void> add_sort(Lowering& lowering, const std::string& name, const Sort& sort) {
  return SortSteps(lowering, name, sort).append();
}

std::string sort_key(StepCode& code, const Typed& value, bool greatest_first) {
  std::string key;
  if (value.type == GpuType::f32) {
    // The bits of floats grow with them, those of negative ones with their magnitudes. Both zeros
    // are equal, and so are all NaN.
    code.declare(
        "fn float_key(x: f32) -> u32 {\n"
        "  let bits = bitcast<u32>(x);\n"
        "  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }\n"
        "  if ((bits & 0x7fffffffu) == 0u) { return 0x80000000u; }\n"
        "  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);\n"
        "}\n");
    key = fmt::format("float_key({})", value.text);
  } else if (value.type == GpuType::i32) {
    key = fmt::format("(bitcast<u32>({}) ^ 0x80000000u)", value.text);
  } else {
    key = fmt::format("({})", value.text);
  }
  return greatest_first ? "~" + key : key;
}

}  // namespace subbyte
