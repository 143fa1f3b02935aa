// Products of com.microsoft with what optimizers put before and after them.
#include "base/text.h"
#include "graph/ops.h"
#include "passes/spell/spell.h"

namespace subbyte {
namespace {

// The activation of FusedConv and FusedGemm, whose parameters stand in a list or in attributes of
// their own.
Expected<ValueId> activated(Speller& s, ValueId x) {
  const Node& node = s.node();
  const std::string_view name = node.string_or("activation", "");
  const Attribute* list = node.find("activation_params");
  const auto* values = list == nullptr ? nullptr : std::get_if<std::vector<float>>(&list->value);
  const auto parameter = [&](std::size_t i, std::string_view attribute, float otherwise) {
    if (values != nullptr && i < values->size()) return (*values)[i];
    return node.float_or(attribute, otherwise);
  };
  if (name.empty() || name == "NONE") return x;
  if (name == "Relu") return s.add(Op::Relu, "relu", {x});
  if (name == "Tanh") return s.add(Op::Tanh, "tanh", {x});
  if (name == "Sigmoid") return s.add(Op::Sigmoid, "sigmoid", {x});
  if (name == "Softplus") return s.add(Op::Softplus, "softplus", {x});
  if (name == "Softsign") return s.add(Op::Softsign, "softsign", {x});
  if (name == "LeakyRelu")
    return s.add(Op::LeakyRelu, "leaky", {x}, {{"alpha", parameter(0, "activation_alpha", 0.01f)}});
  if (name == "Elu")
    return s.add(Op::Elu, "elu", {x}, {{"alpha", parameter(0, "activation_alpha", 1.0f)}});
  if (name == "HardSigmoid")
    return s.add(Op::HardSigmoid, "hard_sigmoid", {x},
                 {{"alpha", parameter(0, "activation_alpha", 0.2f)},
                  {"beta", parameter(1, "activation_beta", 0.5f)}});
  if (name == "HardSwish") return s.add(Op::HardSwish, "hard_swish", {x});
  if (name == "Clip") {
    const DType dtype = s.value(x).dtype;
    return s.add(Op::Clip, "clipped",
                 {x, s.number("min", dtype, parameter(0, "activation_alpha", -3.402823e38f)),
                  s.number("max", dtype, parameter(1, "activation_beta", 3.402823e38f))});
  }
  return fail_as(ErrorKind::unsupported,
                 "its activation is {}; supported are Relu, Tanh, Sigmoid, Softplus, Softsign, "
                 "LeakyRelu, Elu, HardSigmoid, HardSwish and Clip",
                 quoted(name));
}

// The attributes of a Conv or Gemm itself.
std::vector<Attribute> own_attributes(const Node& node) {
  std::vector<Attribute> own;
  for (const Attribute& attribute : node.attributes)
    if (!attribute.name.starts_with("activation")) own.push_back(attribute);
  return own;
}

// With the last two axes exchanged, and before that the first axis moved behind the batch's others.
ValueId turned(Speller& s, ValueId x, bool across, bool batch) {
  const std::size_t rank = s.known_rank(x);
  if (rank < 2 || (!across && !batch)) return x;
  Numbers order = axes_between(0, rank);
  // [rows, batch..., columns] to [batch..., rows, columns].
  if (batch) {
    order.erase(order.begin());
    order.insert(order.end() - 1, 0);
  }
  if (across) std::swap(order[rank - 1], order[rank - 2]);
  return s.transpose("turned", x, order);
}

}  // namespace

Expected<bool> spell_fused_conv(Speller& s) {
  std::vector<ValueId> inputs{s.input(0), s.input(1)};
  if (s.has(2)) inputs.push_back(s.input(2));
  ValueId y = s.add(Op::Conv, "convolved", std::move(inputs), own_attributes(s.node()));
  if (s.has(3)) y = s.add(Op::Add, "summed", {y, s.input(3)});
  SUBBYTE_TRY(y, activated(s, y));
  s.finish(0, y);
  return true;
}

// The image is [N, H, W, C], the weights as a Conv has them.
Expected<bool> spell_nhwc_conv(Speller& s) {
  if (!s.rank() || *s.rank() < 3) return false;
  const auto rank = static_cast<std::int64_t>(*s.rank());
  Numbers to{0, rank - 1}, back{0};
  for (std::int64_t axis = 1; axis < rank - 1; ++axis) to.push_back(axis);
  for (std::int64_t axis = 2; axis < rank; ++axis) back.push_back(axis);
  back.push_back(1);
  std::vector<ValueId> inputs{s.transpose("channels_second", s.input(0), to), s.input(1)};
  if (s.has(2)) inputs.push_back(s.input(2));
  ValueId y = s.add(Op::Conv, "convolved", std::move(inputs), own_attributes(s.node()));
  if (s.has(3)) y = s.add(Op::Add, "summed", {y, s.transpose("summand", s.input(3), to)});
  SUBBYTE_TRY(y, activated(s, y));
  s.finish(0, s.transpose("channels_last", y, back));
  return true;
}

// Inputs are those of a ConvTranspose, with the pads between weights and bias. Computed pads take
// away what a product without pads has too much; negative ones add what no product reaches.
Expected<bool> spell_conv_transpose_with_dynamic_pads(Speller& s) {
  SUBBYTE_CHECK_OK(s.needs({0, 1}));
  const Node& node = s.node();
  if (node.string_or("auto_pad", "NOTSET") != "NOTSET")
    return fail_as(ErrorKind::unsupported, "its auto_pad is {}; with pads as an input it is NOTSET",
                   quoted(node.string_or("auto_pad", "NOTSET")));
  std::vector<ValueId> inputs{s.input(0), s.input(1)};
  const auto pads = s.has(2) ? s.numbers(s.input(2)) : Numbers();
  if (pads) {
    if (s.has(3)) inputs.push_back(s.input(3));
    std::vector<Attribute> attributes = node.attributes;
    if (!pads->empty()) attributes.push_back({"pads", *pads});
    s.finish(Op::ConvTranspose, std::move(inputs), std::move(attributes));
    return true;
  }
  if (!s.rank() || *s.rank() < 3) return false;
  const auto spatial = static_cast<std::int64_t>(*s.rank()) - 2;
  const ValueId whole = s.add(Op::ConvTranspose, "whole", std::move(inputs), node.attributes);
  const ValueId taken = s.add(Op::Neg, "taken", {s.input(2)});
  const ValueId cut =
      s.add(Op::Pad, "cut",
            {whole, taken, s.number("beyond", 0), s.int64s("axes", axes_between(2, *s.rank()))},
            {{"mode", std::string("constant")}});
  if (!s.has(3)) {
    s.finish(0, cut);
    return true;
  }
  Numbers dims(static_cast<std::size_t>(spatial) + 1, 1);
  dims[0] = -1;
  s.finish(Op::Add, {cut, s.reshaped("bias", s.input(3), dims)});
  return true;
}

Expected<bool> spell_fused_gemm(Speller& s) {
  std::vector<ValueId> inputs{s.input(0), s.input(1)};
  if (s.has(2)) inputs.push_back(s.input(2));
  const ValueId y = s.add(Op::Gemm, "product", std::move(inputs), own_attributes(s.node()));
  SUBBYTE_TRY(const ValueId active, activated(s, y));
  s.finish(0, active);
  return true;
}

// alpha * A * B, either turned first. A vector stays as it is.
Expected<bool> spell_fused_mat_mul(Speller& s) {
  if (!s.rank() || !s.rank(s.input(1))) return false;
  const auto flag = [&](const char* name) { return s.node().int_or(name, 0) != 0; };
  const ValueId a = turned(s, s.input(0), flag("transA"), flag("transBatchA"));
  const ValueId b = turned(s, s.input(1), flag("transB"), flag("transBatchB"));
  const ValueId product = s.add(Op::MatMul, "product", {a, b});
  const double alpha = s.node().float_or("alpha", 1);
  s.finish(0, alpha == 1 ? product : s.add(Op::Mul, "scaled", {product, s.number("alpha", alpha)}));
  return true;
}

}  // namespace subbyte
