// What LSTM, GRU and RNN multiply of their input, out of the loop over time.
#pragma once

#include "graph/graph.h"

namespace subbyte {

// Hidden sizes up to which a workgroup holds the state of a recurrence.
inline constexpr std::int64_t kMaxWorkgroupState = 1024;

// A recurrence takes the products of its input with its weights from one MatMul for all times, the
// biases added. What remains is a node of the same operator in a form that only plans know:
//   input 0  [directions, times, batch, gates * hidden], those products; input 1 is absent
//   input 3  biases, of a GRU with linear_before_reset only, of which it reads the second half
//   input 5  first states, one after the other along the first of [directions, batch, hidden]:
//            none; the hidden one; that and an LSTM's cell (input 6 is absent then), where a
//            kernel could not bind both; or all three vectors of kernels/recurrent_storage.wgsl,
//            which the kernel changes in place, where a workgroup could not hold them
// First states in another layout are transposed before it; its outputs keep the layout.
void split_recurrences(Model& model);

}  // namespace subbyte
