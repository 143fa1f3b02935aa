// QLinear operators and products of com.microsoft, made of QuantizeLinear, DequantizeLinear and the
// integer products of ONNX. Nothing is known of shapes but those of inputs and constants.
#include <algorithm>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/spell_out.h"
#include "passes/unpack_blocks.h"
#include "reference/element.h"

namespace subbyte {
namespace {

using Numbers = std::vector<std::int64_t>;

Attribute integer(std::string_view name, std::int64_t value) { return {std::string(name), value}; }

ValueId absent_or(const Node& node, std::size_t i) {
  return node.has_input(i) ? node.inputs[i] : kNone;
}

std::vector<ValueId> without_absent_end(std::vector<ValueId> inputs) {
  while (!inputs.empty() && inputs.back() == kNone) inputs.pop_back();
  return inputs;
}

Expected<void> require_inputs(const Node& node, std::initializer_list<std::size_t> needed) {
  for (const std::size_t i : needed)
    if (!node.has_input(i)) return fail("its input {} is missing; {} needs it", i, node.op_type);
  return {};
}

ValueId number(Speller& s, std::string_view what, double value) {
  return s.constant(what, reference::scalar_from(DType::float32, value));
}

ValueId as_float(Speller& s, std::string_view what, ValueId value) {
  return s.add(Op::Cast, what, {value}, {integer("to", static_cast<std::int64_t>(DType::float32))});
}

// The floats of a tensor with one scale and one zero point.
ValueId dequantized(Speller& s, std::string_view what, std::size_t first) {
  const Node& node = s.node();
  return s.add(
      Op::DequantizeLinear, what,
      without_absent_end({node.inputs[first], node.inputs[first + 1], absent_or(node, first + 2)}));
}

void finish_quantized(Speller& s, ValueId value, std::size_t scale) {
  const Node& node = s.node();
  s.finish(Op::QuantizeLinear,
           without_absent_end({value, node.inputs[scale], absent_or(node, scale + 1)}));
}

Expected<bool> spell_binary(Speller& s, Op op) {
  SUBBYTE_CHECK_OK(require_inputs(s.node(), {0, 1, 3, 4, 6}));
  const ValueId a = dequantized(s, "left", 0), b = dequantized(s, "right", 3);
  finish_quantized(s, s.add(op, "floats", {a, b}), 6);
  return true;
}

Expected<bool> spell_unary(Speller& s, Op op, const std::vector<std::string_view>& kept) {
  const Node& node = s.node();
  SUBBYTE_CHECK_OK(require_inputs(node, {0, 1, 3}));
  if (node.int_or("channels_last", 0) != 0)
    return fail("its channels_last is 1; supported is 0: export the model with channels first");
  std::vector<Attribute> attributes;
  for (const std::string_view name : kept)
    if (const Attribute* attribute = node.find(name)) attributes.push_back(*attribute);
  const ValueId floats = dequantized(s, "input", 0);
  finish_quantized(s, s.add(op, "floats", {floats}, std::move(attributes)), 3);
  return true;
}

// Before opset 13 a softmax was over all axes from `axis` on, which is the same where it is the
// last.
Expected<bool> spell_softmax(Speller& s) {
  const std::int64_t axis = s.node().int_or("axis", -1);
  if (s.node().int_or("opset", 13) < 13 && axis != -1)
    return fail("its axis is {} and its opset {}; supported are opset 13 and later, and axis -1",
                axis, s.node().int_or("opset", 13));
  return spell_unary(s, Op::Softmax, {"axis"});
}

Expected<bool> spell_concat(Speller& s) {
  const Node& node = s.node();
  std::vector<ValueId> parts;
  for (std::size_t i = 2; i < node.inputs.size(); i += 3) {
    SUBBYTE_CHECK_OK(require_inputs(node, {i, i + 1}));
    parts.push_back(dequantized(s, fmt::format("part_{}", parts.size()), i));
  }
  SUBBYTE_CHECK_OK(require_inputs(node, {0, 2}));
  const ValueId joined =
      s.add(Op::Concat, "floats", std::move(parts), {integer("axis", node.int_or("axis", 1))});
  finish_quantized(s, joined, 0);
  return true;
}

// A scale for each channel or column as it broadcasts against a result of that rank, axis `axis`.
Expected<ValueId> along(Speller& s, std::string_view what, ValueId scale, std::size_t rank,
                        std::size_t axis) {
  const auto& shape = s.value(scale).shape;
  if (!shape) return fail("the shape of its {} is not known; it must be a constant", what);
  const bool single = std::ranges::all_of(*shape, [&](Expr e) { return s.is_size(e, 1); });
  if (single) return s.reshaped(what, scale, {});
  if (shape->size() != 1 || rank == 0) return scale;
  Numbers dims(rank - axis, 1);
  dims[0] = -1;
  return s.reshaped(what, scale, dims);
}

// Sums of products as the codes of the result: round(sum * (left * right / result)) + zero point.
void finish_requantized(Speller& s, ValueId sums, ValueId left, ValueId right, std::size_t scale) {
  const Node& node = s.node();
  const ValueId both = s.add(Op::Mul, "scales",
                             {as_float(s, "left_scale", left), as_float(s, "right_scale", right)});
  const ValueId factor =
      s.add(Op::Div, "factor", {both, as_float(s, "result_scale", node.inputs[scale])},
            {integer(kRoundedQuotient, 1)});
  const ValueId value = s.add(Op::Mul, "scaled", {as_float(s, "sums", sums), factor});
  s.finish(Op::QuantizeLinear,
           without_absent_end({value, number(s, "unit", 1), absent_or(node, scale + 1)}));
}

Expected<bool> spell_qlinear_conv(Speller& s) {
  const Node& node = s.node();
  SUBBYTE_CHECK_OK(require_inputs(node, {0, 1, 2, 3, 4, 5, 6, 7}));
  const auto& weights = s.value(s.input(3)).shape;
  if (!weights) return fail("the shape of its weights is not known; they must be a constant");
  const std::size_t rank = weights->size();
  ValueId sums =
      s.add(Op::ConvInteger, "products",
            {node.inputs[0], node.inputs[3], node.inputs[2], node.inputs[5]}, node.attributes);
  if (node.has_input(8)) {
    Numbers dims(rank - 1, 1);
    dims[0] = -1;
    sums = s.add(Op::Add, "with_bias", {sums, s.reshaped("bias", node.inputs[8], dims)});
  }
  SUBBYTE_TRY(const ValueId left, along(s, "x_scale", node.inputs[1], 0, 0));
  SUBBYTE_TRY(const ValueId right, along(s, "w_scale", node.inputs[4], rank, 1));
  finish_requantized(s, sums, left, right, 6);
  return true;
}

Expected<bool> spell_qlinear_matmul(Speller& s) {
  const Node& node = s.node();
  SUBBYTE_CHECK_OK(require_inputs(node, {0, 1, 2, 3, 4, 5, 6, 7}));
  const ValueId sums = s.add(Op::MatMulInteger, "products",
                             {node.inputs[0], node.inputs[3], node.inputs[2], node.inputs[5]});
  // A scale for each row of the left stands beside the last axis, one for each column along it.
  SUBBYTE_TRY(const ValueId left, along(s, "a_scale", node.inputs[1], 2, 0));
  SUBBYTE_TRY(const ValueId right, along(s, "b_scale", node.inputs[4], 1, 0));
  finish_requantized(s, sums, left, right, 6);
  return true;
}

// (A B + C) * (alpha * left * right), C being int32; as codes where there is a scale of the result.
Expected<bool> spell_qgemm(Speller& s) {
  const Node& node = s.node();
  SUBBYTE_CHECK_OK(require_inputs(node, {0, 1, 2, 3, 4, 5}));
  const auto matrix = [&](std::string_view what, std::size_t i, std::string_view turned) {
    if (node.int_or(turned, 0) == 0) return node.inputs[i];
    return s.transpose(what, node.inputs[i], {1, 0});
  };
  ValueId sums =
      s.add(Op::MatMulInteger, "products",
            {matrix("a", 0, "transA"), matrix("b", 3, "transB"), node.inputs[2], node.inputs[5]});
  if (node.has_input(6)) sums = s.add(Op::Add, "with_bias", {sums, node.inputs[6]});
  SUBBYTE_TRY(ValueId left, along(s, "a_scale", node.inputs[1], 0, 0));
  SUBBYTE_TRY(const ValueId right, along(s, "b_scale", node.inputs[4], 1, 0));
  if (const float alpha = node.float_or("alpha", 1); alpha != 1)
    left = s.add(Op::Mul, "scaled_a", {left, number(s, "alpha", static_cast<double>(alpha))});
  if (node.has_input(7)) {
    finish_requantized(s, sums, left, right, 7);
  } else {
    s.finish(Op::Mul, {as_float(s, "sums", sums), s.add(Op::Mul, "scales", {left, right})});
  }
  return true;
}

// The floats of a tensor whose scale and zero point are inputs of their own.
ValueId floats_of(Speller& s, std::string_view what, std::size_t codes, std::size_t scale,
                  std::size_t zero) {
  const Node& node = s.node();
  if (!node.has_input(codes)) return kNone;
  return s.add(Op::DequantizeLinear, what,
               without_absent_end({node.inputs[codes], node.inputs[scale], absent_or(node, zero)}));
}

// The same operator of floats.
void finish_as(Speller& s, Op op, std::vector<ValueId> inputs) {
  Node node = s.node();
  node.op = op;
  node.op_type = std::string(op_info(op).name);
  node.inputs = without_absent_end(std::move(inputs));
  s.replace(std::move(node));
}

// Inputs are x, the weights of Q, K and V, their bias, the scales, a mask, the zero points, and
// what came before.
Expected<bool> spell_attention(Speller& s) {
  const Node& node = s.node();
  SUBBYTE_CHECK_OK(require_inputs(node, {0, 1, 2, 3, 4}));
  const ValueId x = floats_of(s, "x", 0, 3, 6), weights = floats_of(s, "qkv", 1, 4, 7);
  finish_as(s, Op::MicrosoftAttention,
            {x, weights, node.inputs[2], absent_or(node, 5), absent_or(node, 8)});
  return true;
}

// Five tables and vectors, their scales from 8 on, their zero points from 13 on.
Expected<bool> spell_embed_layer_normalization(Speller& s) {
  const Node& node = s.node();
  SUBBYTE_CHECK_OK(require_inputs(node, {0, 2, 3, 5, 6, 8, 9, 11, 12}));
  const ValueId words = floats_of(s, "words", 2, 8, 13),
                positions = floats_of(s, "positions", 3, 9, 14),
                segments = floats_of(s, "segments", 4, 10, 15),
                gamma = floats_of(s, "gamma", 5, 11, 16), beta = floats_of(s, "beta", 6, 12, 17);
  finish_as(s, Op::EmbedLayerNormalization,
            {node.inputs[0], absent_or(node, 1), words, positions, segments, gamma, beta,
             absent_or(node, 7)});
  return true;
}

// (sums * (left * right)) + bias
void finish_scaled(Speller& s, ValueId sums, ValueId left, ValueId right, ValueId bias) {
  const ValueId scales = s.add(Op::Mul, "scales", {left, right});
  const ValueId floats = as_float(s, "sums", sums);
  if (bias == kNone) {
    s.finish(Op::Mul, {floats, scales});
  } else {
    s.finish(Op::Add, {s.add(Op::Mul, "scaled", {floats, scales}), bias});
  }
}

Expected<bool> spell_dynamic_matmul(Speller& s) {
  const Node& node = s.node();
  SUBBYTE_CHECK_OK(require_inputs(node, {0, 1, 2}));
  const auto codes = s.add_several(Op::DynamicQuantizeLinear, "codes", 3, {node.inputs[0]});
  const ValueId sums =
      s.add(Op::MatMulInteger, "products",
            without_absent_end({codes[0], node.inputs[1], codes[2], absent_or(node, 3)}));
  finish_scaled(s, sums, codes[1], node.inputs[2], absent_or(node, 4));
  return true;
}

Expected<bool> spell_matmul_to_float(Speller& s) {
  const Node& node = s.node();
  SUBBYTE_CHECK_OK(require_inputs(node, {0, 1, 2, 3}));
  if (const DType dtype = s.value(node.inputs[2]).dtype;
      dtype != DType::float32 && dtype != DType::undefined)
    return fail("its scales are {}; supported is float32", dtype_name(dtype));
  const ValueId sums = s.add(
      Op::MatMulInteger, "products",
      without_absent_end({node.inputs[0], node.inputs[1], absent_or(node, 4), absent_or(node, 5)}));
  SUBBYTE_TRY(const ValueId left, along(s, "a_scale", node.inputs[2], 0, 0));
  finish_scaled(s, sums, left, node.inputs[3], absent_or(node, 6));
  return true;
}

Expected<bool> unpack(Speller& s) {
  if (s.node().outputs.empty() || s.node().outputs[0] == kNone) return false;
  switch (s.node().op) {
    case Op::DynamicQuantizeMatMul:
      return spell_dynamic_matmul(s);
    case Op::GatherBlockQuantized:
      return unpack_gather_block_quantized(s);
    case Op::MatMulBnb4:
      return unpack_matmul_bnb4(s);
    case Op::MatMulIntegerToFloat:
      return spell_matmul_to_float(s);
    case Op::MatMulNBits:
      return unpack_matmul_nbits(s);
    case Op::QAttention:
      return spell_attention(s);
    case Op::QEmbedLayerNormalization:
      return spell_embed_layer_normalization(s);
    case Op::QGemm:
      return spell_qgemm(s);
    case Op::QLinearAdd:
      return spell_binary(s, Op::Add);
    case Op::QLinearAveragePool:
      return spell_unary(
          s, Op::AveragePool,
          {"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"});
    case Op::QLinearConcat:
      return spell_concat(s);
    case Op::QLinearConv:
      return spell_qlinear_conv(s);
    case Op::QLinearGlobalAveragePool:
      return spell_unary(s, Op::GlobalAveragePool, {});
    case Op::QLinearLeakyRelu:
      return spell_unary(s, Op::LeakyRelu, {"alpha"});
    case Op::QLinearMatMul:
      return spell_qlinear_matmul(s);
    case Op::QLinearMul:
      return spell_binary(s, Op::Mul);
    case Op::QLinearSigmoid:
      return spell_unary(s, Op::Sigmoid, {});
    case Op::QLinearSoftmax:
      return spell_softmax(s);
    default:
      return false;
  }
}

}  // namespace

Expected<void> unpack_quantized(Model& model) {
  SUBBYTE_CHECK_OK(spell_out(model, unpack));
  return {};
}

}  // namespace subbyte
