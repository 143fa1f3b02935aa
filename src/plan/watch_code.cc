#include "plan/watch_code.h"

#include <fmt/format.h>

#include "graph/ops.h"

namespace subbyte {

namespace {

// The functions of kernels/integers.wgsl are named after the sign of their operands.
std::string call(std::string_view function, GpuType type, const std::string& arguments) {
  return fmt::format("{}_{}({})", function, type == GpuType::i32 ? "signed" : "unsigned",
                     arguments);
}

std::string word_as(GpuType type, const std::string& word) {
  return type == GpuType::i32 ? fmt::format("bitcast<i32>({})", word) : word;
}

std::string cast_leaves(const ScalarArgument& argument, GpuType to) {
  const GpuType from = argument.typed.type;
  const std::string& x = argument.typed.text;
  // From here on a double may be another whole number as the float that it is held as.
  if (argument.dtype == DType::float64)
    return fmt::format("{} || abs({}) >= 16777216.0f", call("truncate_leaves", to, x), x);
  if (from == GpuType::f32) return call("truncate_leaves", to, x);
  return to == GpuType::i32 ? fmt::format("{} > 2147483647u", x) : fmt::format("{} < 0i", x);
}

// A condition of the arguments' names: the result of a node on integers leaves 32 bits.
std::string scalar_leaves(const Node& node, GpuType type,
                          std::span<const std::optional<ScalarArgument>> arguments) {
  const Typed& a = arguments[0]->typed;
  const std::string both =
      arguments.size() > 1 && arguments[1] ? a.text + ", " + arguments[1]->typed.text : "";
  switch (node.op) {
    case Op::Add:
      return call("add_leaves", type, both);
    case Op::Sub:
      return type == GpuType::i32 ? call("subtract_leaves", type, both)
                                  : fmt::format("{} < {}", a.text, arguments[1]->typed.text);
    case Op::Mul:
      return call("multiply_leaves", type, both);
    case Op::Div:
      if (type == GpuType::i32) return call("divide_leaves", type, both);
      [[fallthrough]];
    case Op::Mod:
      return fmt::format("{} == {}", arguments[1]->typed.text, type == GpuType::i32 ? "0i" : "0u");
    case Op::Abs:
    case Op::Neg:
      return type == GpuType::i32 ? fmt::format("{} == {}", a.text, i32_literal(INT32_MIN))
                                  : fmt::format("{} != 0u", a.text);
    case Op::BitShift: {
      // To the left: to the right nothing leaves.
      const std::string& bits = arguments[1]->typed.text;
      return fmt::format(
          "(({0}) << min(u32({1}), 31u)) >> min(u32({1}), 31u) != {0} || (u32({1}) > 31u && {0} != "
          "{2}(0))",
          a.text, bits, wgsl_name(type));
    }
    case Op::Cast:
      return cast_leaves(*arguments[0], type);
    default:
      return "";
  }
}

// x^n of integers. As ONNX Runtime computes it, an exponent that is a float and no whole number has
// no exact result; it is left to floats.
void watch_power(Scope& scope, std::uint32_t number, const ScalarArgument& base,
                 const ScalarArgument& exponent, Typed& result) {
  const GpuType type = base.typed.type;
  const bool is_float_power = exponent.typed.type == GpuType::f32;
  const std::string n = fmt::format("{}({})", wgsl_name(type), exponent.typed.text);
  const std::string power =
      scope.let(call("power_watched", type, fmt::format("{}, {}", base.typed.text, n)));
  const std::string whole = word_as(type, power + ".x");
  std::string leaves = power + ".y != 0u";
  if (is_float_power) {
    const std::string is_whole = scope.let(
        fmt::format("{0} == floor({0}) && abs({0}) < 2147483648.0f", exponent.typed.text));
    result.text = fmt::format("select({}, {}, {})", result.text, whole, is_whole);
    leaves = fmt::format("{} && {}", is_whole, leaves);
  } else {
    result.text = whole;
  }
  result.watch = raised_watch(number, scope.let(leaves));
}

}  // namespace

std::string raised_watch(std::uint32_t number, const std::string& leaves) {
  return fmt::format("select(0u, {}u, {})", number, leaves);
}

std::string either_watch(const std::string& a, const std::string& b) {
  if (a.empty() || a == b) return b;
  return b.empty() ? a : fmt::format("max({}, {})", a, b);
}

std::string selected_watch(const std::string& condition, const std::string& then,
                           const std::string& otherwise) {
  if (then.empty() && otherwise.empty()) return "";
  const auto or_none = [](const std::string& watch) { return watch.empty() ? "0u" : watch; };
  return fmt::format("select({}, {}, {})", or_none(otherwise), or_none(then), condition);
}

void watch_scalar(Evaluator& evaluator, const Element& element,
                  std::span<const std::optional<ScalarArgument>> arguments, Typed& result) {
  const Node& node = element.node;
  const std::uint32_t number = evaluator.watched(element.value);
  Scope& scope = evaluator.scope();
  if (node.op == Op::Where) {
    const Typed &condition = arguments[0]->typed, &then = arguments[1]->typed;
    result.watch = either_watch(
        condition.watch,
        selected_watch(condition.text + " != 0u", then.watch, arguments[2]->typed.watch));
    evaluator.forget_watches();
  } else if (node.op == Op::Pow && number != 0) {
    watch_power(scope, number, *arguments[0], *arguments[1], result);
  } else if (number != 0) {
    const std::string leaves = scalar_leaves(node, result.type, arguments);
    if (!leaves.empty()) result.watch = raised_watch(number, scope.let(leaves));
  }
}

WatchedJoining watched_joining(Joined joined, GpuType type) {
  if (joined == Joined::sum) {
    return {{"vec2<u32>", "vec2<u32>()", "add_wide(a, b)"},
            call("wide", type, "{0}"),
            word_as(type, "{0}.x"),
            call("wide_leaves", type, "{0}")};
  }
  const auto watched = [&](const std::string& value, const std::string& leaves) {
    return call("watched", type, value + ", " + leaves);
  };
  const bool product = joined == Joined::product;
  std::string load = watched("{0}", "false");
  if (joined == Joined::magnitudes && type == GpuType::i32) {
    load = watched("abs({0})", "{0} == " + i32_literal(INT32_MIN));
  }
  if (joined == Joined::squares) {
    load = watched("{0} * {0}", call("multiply_leaves", type, "{0}, {0}"));
  }
  return {{"vec2<u32>", product ? "vec2<u32>(1u, 0u)" : "vec2<u32>()",
           call(product ? "multiply_watched" : "add_watched", type, "a, b")},
          load,
          word_as(type, "{0}.x"),
          "{0}.y != 0u"};
}

Typed joined_value(const WatchedJoining& joining, GpuType type, std::uint32_t number,
                   const std::string& name) {
  const std::string leaves = fmt::format(fmt::runtime(joining.leaves), name);
  return {fmt::format(fmt::runtime(joining.finish), name), type, raised_watch(number, leaves)};
}

}  // namespace subbyte
