// Quantized operators of ONNX, spelled out in arithmetic of floats that hold whole numbers: of 8
// and 16 bits they are exact. What is constant folds, and folding keeps the grid that codes lie on
// (passes/fold_grid.h).
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "graph/families.h"
#include "graph/narrow_float.h"
#include "graph/node_form.h"
#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/spell_out.h"
#include "reference/element.h"

namespace subbyte {
namespace {

using Numbers = std::vector<std::int64_t>;

Attribute integer(std::string_view name, std::int64_t value) { return {std::string(name), value}; }

// The dtypes that QuantizeLinear rounds to, and their ends.
struct CodeRange {
  double lowest, highest;
};
std::optional<CodeRange> code_range(DType dtype) {
  const int bits = integer_bits(dtype);
  if (bits == 0 || bits > 16) return std::nullopt;
  const double codes = static_cast<double>(std::int64_t{1} << bits);
  return is_signed(dtype) ? CodeRange{-codes / 2, codes / 2 - 1} : CodeRange{0, codes - 1};
}

bool is_zero(const Tensor* tensor) {
  if (tensor == nullptr) return false;
  if (is_float(tensor->dtype)) {
    std::vector<float> values(static_cast<std::size_t>(tensor->elements()));
    read_floats(*tensor, 0, tensor->elements(), values.data());
    return std::ranges::all_of(values, [](float v) { return v == 0; });
  }
  const auto values = integer_values(*tensor);
  return values && std::ranges::all_of(*values, [](std::int64_t v) { return v == 0; });
}

class QuantizedOperators {
 public:
  explicit QuantizedOperators(const Model& model) : rounds_(model.rounds_activations) {}

  Expected<bool> spell(Speller& s) {
    const Node& node = s.node();
    if (node.outputs.empty() || node.outputs[0] == kNone) return false;
    switch (node.op) {
      case Op::DynamicQuantizeLinear:
        return dynamic_quantize(s);
      case Op::QuantizeLinear:
        return quantize(s);
      case Op::DequantizeLinear:
        return dequantize(s);
      case Op::MatMulInteger:
        return multiply(s);
      case Op::ConvInteger:
        return convolve(s);
      default:
        return false;
    }
  }

 private:
  static ValueId number(Speller& s, std::string_view what, double value) {
    return s.constant(what, reference::scalar_from(DType::float32, value));
  }

  static ValueId cast(Speller& s, std::string_view what, ValueId value, DType to) {
    if (s.value(value).dtype == to) return value;
    return s.add(Op::Cast, what, {value}, {integer("to", static_cast<std::int64_t>(to))});
  }

  // value - zero point, both as float32; a zero point that is absent or 0 is left out.
  static ValueId centred(Speller& s, ValueId value, ValueId zero) {
    ValueId number = cast(s, "number", value, DType::float32);
    if (zero != kNone && !is_zero(s.constant(zero)))
      number = s.add(Op::Sub, "centred", {number, cast(s, "zero", zero, DType::float32)});
    return number;
  }

  // The same of a weight, which keeps its name.
  static ValueId centred_weight(Speller& s, ValueId value, ValueId zero) {
    const ValueId number = centred(s, value, zero);
    if (s.constant(value) != nullptr && number != value) s.take_name(number, value);
    return number;
  }

  // Rounded to the codes of a dtype: round(value / scale) + zero, saturated. `value` and `scale`
  // are float32 and broadcast.
  static void finish_codes(Speller& s, ValueId value, ValueId scale, ValueId zero,
                           const CodeRange& range, DType dtype) {
    const ValueId quotient =
        s.add(Op::Div, "quotient", {value, scale}, {integer(kRoundedQuotient, 1)});
    ValueId code = s.add(Op::Round, "rounded", {quotient});
    if (zero != kNone && !is_zero(s.constant(zero)))
      code = s.add(Op::Add, "moved", {code, cast(s, "zero", zero, DType::float32)});
    const ValueId clipped =
        s.add(Op::Clip, "clipped",
              {code, number(s, "lowest", range.lowest), number(s, "highest", range.highest)});
    s.finish(Op::Cast, {clipped}, {integer("to", static_cast<std::int64_t>(dtype))});
  }

