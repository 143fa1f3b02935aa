// What a loss changes by with each element of a node's inputs, from what it changes by with each of
// its outputs: reverse mode, one node at a time (Griewank and Walther, "Evaluating Derivatives",
// 2008, chapter 3). In float32, sums in a fixed order: the same bits everywhere, as in the
// executor.
#pragma once

#include <span>

#include "calibrate/machine.h"

namespace subbyte::calibrate {

// One node on one sample, computed.
struct GradientCall {
  const Node& node;
  std::span<const Tensor* const> inputs;   // nullptr where one is absent
  std::span<const Tensor* const> outputs;  // floats as float32
  // What the loss changes by with each element of each output; nullptr: it does not depend on it.
  std::span<const float* const> lost;
  // Where that of each input is added; nullptr where nobody asks.
  std::span<float* const> into;

  const Tensor& input(std::size_t i) const { return *inputs[i]; }
  bool has(std::size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  bool wants(std::size_t i) const { return i < into.size() && into[i] != nullptr; }
  // As the forms of the executor take it.
  Call call() const {
    return Call{node, {inputs.begin(), inputs.end()}, reference::kMaxTensorBytes};
  }
};

using Gradient = Expected<void> (*)(const GradientCall&, Machine&);

// nullptr where none is known. An error says that it is known, but not of these inputs.
Gradient gradient_of(const Node& node);

// By kind.
Expected<void> unary_gradient(const GradientCall& call, Machine& machine);
Expected<void> binary_gradient(const GradientCall& call, Machine& machine);
Expected<void> variadic_gradient(const GradientCall& call, Machine& machine);
Expected<void> clip_gradient(const GradientCall& call, Machine& machine);
Expected<void> same_gradient(const GradientCall& call, Machine& machine);  // Cast, Reshape
Expected<void> no_gradient(const GradientCall& call, Machine& machine);    // of what goes in steps
Expected<void> view_gradient(const GradientCall& call, Machine& machine);
Expected<void> gather_gradient(const GradientCall& call, Machine& machine);
Expected<void> moved_gradient(const GradientCall& call, Machine& machine);
Expected<void> product_gradient(const GradientCall& call, Machine& machine);
Expected<void> conv_gradient(const GradientCall& call, Machine& machine);
Expected<void> conv_transpose_gradient(const GradientCall& call, Machine& machine);
Expected<void> pool_gradient(const GradientCall& call, Machine& machine);
Expected<void> reduce_gradient(const GradientCall& call, Machine& machine);
Expected<void> softmax_gradient(const GradientCall& call, Machine& machine);
Expected<void> normalization_gradient(const GradientCall& call, Machine& machine);

// into[i] += what was found for element i of a tensor that broadcasts to `to`: the sum over all
// elements of `found`, of that shape, that it became, in their order.
void add_reduced(const float* found, const Dims& to, const Dims& dims, float* into);

// work(first, end) for pieces of [0, count), shared among the threads.
template <typename Work>
void for_elements(std::int64_t count, double cost, Machine& machine, const Work& work) {
  constexpr std::int64_t kPiece = 1 << 13;
  machine.share(
      (count + kPiece - 1) / kPiece, cost * static_cast<double>(count),
      [&](std::int64_t piece) { work(piece * kPiece, std::min(count, (piece + 1) * kPiece)); });
}

}  // namespace subbyte::calibrate
