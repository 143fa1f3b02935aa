#include "plan/forms.h"

namespace subbyte {

namespace {

Expr ceil_div(ExprPool& e, Expr a, std::int64_t b) { return e.ceil_div(a, e.constant(b)); }

// Up to this many rows, reading B once for every four of them beats tiles.
constexpr std::int64_t kVectorRows = 8;

}  // namespace

KernelForm elementwise_form() { return {{"elementwise"}, {}, {}, {}}; }

Expr elementwise_workgroups(ExprPool& exprs, Expr count) { return ceil_div(exprs, count, 256); }

std::vector<SizedForm> matmul_forms(ExprPool& e, Expr batches, Expr rows, Expr cols, Expr /*depth*/,
                                    bool /*packed*/) {
  const Expr few = e.less(rows, e.constant(kVectorRows + 1));
  const Expr vector_groups = e.mul(batches, e.mul(ceil_div(e, cols, 32), ceil_div(e, rows, 4)));
  const Expr tile_groups = e.mul(batches, e.mul(ceil_div(e, cols, 64), ceil_div(e, rows, 64)));
  return {
      {{{"matmul_vector_sums", "matmul_vector_subgroup"}, {"subgroups"}, {"subgroups"}, {}},
       few,
       vector_groups},
      {{{"matmul_vector_sums", "matmul_vector"}, {}, {}, {}}, few, vector_groups},
      {{{"matmul_tile"}, {}, {}, {}}, e.constant(1), tile_groups},
  };
}

Expr row_workgroups(ExprPool& e, Expr rows, Expr cols) {
  // Short rows share a workgroup.
  const Expr together =
      e.select(e.less(cols, e.constant(65)), e.constant(16),
               e.select(e.less(cols, e.constant(257)), e.constant(4), e.constant(1)));
  return e.ceil_div(rows, together);
}

std::vector<SizedForm> reduce_forms(ExprPool& e, Expr outer, Expr inner, bool strided) {
  // An invocation a result keeps reads of neighbouring results together; for long reductions there
  // are too few.
  const Expr limit = e.constant(strided ? 512 : 8);
  return {
      {{{"reduce_column"}, {}, {}, {}},
       e.less(inner, e.add(limit, e.constant(1))),
       ceil_div(e, outer, 64)},
      {{{"reduce_row"}, {}, {}, {}}, e.constant(1), row_workgroups(e, outer, inner)},
  };
}

}  // namespace subbyte