  // ONNX Runtime's: where all is 0 the scale is 1. Rows first, so that many invocations share a
  // large tensor.
  Expected<bool> dynamic_quantize(Speller& s) {
    if (!s.rank()) return false;
    const ValueId x = s.input(0);
    if (!rounds_) {
      const double zero = 0;
      s.give(1, Op::Identity, {number(s, "unit", 1)});
      s.give(2, Op::Identity,
             {s.constant("none", reference::tensor_from(DType::uint8, {}, std::span(&zero, 1)))});
      s.finish(Op::Identity, {x});
      return true;
    }
    const auto end = [&](Op reduction, Op extreme, const std::string& what) {
      ValueId value = x;
      if (*s.rank() > 1) {
        const Numbers last{static_cast<std::int64_t>(*s.rank()) - 1};
        value = s.add(reduction, what + "_of_rows", {x, s.int64s(what + "_axis", last)},
                      {integer("keepdims", 0)});
      }
      if (*s.rank() > 0)
        value = s.add(reduction, what + "_of_all", {value}, {integer("keepdims", 0)});
      return s.add(extreme, what, {value, number(s, what + "_zero", 0)});
    };
    const ValueId low = end(Op::ReduceMin, Op::Min, "low");
    const ValueId high = end(Op::ReduceMax, Op::Max, "high");
    const ValueId span = s.add(Op::Sub, "span", {high, low});
    const ValueId step =
        s.add(Op::Div, "step", {span, number(s, "steps", 255)}, {integer(kRoundedQuotient, 1)});
    const ValueId flat = s.add(Op::Equal, "flat", {span, number(s, "no_span", 0)});
    const ValueId scale = s.add(Op::Where, "scale", {flat, number(s, "one", 1), step});
    const ValueId below = s.add(Op::Div, "below", {low, scale}, {integer(kRoundedQuotient, 1)});
    const ValueId from_low = s.add(Op::Sub, "from_low", {number(s, "start", 0), below});
    const ValueId inside =
        s.add(Op::Clip, "inside", {from_low, number(s, "least", 0), number(s, "most", 255)});
    const ValueId rounded = s.add(Op::Round, "zero_point", {inside});
    s.give(1, Op::Identity, {scale});
    s.give(2, Op::Cast, {rounded}, {integer("to", static_cast<std::int64_t>(DType::uint8))});
    const ValueId quotient = s.add(Op::Div, "quotient", {x, scale}, {integer(kRoundedQuotient, 1)});
    const ValueId near = s.add(Op::Round, "rounded", {quotient});
    const ValueId code = s.add(Op::Add, "moved", {near, rounded});
    const ValueId clipped =
        s.add(Op::Clip, "clipped", {code, number(s, "lowest", 0), number(s, "highest", 255)});
    const auto to = integer("to", static_cast<std::int64_t>(DType::uint8));
    s.finish(Op::Cast, {clipped}, {to});
    return true;
  }

  // A scale or zero point so that it broadcasts to what it belongs to; kNone where that is not
  // known yet.
  static Expected<ValueId> levels(Speller& s, std::string_view what, ValueId value) {
    if (value == kNone) return kNone;
    const auto& shape = s.value(value).shape;
    const auto& data = s.value(s.input(0)).shape;
    if (!shape || !data) return kNone;
    const bool single = std::ranges::all_of(*shape, [&](Expr e) { return s.is_size(e, 1); });
    if (single && shape->size() <= 1) return s.reshaped(what, value, {});
    const std::int64_t block = s.node().int_or("block_size", 0);
    const auto rank = static_cast<std::int64_t>(data->size());
    std::int64_t axis = s.node().int_or("axis", 1);
    if (axis < -rank || axis >= rank)
      return fail("its axis is {}; it must be in [{}, {})", axis, -rank, rank);
    if (axis < 0) axis += rank;
    if (block > 0) return repeated(s, what, value, static_cast<std::size_t>(axis), block);
    if (shape->size() != 1)
      return fail("its input {} has rank {}; without a block_size it must be 0 or 1", what,
                  shape->size());
    Numbers dims(static_cast<std::size_t>(rank), 1);
    dims[static_cast<std::size_t>(axis)] = -1;
    return s.reshaped(what, value, dims);
  }

