// What the lowerings of products share (MatMul, Gemm, Conv, ConvTranspose): everything around
// C[b, m, n] = sum over k of A[b, m, k] * B[b, n, k], which the matrix bodies of docs/kernels.md
// compute.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/lowering.h"

namespace subbyte {

struct Product {
  Expr batches, rows, cols, depth;
  // Row n of B in batch b is row (b / repeats % groups) * cols + first_row + n of the stored
  // weight; without one, of load_b. Of several groups there is no first row.
  std::optional<WeightId> weight;
  std::int64_t groups = 1;
  std::int64_t first_row = 0;
  std::optional<Expr> repeats = {};  // 1
  // C's row-major order within the result, by the names b, m and n, and the result seen so.
  Frame result;
  std::vector<ViewStep> result_path;
  // Neighbouring rows of A and of C, not columns, are neighbours in memory.
  bool rows_adjacent = false;
  // The result is alpha * C + beta * addend, the addend broadcast through its path.
  // The sums are whole numbers, given as i32. Where sums of f32 might not be exact they are summed
  // in i32, modulo 2^32.
  bool integer = false;
  bool in_words = false;
  float alpha = 1, beta = 1;
  ValueId addend = kNone;
  std::vector<ViewStep> addend_path;
};

// Makes the sums those of a node that sums_integers(), if it does.
void sum_integers(Lowering& lowering, const Node& node, Product& product);

// "fn NAME(b, ROW, k) -> vec4<f32>" for rows of an operand that a value is through a path: one load
// of four where the values lie so, else four loads.
Expected<void> declare_operand(Lowering& lowering, StepCode& code, ValueId value,
                               const Frame& frame, const std::vector<ViewStep>& path, Expr depth,
                               const std::string& name);

// store(b, m, n, value): what the kernel stores of the value of C.
Expected<void> declare_epilogue(Lowering& lowering, StepCode& code, const Kernel& kernel,
                                const Product& product);

// Appends the steps: sizes, B, the epilogue and the forms. load_a, and load_b where there is no
// stored weight, are declared by the caller.
Expected<void> add_product(Lowering& lowering, const Kernel& kernel, StepCode& code,
                           const Product& product);

// Notes that a product reads a packed weight by elements, for it is not stored as it multiplies it.
void note_read_by_elements(Lowering& lowering, const Kernel& kernel, ValueId constant);

ViewStep reshaped(std::vector<Expr> shape);
ViewStep expanded(std::vector<Expr> shape);
ViewStep permuted(std::vector<std::int64_t> permutation);

}  // namespace subbyte
