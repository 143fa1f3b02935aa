#include "plan/integer_ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>

#include "base/scalar_math.h"
#include "graph/integers.h"
#include "graph/narrow_float.h"
#include "graph/node_form.h"
#include "graph/op_info.h"
#include "graph/ops.h"
#include "plan/expr_range.h"
#include "plan/schedule.h"
#include "plan/size_demands.h"
#include "plan/upper_bounds.h"
#include "plan/value_range.h"

namespace subbyte {

namespace {

// Floats of larger constants are not looked at.
constexpr std::int64_t kMostFloats = 4096;

// Floats hold all whole numbers below this one; doubles are held as floats on the GPU.
constexpr double kExactInFloat = 0x1p24;

// No tensor has so many elements that a sum of as many ones leaves 32 bits.
bool may_be_watched(const Node& node, ValueRange of_first) {
  const bool sums = node.op == Op::ReduceSum || node.op == Op::CumSum;
  return node.op == Op::Add || node.op == Op::Sub || node.op == Op::Mul ||
         (sums && of_first.most > 1);
}

ValueRange constant_range(const Tensor& tensor) {
  ValueRange range{INFINITY, -INFINITY};
  const auto meets = [&](double x) { range = join(range, {x, x}); };
  if (const auto integers = integer_values(tensor)) {
    for (const std::int64_t v : *integers) meets(static_cast<double>(v));
  } else if (is_float(tensor.dtype) && tensor.elements() <= kMostFloats) {
    std::vector<float> floats(static_cast<std::size_t>(tensor.elements()));
    read_floats(tensor, 0, tensor.elements(), floats.data());
    for (const float v : floats) {
      if (!std::isfinite(v)) return {};
      meets(static_cast<double>(v));
    }
  }
  return range.least <= range.most ? range : ValueRange{};
}

// One sweep over the nodes under what is assumed of the inputs.
class Sweep {
 public:
  Sweep(Model& model, ExprRanges& exprs, const std::vector<InputRange>& assumed)
      : graph_(model.main()),
        pool_(model.exprs),
        exprs_(exprs),
        ranges_(graph_.values.size()),
        uppers_(model),
        watched_(graph_.values.size(), false) {
    for (ValueId v = 0; v < graph_.values.size(); ++v) {
      const Value& value = graph_.values[v];
      if (value.constant) {
        ranges_[v] = constant_range(*value.constant);
      } else if (value.producer == kNone) {
        ranges_[v] = range_of(value.dtype);
      }
    }
    for (const InputRange& input : assumed) {
      ranges_[graph_.inputs[input.input]] = {static_cast<double>(input.least),
                                             static_cast<double>(input.most)};
    }
  }

  IntegerRanges run() {
    for (const Node& node : graph_.nodes) {
      for (const ValueId output : node.outputs) {
        if (output != kNone && !graph_.values[output].constant) settle(node, output);
      }
      auto demand = size_demand(graph_, pool_, exprs_, node);
      if (demand) constraints_.push_back(std::move(*demand));
    }
    return {std::move(watched_), {}, std::move(constraints_)};
  }

 private:
  void settle(const Node& node, ValueId v) {
    const Value& value = graph_.values[v];
    const ValueRange whole = range_of(value.dtype);
    if (value.content && !value.content->empty()) {
      ValueRange range{INFINITY, -INFINITY};
      for (const Expr e : *value.content) range = join(range, exprs_.of(e));
      ranges_[v] = meet(range, whole);
      if (is_immediate(value)) return;
    } else {
      ranges_[v] = node.op == Op::Unknown ? ValueRange{} : computed(node, v);
    }
    if (is_float(value.dtype)) {
      ranges_[v] = ranges_[v].is_finite() ? widened(ranges_[v]) : ValueRange{};
      return;
    }
    const auto upper = uppers_.settle(node, v, ranges_);
    if (upper) ranges_[v].most = std::min(ranges_[v].most, exprs_.of(*upper).most);
    if (ranges_[v].within(whole)) return;
    // Narrower integers wrap in ONNX too.
    if (!is_64_bit(value.dtype)) {
      ranges_[v] = whole;
      uppers_.forget(v);
      return;
    }
    if (upper && !uppers_.is_constant(*upper) && ranges_[v].least >= whole.least &&
        !(may_be_watched(node, in(node, 0)) && uppers_.is_met_early(*upper, whole.most))) {
      constraints_.push_back(uppers_.constraint(node, *upper, whole.most));
    } else {
      watched_[v] = true;
    }
    ranges_[v] = meet(ranges_[v], whole);
  }