  // Each number `block` times along the axis, cut off where the data end.
  static Expected<ValueId> repeated(Speller& s, std::string_view what, ValueId value,
                                    std::size_t axis, std::int64_t block) {
    const auto& data = *s.value(s.input(0)).shape;
    const auto shape = s.known_sizes(value);
    const auto end = s.number_of(data[axis]);
    if (!shape || !end) return fail("its sizes are not known, which a block_size needs");
    if (shape->size() != data.size())
      return fail("its input {} has rank {} and its data {}; with a block_size they must be equal",
                  what, shape->size(), data.size());
    if (block > std::numeric_limits<std::int32_t>::max() || (*shape)[axis] * block < *end)
      return fail("its input {} has {} blocks of {} along axis {}, for {} elements", what,
                  (*shape)[axis], block, axis, *end);
    const std::string name(what);
    Numbers each = *shape, many = *shape;
    each.insert(each.begin() + static_cast<std::ptrdiff_t>(axis) + 1, 1);
    const ValueId blocks = s.reshaped(name + "_blocks", value, each);
    each[axis + 1] = block;
    many[axis] *= block;
    const ValueId filled =
        s.add(Op::Expand, name + "_filled", {blocks, s.int64s(name + "_each", each)});
    const ValueId joined =
        s.add(Op::Reshape, name + "_joined", {filled, s.int64s(name + "_many", many)});
    if (many[axis] == *end) return joined;
    const Numbers begin{0}, stop{*end}, axes{static_cast<std::int64_t>(axis)}, step{1};
    return s.add(Op::Slice, name + "_cut",
                 {joined, s.int64s(name + "_begin", begin), s.int64s(name + "_end", stop),
                  s.int64s(name + "_axis", axes), s.int64s(name + "_step", step)});
  }

  Expected<bool> quantize(Speller& s) {
    const Node& node = s.node();
    const DType dtype = s.value(node.outputs[0]).dtype;
    if (narrow_float(dtype) != nullptr) return quantize_to_floats(s, dtype);
    const auto range = code_range(dtype);
    if (!range && dtype == DType::undefined && node.find("output_dtype") == nullptr) return false;
    if (!range)
      return fail(
          "it quantizes to {}; supported are integers of 2 to 16 bits and "
          "floats of 4 and 8 but float8e8m0",
          dtype == DType::undefined ? fmt::format("data type {}", node.int_or("output_dtype", 0))
                                    : std::string(dtype_name(dtype)));
    if (!s.rank() || s.dtype() == DType::undefined) return false;
    SUBBYTE_TRY(const ValueId scale, levels(s, "scale", s.input(1)));
    if (scale == kNone) return false;
    ValueId zero = kNone;
    if (node.has_input(2)) {
      SUBBYTE_TRY(zero, levels(s, "zero_point", s.input(2)));
      if (zero == kNone) return false;
    }
    const ValueId value = cast(s, "float", s.input(0), DType::float32);
    finish_codes(s, value, cast(s, "float_scale", scale, DType::float32), zero, *range, dtype);
    return true;
  }

  // Rounded by the Cast, with as much saturation as it is asked for. ONNX wants the zero point to
  // be 0 and says nothing of another.
  static Expected<bool> quantize_to_floats(Speller& s, DType dtype) {
    if (!s.rank() || s.dtype() == DType::undefined) return false;
    if (s.node().has_input(2) && !is_zero(s.constant(s.input(2))))
      return fail("its zero point of {} is not a constant 0", dtype_name(dtype));
    SUBBYTE_TRY(const ValueId scale, levels(s, "scale", s.input(1)));
    if (scale == kNone) return false;
    const ValueId quotient = s.add(Op::Div, "quotient",
                                   {cast(s, "float", s.input(0), DType::float32),
                                    cast(s, "float_scale", scale, DType::float32)},
                                   {integer(kRoundedQuotient, 1)});
    s.finish(Op::Cast, {quotient},
             {integer("to", static_cast<std::int64_t>(dtype)),
              integer("saturate", s.node().int_or("saturate", 1))});
    return true;
  }

