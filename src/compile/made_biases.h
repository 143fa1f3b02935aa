// Biases that calibration made (quantize/fit/output_shift.h), in a source that has not got them.
#pragma once

#include <string>

#include "graph/graph.h"

namespace subbyte {

// Calibration takes back what quantization shifts by a bias, which it calls after the product's
// result, "RESULT_bias", and makes where there is none, or none of the product's own. Gives the
// product of that name such a bias, with the source's own numbers or zeros, so that the model
// computes what it did. kNone where the name is no such bias's.
ValueId make_bias(Model& model, const std::string& name);

}  // namespace subbyte