  ValueRange in(const Node& node, std::size_t i) const { return ranges_[node.inputs[i]]; }

  ValueRange computed(const Node& node, ValueId v) const {
    const Value& value = graph_.values[v];
    if (value.dtype == DType::boolean) return {0, 1};
    if (node.op == Op::Merge) return join(in(node, 1), in(node, 2));
    switch (family_of(node.op).role) {
      case Role::content:
        return {0, static_cast<double>(kMostElements)};
      case Role::view:
        return in(node, 0);
      case Role::scalar:
        return is_float(value.dtype) ? of_floats(node) : of_integers(node, value.dtype);
      case Role::formula:
        return formula(node);
      case Role::place:
        return moved(node);
      default:
        return anchored(node, v);
    }
  }

  // What the rules of integers and of floats have in common.
  std::optional<ValueRange> arithmetic(const Node& node) const {
    const ValueRange a = in(node, 0);
    switch (node.op) {
      case Op::Abs:
        return absolute(a);
      case Op::Neg:
        return negate(a);
      case Op::Relu:
        return maximum(a, {0, 0});
      case Op::Sign:
        return ValueRange{-1, 1};
      case Op::Add:
        return add(a, in(node, 1));
      case Op::Sub:
        return add(a, negate(in(node, 1)));
      case Op::Mul:
        return multiply(a, in(node, 1));
      case Op::Where:
        return join(in(node, 1), in(node, 2));
      case Op::Cast:
        // A narrow float is rounded to, away from 0 too.
        return is_narrow_float(graph_.values[node.outputs[0]].dtype) ? ValueRange{} : a;
      case Op::Clip: {
        ValueRange clipped = a;
        if (node.has_input(1)) clipped = maximum(clipped, in(node, 1));
        if (node.has_input(2)) clipped = minimum(clipped, in(node, 2));
        return clipped;
      }
      case Op::Max:
      case Op::Min: {
        ValueRange extreme = a;
        for (std::size_t i = 1; i < node.inputs.size(); ++i) {
          extreme =
              node.op == Op::Max ? maximum(extreme, in(node, i)) : minimum(extreme, in(node, i));
        }
        return extreme;
      }
      default:
        return std::nullopt;
    }
  }

  ValueRange of_integers(const Node& node, DType dtype) const {
    switch (node.op) {
      case Op::Cast: {
        // A float is truncated, and must be a number. Less than a byte wraps often.
        if (integer_bits(dtype) < 8) return range_of(dtype);
        const ValueRange from = in(node, 0);
        if (!is_float(graph_.values[node.inputs[0]].dtype)) return from;
        const bool is_rounded = graph_.values[node.inputs[0]].dtype == DType::float64 &&
                                from.magnitude() >= kExactInFloat;
        return from.is_finite() && !is_rounded
                   ? ValueRange{std::trunc(from.least), std::trunc(from.most)}
                   : ValueRange{};
      }
      case Op::BitShift:
        if (node.string_or("direction", "") == "LEFT") return {};
        [[fallthrough]];
      case Op::BitwiseAnd:
      case Op::BitwiseNot:
      case Op::BitwiseOr:
      case Op::BitwiseXor:
        return range_of(dtype);
      case Op::Div:
        return divide_integers(in(node, 0), in(node, 1));
      case Op::Mod:
        return remainder(in(node, 0), in(node, 1),
                         node.int_or("fmod", 0) != 0 && dtype != DType::uint64);
      case Op::Pow:
        return power(in(node, 0), in(node, 1));
      default:
        return arithmetic(node).value_or(ValueRange{});
    }
  }

