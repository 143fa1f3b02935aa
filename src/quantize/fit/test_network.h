// A small convolutional network for the tests of this folder.
#pragma once

#include <fmt/core.h>

#include <string>

#include "calibrate/random.h"
#include "graph/graph.h"

namespace subbyte::fit {

// A model of text (graph/text.h) in canonical form; throws what is wrong with it.
Model test_model(const std::string& text);

// Filters of 3 x 3 with strides, padding and no bias, a depthwise convolution with a bias, groups,
// a transposed convolution that lays its results out anew, a Gemm that transposes, and a MatMul
// without a bias. x is [1, 4, 12, 12], y [1, 10].
Model test_network();

// A convolution with a bias, a gate of one channel, which no bias can correct, and one of what the
// gate lets through. x is [1, 4, 12, 12], y [1, 8, 12, 12].
Model test_gate();

// A language model of tokens that stand alone: ids [1, n] are looked up in a table of 40 rows, go
// through a layer that is added to them, and are multiplied with the table again: logits [1, n,
// 40]. Its cache, past_keys [1, past, 24], is what it read before.
Model test_language_model();
// Of 64 tokens each, nothing in the cache.
std::vector<std::vector<Tensor>> test_texts(std::size_t count, std::uint64_t seed);

// `count` samples whose channels depend on each other and have means.
std::vector<std::vector<Tensor>> test_samples(std::size_t count, std::uint64_t seed);

}  // namespace subbyte::fit
