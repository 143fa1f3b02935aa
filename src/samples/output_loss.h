// How far the outputs of one model are from another's on the same samples.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "samples/output_content.h"

namespace subbyte {

// A figure over all samples, and the interval of bootstrap().
struct Estimate {
  double value = 0, low = 0, high = 0;
};

struct OutputLoss {
  // The norm of the difference by that of the output, over all samples; of integers the share of
  // unequal elements. The same infinity, or a NaN in both, is no difference.
  Estimate relative_l2{};
  // Of floats with a last axis of two or more: how often the largest along it is the same element.
  std::optional<Estimate> top1_agreement{};
  // How many decisions change. Of distributions and logits, those of which alternative is the
  // likeliest; of probabilities on their own, of the elements that either has above a half those
  // that only one has.
  std::optional<Estimate> flips{};
  // Mean divergence of Kullback and Leibler from the first model's distribution to the second's, in
  // nats; of probabilities on their own, of each element.
  std::optional<Estimate> kl{};
};

// Of one output, by sample: `expected` and `found` are as many, of the same dtypes. Where dims
// differ, for the model counts something, all of the sample is lost.
OutputLoss output_loss(const OutputContent& content, std::span<const Tensor> expected,
                       std::span<const Tensor> found);

}  // namespace subbyte
