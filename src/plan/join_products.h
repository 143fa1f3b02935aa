// Products of one value with several weights as one product: the queries, keys and values of
// attention.
#pragma once

#include <map>

#include "graph/graph.h"
#include "quantize/stored_weight.h"

namespace subbyte {

// MatMul and Gemm nodes that multiply the same value with weights of one encoding and depth become
// one node, whose weight is all of theirs (JoinedWeights in `weights`), with their biases, and a
// Split gives the results. Left alone are weights with other readers, and products whose results an
// element-wise node reads at the same places, since their kernels compute it. No more are joined
// than `most_bytes` bytes of weights and one binding hold, than one tensor holds on any device at
// all sizes, or than another tensor of the model is large: no run meets a limit that it would not
// meet else. The numbers are the same, summed in the order of the form that fits the joined sizes.
void join_products(Model& model, std::map<ValueId, StoredWeight>& weights, std::int64_t most_bytes);

}  // namespace subbyte
