// What a node of LSTM, GRU or RNN says, for all that computes one (ONNX, Operators.md).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

enum class Activation : std::uint8_t {
  affine,        // alpha x + beta
  elu,           // x where x >= 0, else alpha (e^x - 1)
  hard_sigmoid,  // alpha x + beta within 0..1
  leaky_relu,    // x where x >= 0, else alpha x
  relu,
  scaled_tanh,  // alpha tanh(beta x)
  sigmoid,
  softplus,
  softsign,
  tanh,
  thresholded_relu,  // x where x > alpha, else 0
};
struct ActivationUse {
  Activation function = Activation::tanh;
  float alpha = 0, beta = 0;
  friend bool operator==(const ActivationUse&, const ActivationUse&) = default;
};

struct Recurrence {
  std::int64_t gates = 1;  // rows of the weights for one element of the state: 4, 3 or 1
  std::int64_t directions = 1;
  bool reversed = false;  // the first direction runs from the end; the second always does
  bool batch_first = false;
  bool input_forget = false;         // LSTM: the forget gate is 1 minus the input gate
  bool linear_before_reset = false;  // GRU
  // Of what activations take, but for the state of an LSTM's cell, which ONNX Runtime does not clip
  // either; 0: none.
  float clip = 0;
  // f, g and h of each direction; what an operator has not stays as it is.
  std::vector<std::array<ActivationUse, 3>> activations;
};

// An attribute that says what ONNX does not know is an error.
Expected<Recurrence> recurrence_of(const Node& node);

bool is_recurrence(Op op);

}  // namespace subbyte
