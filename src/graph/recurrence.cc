#include "graph/recurrence.h"

#include <algorithm>
#include <string>

#include "base/text.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

// How many of the lists activation_alpha and activation_beta an activation takes, and what stands
// for one that they have not. ScaledTanh has no default in ONNX; ONNX Runtime's is 1.
struct ActivationRow {
  std::string_view name;
  Activation function;
  int parameters;
  float alpha, beta;
};
constexpr ActivationRow kActivations[] = {
    {"affine", Activation::affine, 2, 1, 0},
    {"elu", Activation::elu, 1, 1, 0},
    {"hardsigmoid", Activation::hard_sigmoid, 2, 0.2f, 0.5f},
    {"leakyrelu", Activation::leaky_relu, 1, 0.01f, 0},
    {"relu", Activation::relu, 0, 0, 0},
    {"scaledtanh", Activation::scaled_tanh, 2, 1, 1},
    {"sigmoid", Activation::sigmoid, 0, 0, 0},
    {"softplus", Activation::softplus, 0, 0, 0},
    {"softsign", Activation::softsign, 0, 0, 0},
    {"tanh", Activation::tanh, 0, 0, 0},
    {"thresholdedrelu", Activation::thresholded_relu, 1, 1, 0},
};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

template <typename List>
const List* list_of(const Node& node, std::string_view name) {
  const Attribute* attribute = node.find(name);
  return attribute == nullptr ? nullptr : std::get_if<List>(&attribute->value);
}

// Takes the next of a list of numbers, where there is one.
float take(const std::vector<float>* numbers, std::size_t& next, float otherwise) {
  return numbers != nullptr && next < numbers->size() ? (*numbers)[next++] : otherwise;
}

Expected<std::vector<ActivationUse>> named_activations(const Node& node,
                                                       const std::vector<std::string>& names) {
  const auto* alphas = list_of<std::vector<float>>(node, "activation_alpha");
  const auto* betas = list_of<std::vector<float>>(node, "activation_beta");
  std::size_t alpha = 0, beta = 0;
  std::vector<ActivationUse> uses;
  for (const std::string& name : names) {
    const auto* row = std::ranges::find(kActivations, lower_case(name), &ActivationRow::name);
    if (row == std::end(kActivations)) {
      return fail(
          "its activation {} is not one that ONNX knows: Affine, Elu, HardSigmoid, LeakyRelu, "
          "Relu, ScaledTanh, Sigmoid, Softplus, Softsign, Tanh, ThresholdedRelu",
          quoted(name));
    }
    ActivationUse use{row->function, row->alpha, row->beta};
    if (row->parameters > 0) use.alpha = take(alphas, alpha, row->alpha);
    if (row->parameters > 1) use.beta = take(betas, beta, row->beta);
    uses.push_back(use);
  }
  return uses;
}

std::vector<std::string> default_activations(Op op) {
  if (op == Op::LSTM) return {"Sigmoid", "Tanh", "Tanh"};
  if (op == Op::GRU) return {"Sigmoid", "Tanh"};
  return {"Tanh"};
}

Expected<void> read_activations(const Node& node, Recurrence& r) {
  const std::vector<std::string> usual = default_activations(node.op);
  std::vector<std::string> names;
  if (const auto* given = list_of<std::vector<std::string>>(node, "activations")) names = *given;
  const auto directions = static_cast<std::size_t>(r.directions);
  const std::size_t wanted = usual.size() * directions;
  while (names.empty() || (names.size() < wanted && node.find("activations") == nullptr))
    names.insert(names.end(), usual.begin(), usual.end());
  if (names.size() != wanted)
    return fail("it has {} activations; for {} {} there must be {}", names.size(), directions,
                directions == 1 ? "direction" : "directions", wanted);
  SUBBYTE_TRY(const auto uses, named_activations(node, names));
  r.activations.resize(directions);
  for (std::size_t i = 0; i < uses.size(); ++i)
    r.activations[i / usual.size()][i % usual.size()] = uses[i];
  return {};
}

}  // namespace

bool is_recurrence(Op op) { return op == Op::LSTM || op == Op::GRU || op == Op::RNN; }

Expected<Recurrence> recurrence_of(const Node& node) {
  Recurrence r;
  r.gates = node.op == Op::LSTM ? 4 : node.op == Op::GRU ? 3 : 1;
  const std::string direction = lower_case(node.string_or("direction", "forward"));
  if (direction == "bidirectional") {
    r.directions = 2;
  } else if (direction == "reverse") {
    r.reversed = true;
  } else if (direction != "forward") {
    return fail("its direction is {}; it must be forward, reverse or bidirectional",
                quoted(direction));
  }
  const std::int64_t layout = node.int_or("layout", 0);
  if (layout != 0 && layout != 1) return fail("its layout is {}; it must be 0 or 1", layout);
  r.batch_first = layout == 1;
  r.input_forget = node.int_or("input_forget", 0) != 0;
  r.linear_before_reset = node.int_or("linear_before_reset", 0) != 0;
  r.clip = node.float_or("clip", 0);
  if (!(r.clip >= 0)) return fail("its clip is {}; it must not be negative", r.clip);
  SUBBYTE_CHECK_OK(read_activations(node, r));
  return r;
}

}  // namespace subbyte
