// Products of few results over a long depth, which one workgroup a tile would walk alone.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "plan/product.h"

namespace subbyte {

struct ProductParts {
  DepthParts depth;
  TensorId sums = 0;  // of each part, [batches, parts, plane]
  Expr plane;         // rows * columns
};
// nullopt where the sizes never ask for it.
std::optional<ProductParts> product_parts(Lowering& lowering, const Product& p);

// The step that sums each part. `code` declares the operands and the sizes, batches() counting
// parts.
void add_part_sums(Lowering& lowering, const Kernel& kernel, StepCode& code, const Product& p,
                   const ProductParts& parts, const std::vector<std::string_view>& libraries);

// The step that adds the parts up and computes the epilogue.
Expected<void> add_sum_of_parts(Lowering& lowering, const Kernel& kernel, const Product& p,
                                const ProductParts& parts);

}  // namespace subbyte