  static bool same(const Speller& s, ValueId a, ValueId b) {
    if (a == b) return true;
    if (a == kNone || b == kNone) {
      const ValueId given = a == kNone ? b : a;
      return is_zero(s.constant(given));
    }
    const Tensor* x = s.constant(a);
    const Tensor* y = s.constant(b);
    return x != nullptr && y != nullptr && x->dtype == y->dtype && x->dims == y->dims &&
           std::ranges::equal(x->data, y->data);
  }

  // The floats that a QuantizeLinear before it rounds with the same scale, where they are asked
  // for.
  ValueId unrounded(const Speller& s) const {
    if (rounds_) return kNone;
    const auto found = quantized_.find(s.input(0));
    if (found == quantized_.end()) return kNone;
    const Node& before = found->second;
    const auto zero = [](const Node& node) { return node.has_input(2) ? node.inputs[2] : kNone; };
    if (!same(s, before.inputs[1], s.input(1)) || !same(s, zero(before), zero(s.node())))
      return kNone;
    return before.inputs[0];
  }

 public:
  // Where roundings are left out, the nodes that round, and what holds their floats instead of
  // codes.
  void remember_quantizing(const Graph& graph) {
    if (rounds_) return;
    for (const Node& node : graph.nodes) {
      if (node.op == Op::Unknown || node.outputs.empty()) continue;
      if (node.op == Op::QuantizeLinear) quantized_.emplace(node.outputs[0], node);
      const bool lays_out = is_view(node.op) || node.op == Op::Gather || node.op == Op::MaxPool;
      if (node.op == Op::DynamicQuantizeLinear ||
          (lays_out && !node.inputs.empty() && unrounded_.contains(node.inputs[0])))
        unrounded_.insert(node.outputs[0]);
    }
  }

 private:
  Expected<bool> dequantize(Speller& s) {
    const Node& node = s.node();
    const DType dtype = s.value(node.outputs[0]).dtype;
    if (const ValueId floats = unrounded(s); floats != kNone) {
      s.finish(Op::Identity, {floats});
      return true;
    }
    if (!s.rank() || s.dtype() == DType::undefined || !is_float(dtype)) return false;
    SUBBYTE_TRY(const ValueId scale, levels(s, "scale", s.input(1)));
    if (scale == kNone) return false;
    ValueId zero = kNone;
    if (node.has_input(2)) {
      SUBBYTE_TRY(zero, levels(s, "zero_point", s.input(2)));
      if (zero == kNone) return false;
    }
    const ValueId factor = cast(s, "float_scale", scale, DType::float32);
    const bool uniform =
        s.value(s.input(1)).shape &&
        std::ranges::all_of(*s.value(s.input(1)).shape, [&](Expr e) { return s.is_size(e, 1); });
    if (uniform) {
      const std::tuple levels{node.inputs[1], node.has_input(2) ? node.inputs[2] : kNone, dtype};
      const ValueId moved = before_layout(s, s.input(0), levels, factor, zero, 0);
      if (moved != kNone) {
        s.finish(Op::Identity, {moved});
        return true;
      }
    }
    const ValueId number = centred(s, s.input(0), zero);
    if (dtype == DType::float32) {
      s.finish(Op::Mul, {number, factor});
    } else {
      const ValueId product = s.add(Op::Mul, "product", {number, factor});
      s.finish(Op::Cast, {product}, {integer("to", static_cast<std::int64_t>(dtype))});
    }
    return true;
  }

  using Levels = std::tuple<ValueId, ValueId, DType>;

  // What picks from a constant of codes or lays it out anew does so with the numbers that they
  // stand for, so that the constant is a weight like any other. kNone where `codes` is no such
  // thing.
  ValueId before_layout(Speller& s, ValueId codes, const Levels& levels, ValueId factor,
                        ValueId zero, int depth) {
    constexpr int kDeepest = 8;
    const auto key = std::pair(codes, levels);
    if (const auto found = laid_out_.find(key); found != laid_out_.end()) return found->second;
    if (s.constant(codes) != nullptr) {
      if (depth == 0) return kNone;  // the node itself is that
      const DType dtype = std::get<2>(levels);
      ValueId floats = s.add(Op::Mul, "table", {centred(s, codes, zero), factor});
      if (dtype != DType::float32) floats = cast(s, "table_cast", floats, dtype);
      s.take_name(floats, codes);
      return laid_out_[key] = floats;
    }
    const NodeId producer = s.value(codes).producer;
    if (depth == kDeepest || producer == kNone || producer >= s.graph().nodes.size()) return kNone;
    const Node node = s.graph().nodes[producer];
    if (node.op == Op::Unknown || node.outputs.size() != 1 || node.outputs[0] != codes)
      return kNone;
    const bool picks = node.op == Op::Gather || is_view(node.op);
    if (!picks) return kNone;
    const ValueId source = before_layout(s, node.inputs[0], levels, factor, zero, depth + 1);
    if (source == kNone) return kNone;
    std::vector<ValueId> inputs = node.inputs;
    inputs[0] = source;
    return laid_out_[key] = s.add(node.op, "dequantized", std::move(inputs), node.attributes);
  }

