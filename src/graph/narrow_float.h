// Floats of 8 bits and fewer (ONNX, "Float stored in 8 bits" and "Float stored in 4 bits"): each is
// a code in the low bits of a byte, and a float32 holds all values of any of them.
#pragma once

#include <cstdint>

#include "graph/dtype.h"

namespace subbyte {

// Of these dtypes, which stand between nodes and in constants only: no input or output of a graph
// has one.
bool is_narrow_float(DType dtype);

// A float with a sign, exponents of which the least is also that of subnormals, and so many bits
// behind the point.
struct NarrowFloat {
  int exponent_bits = 4, mantissa_bits = 3, bias = 7;
  float largest = 448;         // of the finite values
  bool has_infinity = false;   // float8e5m2
  bool has_nan = true;         // all but float4e2m1
  bool has_negative_0 = true;  // without it the code is NaN

  int least_exponent() const { return 1 - bias; }
};

// Of the dtypes that a number can be cast to: not of float8e8m0, which has powers of two only.
const NarrowFloat* narrow_float(DType dtype);

float narrow_to_float(DType dtype, std::uint8_t code);

// The code of the nearest value, ties to even. What is larger than all of them becomes the largest
// with `saturate`, else an infinity, or NaN where there is none; a NaN that there is none of is -0.
std::uint8_t float_to_narrow(DType dtype, float value, bool saturate);

}  // namespace subbyte