  static ValueRange power(ValueRange base, ValueRange exponent) {
    if (exponent.least < 0 || exponent.most > 64) return {};
    const double largest = std::max(1.0, pow_of(base.magnitude(), exponent.most));
    return {base.least < 0 ? -largest : 0, largest};
  }

  // Of floats that are no NaN: where an input is not known, neither is the result.
  ValueRange of_floats(const Node& node) const {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.has_input(i) && !in(node, i).is_finite()) return {};
    }
    const ValueRange a = in(node, 0);
    switch (node.op) {
      case Op::Floor:
        return {std::floor(a.least), std::floor(a.most)};
      case Op::Ceil:
        return {std::ceil(a.least), std::ceil(a.most)};
      case Op::Round:
        return {std::round(a.least), std::round(a.most)};
      case Op::Div:
        return divide(a, in(node, 1));
      case Op::Sqrt:
        return a.least < 0 ? ValueRange{} : ValueRange{std::sqrt(a.least), std::sqrt(a.most)};
      case Op::Log:
        return a.least <= 0 ? ValueRange{} : ValueRange{log_of(a.least), log_of(a.most)};
      case Op::Exp:
        return a.most > 80 ? ValueRange{} : ValueRange{0, exp_of(a.most)};
      case Op::Sigmoid:
        return {0, 1};
      case Op::Tanh:
      case Op::Sin:
      case Op::Cos:
        return {-1, 1};
      default:
        return arithmetic(node).value_or(ValueRange{});
    }
  }

  ValueRange formula(const Node& node) const {
    if (node.op == Op::EyeLike) return {0, 1};
    if (node.op == Op::Range) {
      // The last element is before the limit; i * delta may wrap on the way, the sum does not.
      return join(in(node, 0), in(node, 1));
    }
    const Tensor* fill = node.tensor("value");
    return fill == nullptr ? ValueRange{0, 0} : constant_range(*fill);
  }

  // Elements of inputs at other places.
  ValueRange moved(const Node& node) const {
    switch (node.op) {
      case Op::Concat: {
        ValueRange all = in(node, 0);
        for (const ValueId part : node.inputs) all = join(all, ranges_[part]);
        return all;
      }
      case Op::OneHot:
        return in(node, 2);
      case Op::Pad:
        return join(in(node, 0), node.has_input(2) ? in(node, 2) : ValueRange{0, 0});
      case Op::Resize:
      case Op::Trilu:
        return join(in(node, 0), {0, 0});
      default:
        return in(node, 0);
    }
  }

  ValueRange anchored(const Node& node, ValueId v) const {
    if (is_float(graph_.values[v].dtype)) return {};
    switch (node.op) {
      case Op::ArgMax:
      case Op::ArgMin: {
        const auto& shape = *graph_.values[node.inputs[0]].shape;
        return {0, std::max(exprs_.of(shape[axis_of(node)]).most - 1, 0.0)};
      }
      case Op::MaxPool:
        return v == node.outputs[0] ? in(node, 0) : ValueRange{0, kMostElements};
      case Op::NonMaxSuppression:
      case Op::NonZero:
        return {0, static_cast<double>(kMostElements)};
      case Op::TopK:
        return v == node.outputs[0] ? in(node, 0) : ValueRange{0, kMostElements};
      case Op::ReadBack:
      case Op::ReduceMax:
      case Op::ReduceMin:
        return in(node, 0);
      // What any turn leaves; it was watched as it was computed.
      case Op::Enter:
      case Op::Leave:
        return range_of(graph_.values[v].dtype);
      case Op::ReduceSum:
      case Op::CumSum:
        return sum_of(in(node, 0), summed(node));
      case Op::ReduceL1:
        return sum_of(absolute(in(node, 0)), summed(node));
      case Op::ReduceSumSquare:
        return sum_of(multiply(absolute(in(node, 0)), absolute(in(node, 0))), summed(node));
      case Op::ReduceProd:
        return in(node, 0).within({-1, 1}) ? ValueRange{-1, 1} : ValueRange{};
      case Op::ScatterElements:
      case Op::ScatterND:
        return scattered(node);
      default:
        return {};
    }
  }

