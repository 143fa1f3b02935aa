// Matrix products.
#include "graph/infer/node_infer.h"
#include "graph/node_form.h"

namespace subbyte {
namespace {

Expected<Expr> shared_depth(NodeInfer& c, Expr a, Expr b, const Shape& left, const Shape& right) {
  return c.unify(
      a, b,
      fmt::format("it multiplies shapes {} and {}; their inner sizes {} and {} must be equal",
                  c.text(left), c.text(right), c.exprs.text(a), c.exprs.text(b)));
}

// Sets output 0: the product of inputs 0 and 1.
Expected<void> set_product(NodeInfer& c, DType dtype) {
  c.set(0, dtype, std::nullopt);
  if (c.shape(0) == nullptr || c.shape(1) == nullptr) return {};
  Shape a = *c.shape(0), b = *c.shape(1);
  if (a.empty() || b.empty()) {
    return fail("it multiplies shapes {} and {}; both must have a rank of at least 1", c.text(a),
                c.text(b));
  }
  // A vector is a matrix of one row on the left, of one column on the right, and that 1 is dropped
  // again.
  const bool left_vector = a.size() == 1, right_vector = b.size() == 1;
  if (left_vector) a.insert(a.begin(), c.one());
  if (right_vector) b.push_back(c.one());
  SUBBYTE_CHECK_OK(shared_depth(c, a[a.size() - 1], b[b.size() - 2], *c.shape(0), *c.shape(1)));
  SUBBYTE_TRY(Shape result,
              broadcast_shapes(c, Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2)));
  if (!left_vector) result.push_back(a[a.size() - 2]);
  if (!right_vector) result.push_back(b[b.size() - 1]);
  c.set(0, dtype, std::move(result));
  return {};
}

}  // namespace

Expected<void> infer_matmul(NodeInfer& c) {
  SUBBYTE_TRY(const DType dtype, c.same_dtype(0, 2));
  return set_product(c, sums_integers(c.node) ? DType::int32 : dtype);
}

Expected<void> infer_matmul_integer(NodeInfer& c) { return set_product(c, DType::int32); }

Expected<void> infer_gemm(NodeInfer& c) {
  SUBBYTE_TRY(const DType dtype, c.same_dtype(0, 3));
  c.set(0, dtype, std::nullopt);
  if (c.shape(0) == nullptr || c.shape(1) == nullptr) return {};
  const Shape& a = *c.shape(0);
  const Shape& b = *c.shape(1);
  if (a.size() != 2 || b.size() != 2) {
    return fail("it multiplies shapes {} and {}; both must have rank 2", c.text(a), c.text(b));
  }
  const bool a_across = c.node.int_or("transA", 0) != 0, b_across = c.node.int_or("transB", 0) != 0;
  SUBBYTE_CHECK_OK(shared_depth(c, a[a_across ? 0 : 1], b[b_across ? 1 : 0], a, b));
  Shape result{a[a_across ? 1 : 0], b[b_across ? 0 : 1]};
  if (c.shape(2) != nullptr) {
    SUBBYTE_CHECK_OK(broadcast_into(c, *c.shape(2), result, "its third input"));
  }
  c.set(0, dtype, std::move(result));
  return {};
}

}  // namespace subbyte
