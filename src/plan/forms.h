// Which kernel bodies there are for a job, how many workgroups each takes, and when it is chosen:
// the table that decides speed. docs/kernels.md describes the bodies; bench/gpu measures them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/expr.h"

namespace subbyte {

struct KernelForm {
  std::vector<std::string_view> files;  // of kernels/, in order, the body last
  std::vector<std::string> features;    // of the device
  std::vector<std::string> enables;     // WGSL enable-extensions
  std::string constants;                // WGSL that stands before the body
  std::vector<std::pair<std::string, std::int64_t>> limits;
};

KernelForm elementwise_form();
Expr elementwise_workgroups(ExprPool& exprs, Expr count);

// A form of a kernel with its condition on sizes, as an expression that is not 0 where it is to be
// taken.
struct SizedForm {
  KernelForm form;
  Expr when;
  Expr workgroups;
};

// C[b, m, n]; `cols` are those of one chunk of a split weight. `rows_adjacent`: a convolution,
// whose neighbouring rows are neighbours in memory.
std::vector<SizedForm> product_forms(ExprPool& exprs, Expr batches, Expr rows, Expr cols,
                                     Expr depth, bool rows_adjacent);
// A product of few results over a long depth, each part of which is summed by workgroups of its
// own, in a step before the one that adds the parts up; nullopt where it never is one. Taken by
// GPUs only.
struct DepthParts {
  Expr parts;
  SizedForm form;
};
std::optional<DepthParts> depth_parts(ExprPool& exprs, Expr batches, Expr rows, Expr cols,
                                      Expr depth, bool rows_adjacent);
// Softmax and normalisation.
// For sums of integers that f32 might not hold.
std::vector<SizedForm> integer_product_forms(ExprPool& exprs, Expr batches, Expr rows, Expr cols);

Expr row_workgroups(ExprPool& exprs, Expr rows, Expr cols);
// `strided`: neighbouring outputs are neighbours in memory, the elements of one reduction are not.
std::vector<SizedForm> reduce_forms(ExprPool& exprs, Expr outer, Expr inner, bool strided);
// Running combinations; `segments` of a line are each a workgroup's.
std::vector<SizedForm> scan_forms(ExprPool& exprs, Expr lines, Expr length, Expr segments,
                                  bool strided);

}  // namespace subbyte