  ValueRange scattered(const Node& node) const {
    const std::string_view reduction = node.string_or("reduction", "none");
    const ValueRange data = in(node, 0), updates = in(node, 2);
    if (reduction == "add") return add(data, sum_of(updates, elements(node.inputs[2])));
    if (reduction == "mul") return {};
    return join(data, updates);
  }

  // The most elements that a value has.
  double elements(ValueId v) const {
    double count = 1;
    for (const Expr dim : *graph_.values[v].shape) count *= std::max(exprs_.of(dim).most, 1.0);
    return count;
  }

  // The most elements that one sum of a reduction or a running sum has.
  double summed(const Node& node) const {
    const auto& shape = *graph_.values[node.inputs[0]].shape;
    double count = 1;
    for (const std::size_t axis : axes_operand(graph_, node, 1))
      count *= std::max(exprs_.of(shape[axis]).most, 1.0);
    return count;
  }

  const Graph& graph_;
  ExprPool& pool_;
  ExprRanges& exprs_;
  std::vector<ValueRange> ranges_;
  UpperBounds uppers_;
  std::vector<bool> watched_;
  std::vector<Model::Constraint> constraints_;
};

// The input that a value is, under another shape or as another integer.
std::optional<std::uint32_t> input_behind(const Graph& graph, ValueId v) {
  while (graph.values[v].producer != kNone) {
    const Node& node = graph.nodes[graph.values[v].producer];
    const bool integer_cast = node.op == Op::Cast && is_integer(graph.values[v].dtype) &&
                              is_integer(graph.values[node.inputs[0]].dtype);
    if (!is_view(node.op) && !integer_cast) return std::nullopt;
    v = node.inputs[0];
  }
  const auto input = std::ranges::find(graph.inputs, v);
  if (input == graph.inputs.end() || !is_integer(graph.values[v].dtype)) return std::nullopt;
  return static_cast<std::uint32_t>(input - graph.inputs.begin());
}

bool is_named_mask(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name.find("mask") != std::string::npos;
}

// What a proof may assume, at most one range for each input, in their order.
std::vector<InputRange> candidates(const Model& model) {
  const Graph& graph = model.main();
  std::vector<std::optional<InputRange>> ranges(graph.inputs.size());
  for (std::uint32_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& value = graph.values[graph.inputs[i]];
    if (is_integer(value.dtype) && is_named_mask(value.name)) ranges[i] = InputRange{i, 0, 1};
  }
  for (const Node& node : graph.nodes) {
    if (node.op != Op::Gather) continue;
    const auto input = input_behind(graph, node.inputs[1]);
    const auto& table = graph.values[node.inputs[0]].shape;
    if (!input || !table || table->empty() || ranges[*input]) continue;
    const auto rows = model.exprs.value((*table)[axis_of(node)]);
    if (rows && *rows > 0) ranges[*input] = InputRange{*input, -*rows, *rows - 1};
  }
  std::vector<InputRange> result;
  for (const auto& range : ranges) {
    if (range) result.push_back(*range);
  }
  return result;
}

}  // namespace

IntegerRanges integer_ranges(Model& model) {
  ExprRanges exprs(model.exprs);
  const auto sweep = [&](const std::vector<InputRange>& assumed) {
    return Sweep(model, exprs, assumed).run();
  };
  const auto count = [](const IntegerRanges& r) { return std::ranges::count(r.watched, true); };
  IntegerRanges result = sweep({});
  if (count(result) == 0) return result;
  std::vector<InputRange> assumed = candidates(model);
  IntegerRanges better = sweep(assumed);
  if (count(better) == count(result)) return result;
  // Only what the proof needs.
  for (std::size_t i = assumed.size(); i-- > 0;) {
    std::vector<InputRange> fewer = assumed;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    IntegerRanges other = sweep(fewer);
    if (count(other) > count(better)) continue;
    assumed = std::move(fewer);
    better = std::move(other);
  }
  better.assumed = std::move(assumed);
  return better;
}

}  // namespace subbyte
