// The operators that have a form of their own here, in float32 and in the same bits everywhere, by
// kind. Each form gives no outputs where the inputs are not such that it applies.
#pragma once

#include <optional>

#include "calibrate/machine.h"

namespace subbyte::calibrate {

// One node on all samples of a batch.
using Calls = std::span<const Call>;

// MatMul and Gemm of all samples at once, so that a right operand that they share is packed once.
Expected<std::vector<Outputs>> product_form(Calls calls, Machine& machine);

Result conv_form(const Call& call, Machine& machine);
Result conv_transpose_form(const Call& call, Machine& machine);
Result pool_form(const Call& call, Machine& machine);

// What goes element by element.
Result cast_form(const Call& call, Machine& machine);
Result unary_form(const Call& call, Machine& machine);
Result binary_form(const Call& call, Machine& machine);
Result compare_form(const Call& call, Machine& machine);
Result variadic_form(const Call& call, Machine& machine);
Result clip_form(const Call& call, Machine& machine);
Result where_form(const Call& call, Machine& machine);

Result softmax_form(const Call& call, Machine& machine);
Result normalization_form(const Call& call, Machine& machine);
Result reduce_form(const Call& call, Machine& machine);

// LSTM, GRU and RNN.
Result recurrent_form(const Call& call, Machine& machine);

// What moves elements of any dtype.
Result concat_form(const Call& call, Machine& machine);
Result expand_form(const Call& call, Machine& machine);
Result gather_form(const Call& call, Machine& machine);
Result slice_form(const Call& call, Machine& machine);
Result split_form(const Call& call, Machine& machine);
Result transpose_form(const Call& call, Machine& machine);

// One node on one sample, by a form of its own. No outputs where there is none for these inputs.
Result evaluate_by_form(const Call& call, Machine& machine);

// One node on all samples, by its own form or by the reference's.
Expected<std::vector<Outputs>> evaluate_node(Calls calls, Machine& machine);

}  // namespace subbyte::calibrate
