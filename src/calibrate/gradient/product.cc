// Gradients of MatMul and Gemm: dA = dY B^T, dB = A^T dY.
#include "calibrate/forms.h"
#include "calibrate/gradient/gradient.h"
#include "calibrate/panels.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

void transpose(const float* from, std::int64_t rows, std::int64_t columns, float* to) {
  constexpr std::int64_t kBlock = 16;
  for (std::int64_t first = 0; first < columns; first += kBlock) {
    const std::int64_t end = std::min(columns, first + kBlock);
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = first; c < end; ++c) to[c * rows + r] = from[r * columns + c];
  }
}

void add(const float* from, float factor, std::int64_t count, float* to, Machine& machine) {
  for_elements(count, 1, machine, [&](std::int64_t first, std::int64_t end) {
    for (std::int64_t i = first; i < end; ++i) to[i] += factor * from[i];
  });
}

struct Matrices {
  std::int64_t m = 1, k = 1, n = 1;
  std::vector<std::int64_t> a{}, b{}, y{};  // where each product's matrices begin
};

// One right matrix makes one product of all rows.
Matrices matrices_of(const GradientCall& call) {
  Dims a = call.input(0).dims, b = call.input(1).dims, y = call.outputs[0]->dims;
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  Matrices found{a[a.size() - 2], a.back(), b.back()};
  const std::int64_t in_all =
      call.outputs[0]->elements() / std::max<std::int64_t>(1, found.m * found.n);
  if (reference::product(b, 0, b.size() - 2) == 1 &&
      reference::product(a, 0, a.size() - 2) == in_all) {
    found.m *= in_all;
    found.a = found.b = found.y = {0};
    return found;
  }
  Dims batch = y;
  if (call.input(0).dims.size() > 1) batch.pop_back();
  if (call.input(1).dims.size() > 1) batch.pop_back();
  for (std::int64_t i = 0; i < in_all; ++i) {
    found.a.push_back(matrix_offset(a, batch, i));
    found.b.push_back(matrix_offset(b, batch, i));
    found.y.push_back(i * found.m * found.n);
  }
  return found;
}

void matmul(const GradientCall& call, Machine& machine) {
  if (call.outputs[0]->data.empty()) return;
  const Matrices all = matrices_of(call);
  const auto count = static_cast<std::int64_t>(all.y.size());
  const std::int64_t m = all.m, k = all.k, n = all.n;
  const float* const a = floats(call.input(0));
  const float* const b = floats(call.input(1));
  if (call.wants(0)) {
    Scratch found(machine, count * m * k);
    std::vector<Product> products;
    for (std::size_t i = 0; i < all.y.size(); ++i) {
      float* const to = found.data() + static_cast<std::int64_t>(i) * m * k;
      products.push_back({n, k, {b + all.b[i], 1, n}, {{call.lost[0] + all.y[i], n, m, to, k}}});
    }
    multiply(products, machine);
    for (std::size_t i = 0; i < all.y.size(); ++i)
      add(found.data() + static_cast<std::int64_t>(i) * m * k, 1, m * k, call.into[0] + all.a[i],
          machine);
  }
  if (call.wants(1)) {
    Scratch found(machine, count * k * n), turned(machine, count * k * m);
    std::vector<Product> products;
    for (std::size_t i = 0; i < all.y.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      float* const left = turned.data() + at * k * m;
      transpose(a + all.a[i], m, k, left);
      products.push_back(
          {m, n, {call.lost[0] + all.y[i], n, 1}, {{left, m, k, found.data() + at * k * n, n}}});
    }
    multiply(products, machine);
    for (std::size_t i = 0; i < all.y.size(); ++i)
      add(found.data() + static_cast<std::int64_t>(i) * k * n, 1, k * n, call.into[1] + all.b[i],
          machine);
  }
}

// Y = alpha A' B' + beta C, A' and B' transposed where the node says so.
void gemm(const GradientCall& call, Machine& machine) {
  const bool a_turned = call.node.int_or("transA", 0) != 0;
  const bool b_turned = call.node.int_or("transB", 0) != 0;
  const float alpha = call.node.float_or("alpha", 1.0f), beta = call.node.float_or("beta", 1.0f);
  const Dims& y = call.outputs[0]->dims;
  const std::int64_t m = y[0], n = y[1], k = call.input(0).dims[a_turned ? 0 : 1];
  const float* const lost = call.lost[0];
  if (call.outputs[0]->data.empty()) return;
  if (call.wants(0)) {
    Scratch found(machine, m * k), turned(machine, m * k);
    const PanelSource right = b_turned ? PanelSource{floats(call.input(1)), k, 1}
                                       : PanelSource{floats(call.input(1)), 1, n};
    const Product product{n, k, right, {{lost, n, m, found.data(), k}}};
    multiply(std::span(&product, 1), machine);
    if (a_turned) transpose(found.data(), m, k, turned.data());
    add(a_turned ? turned.data() : found.data(), alpha, m * k, call.into[0], machine);
  }
  if (call.wants(1)) {
    Scratch found(machine, k * n), turned(machine, std::max(k * n, m * k));
    const float* left = floats(call.input(0));
    if (!a_turned) {
      transpose(left, m, k, turned.data());
      left = turned.data();
    }
    const Product product{m, n, {lost, n, 1}, {{left, m, k, found.data(), n}}};
    multiply(std::span(&product, 1), machine);
    if (b_turned) transpose(found.data(), k, n, turned.data());
    add(b_turned ? turned.data() : found.data(), alpha, k * n, call.into[1], machine);
  }
  if (call.wants(2)) {
    Scratch scaled(machine, m * n);
    for (std::int64_t i = 0; i < m * n; ++i) scaled.data()[i] = beta * lost[i];
    add_reduced(scaled.data(), y, call.input(2).dims, call.into[2]);
  }
}

}  // namespace

Expected<void> product_gradient(const GradientCall& call, Machine& machine) {
  if (call.node.op == Op::Gemm) {
    gemm(call, machine);
  } else {
    matmul(call, machine);
  }
  return {};
}

}  // namespace subbyte::calibrate
