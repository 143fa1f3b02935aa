// MatMul and Gemm.
#include <map>

#include "calibrate/forms.h"
#include "calibrate/panels.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

// The products of all samples, those with one right operand together.
class Products {
 public:
  void add(std::int64_t depth, std::int64_t columns, const PanelSource& right,
           const ProductRows& left) {
    const auto [found, added] = index_.try_emplace(
        Key{right.b, depth, columns, right.row_stride, right.column_stride}, products_.size());
    if (added) products_.push_back({depth, columns, right, {}});
    products_[found->second].left.push_back(left);
  }
  void run(Machine& machine) const { multiply(products_, machine); }

 private:
  struct Key {
    const float* b;
    std::int64_t depth, columns, row_stride, column_stride;
    auto operator<=>(const Key&) const = default;
  };
  std::vector<Product> products_;
  std::map<Key, std::size_t> index_;
};

Dims batch_of(const Dims& dims) { return Dims(dims.begin(), dims.end() - 2); }

bool all_float32(const Call& call) {
  for (std::size_t i = 0; i < call.inputs.size(); ++i)
    if (call.has(i) && !is_float32(call.input(i))) return false;
  return true;
}

// A vector on the left is a matrix of one row, one on the right of one column.
Result matmul(const Call& call, Products& products, Machine& machine) {
  Dims a = call.input(0).dims, b = call.input(1).dims;
  if (!all_float32(call) || a.empty() || b.empty()) return Outputs();
  const bool left_is_vector = a.size() == 1, right_is_vector = b.size() == 1;
  if (left_is_vector) a.insert(a.begin(), 1);
  if (right_is_vector) b.push_back(1);
  const std::int64_t m = a[a.size() - 2], k = a.back(), n = b.back();
  if (k != b[b.size() - 2]) return Outputs();
  SUBBYTE_TRY(const Dims batch, broadcast_dims(call, batch_of(a), batch_of(b)));
  Dims dims = batch;
  if (!left_is_vector) dims.push_back(m);
  if (!right_is_vector) dims.push_back(n);
  SUBBYTE_TRY(Made made, make(call, machine, DType::float32, std::move(dims)));
  const std::int64_t matrices =
      made.tensor.data.empty() ? 0 : reference::product(batch, 0, batch.size());
  const float* const right = floats(call.input(1));
  if (b.size() == 2 || reference::product(b, 0, b.size() - 2) == 1) {
    // One right matrix, so that all rows of the left are those of one matrix.
    if (matrices > 0)
      products.add(k, n, {right, n, 1}, {floats(call.input(0)), k, matrices * m, made.floats(), n});
    return std::move(made).done();
  }
  for (std::int64_t i = 0; i < matrices; ++i) {
    products.add(
        k, n, {right + matrix_offset(b, batch, i), n, 1},
        {floats(call.input(0)) + matrix_offset(a, batch, i), k, m, made.floats() + i * m * n, n});
  }
  return std::move(made).done();
}

// What Gemm does besides: the transpose of its left operand, and alpha * AB + beta * C.
struct Gemm {
  std::optional<Scratch> transposed;
  float alpha = 1, beta = 1;
  std::optional<Tensor> c;
  float* result = nullptr;
  std::int64_t count = 0;
};

Result gemm(const Call& call, Products& products, Gemm& rest, Machine& machine) {
  const Dims& a = call.input(0).dims;
  const Dims& b = call.input(1).dims;
  if (!all_float32(call) || a.size() != 2 || b.size() != 2) return Outputs();
  const bool left_transposed = call.node.int_or("transA", 0) != 0;
  const bool right_transposed = call.node.int_or("transB", 0) != 0;
  const std::int64_t m = a[left_transposed ? 1 : 0], k = a[left_transposed ? 0 : 1];
  const std::int64_t n = b[right_transposed ? 0 : 1];
  if (k != b[right_transposed ? 1 : 0]) return Outputs();
  SUBBYTE_TRY(Made made, make(call, machine, DType::float32, {m, n}));
  rest.alpha = call.node.float_or("alpha", 1.0f);
  rest.beta = call.node.float_or("beta", 1.0f);
  if (call.has(2)) {
    SUBBYTE_TRY(rest.c, broadcast_to(call, call.input(2), made.tensor.dims));
  }
  rest.result = made.floats();
  rest.count = m * n;
  const float* left = floats(call.input(0));
  if (left_transposed) {
    float* const rows = rest.transposed.emplace(machine, m * k).data();
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < k; ++j) rows[i * k + j] = left[j * m + i];
    left = rows;
  }
  const PanelSource right = right_transposed ? PanelSource{floats(call.input(1)), 1, k}
                                             : PanelSource{floats(call.input(1)), n, 1};
  products.add(k, n, right, {left, k, m, made.floats(), n});
  return std::move(made).done();
}

void finish(const Gemm& gemm) {
  if (gemm.result == nullptr) return;
  if (gemm.alpha != 1) {
    for (std::int64_t i = 0; i < gemm.count; ++i) gemm.result[i] *= gemm.alpha;
  }
  if (!gemm.c) return;
  const float* const c = floats(*gemm.c);
  for (std::int64_t i = 0; i < gemm.count; ++i) gemm.result[i] += gemm.beta * c[i];
}

}  // namespace

Expected<std::vector<Outputs>> product_form(Calls calls, Machine& machine) {
  Products products;
  std::vector<Gemm> rests(calls.size());
  std::vector<Outputs> results;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Result made = calls[i].node.op == Op::Gemm ? gemm(calls[i], products, rests[i], machine)
                                               : matmul(calls[i], products, machine);
    if (!made) return tl::unexpected(std::move(made.error()));
    results.push_back(std::move(*made));
  }
  products.run(machine);
  for (const Gemm& rest : rests) finish(rest);
  return results;
}

}  // namespace subbyte::calibrate