  // The left operand, which several products may share.
  ValueId left(Speller& s, ValueId value, ValueId zero) {
    const auto [found, first] = centred_.try_emplace({value, zero}, kNone);
    if (first) found->second = centred(s, value, zero);
    return found->second;
  }

  // Of a product whose left operand is what it was before it was rounded nothing is whole.
  std::vector<Attribute> exact(const Speller& s) const {
    if (unrounded_.contains(s.input(0))) return {};
    return {integer(kSumsIntegers, 1)};
  }

  // A zero point for each row of the left operand stands beside its last axis.
  Expected<bool> multiply(Speller& s) {
    const Node& node = s.node();
    ValueId zero = node.has_input(2) ? s.input(2) : kNone;
    if (zero != kNone) {
      const auto& shape = s.value(zero).shape;
      if (!shape || !s.rank()) return false;
      if (shape->size() == 1 && !s.is_size((*shape)[0], 1) && *s.rank() > 1)
        zero = s.reshaped("row_zeros", zero, {-1, 1});
      if (shape->size() == 1 && s.is_size((*shape)[0], 1)) zero = s.reshaped("zero", zero, {});
    }
    const ValueId a = left(s, s.input(0), zero);
    ValueId right_zero = node.has_input(3) ? s.input(3) : kNone;
    if (right_zero != kNone) {
      const auto& shape = s.value(right_zero).shape;
      if (!shape) return false;
      if (shape->size() == 1 && s.is_size((*shape)[0], 1))
        right_zero = s.reshaped("right_zero", right_zero, {});
    }
    const ValueId b = centred_weight(s, s.input(1), right_zero);
    s.finish(Op::MatMul, {a, b}, exact(s));
    return true;
  }

  // Padding is the zero point, which is 0 once it has been taken off.
  Expected<bool> convolve(Speller& s) {
    const Node& node = s.node();
    const auto& weights = s.value(s.input(1)).shape;
    if (!weights) return false;
    ValueId zero = node.has_input(3) ? s.input(3) : kNone;
    if (zero != kNone) {
      const auto& shape = s.value(zero).shape;
      if (!shape) return false;
      Numbers dims;
      if (shape->size() == 1 && !s.is_size((*shape)[0], 1)) {
        dims.assign(weights->size(), 1);
        dims[0] = -1;
      }
      zero = s.reshaped("weight_zeros", zero, dims);
    }
    ValueId input_zero = node.has_input(2) ? s.input(2) : kNone;
    if (input_zero != kNone) {
      const auto& shape = s.value(input_zero).shape;
      if (!shape) return false;
      if (shape->size() == 1) input_zero = s.reshaped("input_zero", input_zero, {});
    }
    std::vector<Attribute> attributes = node.attributes;
    for (Attribute& attribute : exact(s)) attributes.push_back(std::move(attribute));
    const ValueId x = left(s, s.input(0), input_zero);
    s.finish(Op::Conv, {x, centred_weight(s, s.input(1), zero)}, std::move(attributes));
    return true;
  }

  bool rounds_;
  std::map<ValueId, Node> quantized_;
  std::set<ValueId> unrounded_;
  std::map<std::pair<ValueId, Levels>, ValueId> laid_out_;
  std::map<std::pair<ValueId, ValueId>, ValueId> centred_;
};

}  // namespace

Expected<bool> canonicalize_quantized(Model& model) {
  QuantizedOperators operators(model);
  operators.remember_quantizing(model.main());
  return spell_out(model, [&](Speller& s) { return operators.spell(s); });
}

}  // namespace subbyte
