// DynamicQuantizeLSTM: an LSTM whose weights arrive as 8-bit codes. ONNX Runtime rounds what they
// are multiplied with too, each step anew, which its documentation leaves open; here it is not
// rounded.
#include "graph/ops.h"
#include "passes/spell/spell.h"

namespace subbyte {
namespace {

// Codes [directions, depth, rows] as the floats [directions, rows, depth] that an LSTM takes; a
// scale and a zero point for each direction, or for each row.
Expected<std::optional<ValueId>> weights_of(Speller& s, std::size_t codes, std::size_t scale,
                                            std::size_t zero_point) {
  using Weights = std::optional<ValueId>;
  const auto sizes = s.known_sizes(s.input(codes));
  const auto scales = s.known_sizes(s.input(scale));
  if (!sizes || !scales) return Weights{};
  if (sizes->size() != 3 || scales->empty() || scales->size() > 2 || (*scales)[0] != (*sizes)[0])
    return fail(
        "its input {} has rank {} and the scale of it {}; they must be 3 and 1 or 2, with as "
        "many directions",
        codes, sizes->size(), scales->size());
  const Numbers each(static_cast<std::size_t>((*sizes)[0]), 1);
  const auto parts = s.split("codes", s.input(codes), 0, each);
  const auto factors = s.split("scale", s.input(scale), 0, each);
  const auto zeros = s.split("zero_point", s.input(zero_point), 0, each);
  const bool of_rows = scales->size() == 2;
  std::vector<ValueId> directions;
  for (std::size_t i = 0; i < each.size(); ++i) {
    const Numbers shape = of_rows ? Numbers{-1} : Numbers{};
    const ValueId floats = s.add(Op::DequantizeLinear, "weights",
                                 {parts[i], s.reshaped("scale", factors[i], shape),
                                  s.reshaped("zero_point", zeros[i], shape)},
                                 {integer("axis", 2)});
    directions.push_back(s.transpose("turned", floats, {0, 2, 1}));
  }
  if (directions.size() == 1) return Weights{directions.front()};
  return Weights{s.add(Op::Concat, "directions", std::move(directions), {integer("axis", 0)})};
}

}  // namespace

Expected<bool> spell_dynamic_quantize_lstm(Speller& s) {
  SUBBYTE_CHECK_OK(s.needs({0, 1, 2, 8, 9, 10, 11}));
  SUBBYTE_TRY(const auto input_weights, weights_of(s, 1, 8, 9));
  SUBBYTE_TRY(const auto state_weights, weights_of(s, 2, 10, 11));
  if (!input_weights || !state_weights)
    return fail_as(ErrorKind::unsupported,
                   "the sizes of its weights are not known when converting");
  Node node = s.node();
  node.op = Op::LSTM;
  node.op_type = "LSTM";
  node.domain.clear();
  node.inputs.resize(8);
  node.inputs[1] = *input_weights;
  node.inputs[2] = *state_weights;
  while (node.inputs.back() == kNone) node.inputs.pop_back();
  s.replace(std::move(node));
  return true;
}

}  // namespace subbyte
