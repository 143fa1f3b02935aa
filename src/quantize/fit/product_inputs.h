// What the rows of a weight are multiplied with, wherever its reader finds it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "quantize/assign.h"

namespace subbyte::fit {

// A product of the main graph that reads a weight as the matrix in which it is stored: each result
// is a row times the column of what one place of the activations shows, k elements in the order of
// the packed matrix.
class ProductInputs {
 public:
  // None where that reader takes the weight in another way, or one that is not followed: as a left
  // operand, or in a transposed convolution whose windows overlap. A MatMul may read it through a
  // Transpose.
  static std::optional<ProductInputs> of(const Graph& graph, const WeightUse& use, NodeId reader);

  ValueId activations() const { return activations_; }
  // The rows are as many equal parts one after the other, each of which sees channels of its own.
  std::int64_t groups() const { return groups_; }

  // Places that these activations have, 0 where they do not fit the product.
  std::int64_t places(const Tensor& x) const;
  // columns[i * chosen.size() + p] = element i of what place chosen[p] shows of that group.
  void gather(const Tensor& x, std::int64_t group, std::span<const std::int64_t> chosen,
              float* columns) const;

 private:
  struct Windows;  // of a convolution on activations of concrete sizes
  std::optional<Windows> windows(const Tensor& x) const;
  void gather_rows(const Tensor& x, std::span<const std::int64_t> chosen, float* columns) const;

  const Node* node_ = nullptr;
  const Tensor* weight_ = nullptr;
  ValueId activations_ = kNone;
  std::int64_t groups_ = 1, k_ = 0;
  bool convolves_ = false;    // else the rows of the activations are what is multiplied
  bool along_first_ = false;  // Gemm with transA: the columns are
  std::int64_t spatial_ =
      0;  // channels-first activations whose every place is a column: their rank
};

}  // namespace subbyte::fit
