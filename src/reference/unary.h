// The attributes of operators of one input.
#pragma once

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte::reference {

// The attributes that the family reads, with the defaults of the ONNX operator specifications.
struct UnaryParameters {
  double alpha = 0, beta = 0, gamma = 0;
  bool tanh_approximation = false;
  bool positive = true, negative = true;
};

Expected<UnaryParameters> unary_parameters(const Node& node);

}  // namespace subbyte::reference
