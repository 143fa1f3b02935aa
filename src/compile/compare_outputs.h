// What evaluate tells beside output_loss(): the error of layers, readings, and likelihoods.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"
#include "samples/output_content.h"

namespace subbyte {

// Squared error and squared size, over all elements. The same infinity, or a NaN in both, is no
// error; one that only one of them has is an infinite one.
struct SquaredError {
  double error = 0, size = 0;
  void add(const Tensor& expected, const Tensor& found);
  double relative() const;  // the root of error over size; 0 where nothing differs
  double sqnr_db() const;   // infinite where nothing differs
};

// The index of the largest number of each row of the last axis; the first of equal ones. NaN is
// none's largest: a row of NaN gives -1.
std::vector<std::int64_t> largest_of_rows(const Tensor& tensor);

// The negative log-likelihood, in nats, that logits or probabilities [batch, steps, classes] give
// to the token that follows each step, of ids [batch, steps]; and how many were counted.
struct Likelihood {
  double loss = 0, tokens = 0;
  void add(const OutputContent& content, const Tensor& output, std::span<const std::int64_t> ids);
};

}  // namespace subbyte
