#include "reference/product.h"

#include <cmath>

#include "graph/node_form.h"

namespace subbyte::reference {
namespace {

// Row-major.
std::vector<double> read_matrix(const Matrix& m) {
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(m.rows * m.cols));
  with_floats(m.tensor.dtype, [&]<typename T>(T) {
    for (std::int64_t r = 0; r < m.rows; ++r)
      for (std::int64_t c = 0; c < m.cols; ++c)
        values.push_back(
            widen(element<T>(m.tensor, m.offset + r * m.row_stride + c * m.col_stride)));
  });
  return values;
}

template <typename T>
T integer_dot(const Matrix& a, const Matrix& b, std::int64_t row, std::int64_t col) {
  T sum = 0;
  for (std::int64_t k = 0; k < a.cols; ++k)
    sum = wrapping_add(
        sum, wrapping_mul(element<T>(a.tensor, a.offset + row * a.row_stride + k * a.col_stride),
                          element<T>(b.tensor, b.offset + k * b.row_stride + col * b.col_stride)));
  return sum;
}

Dims batch_of(const Dims& dims) { return Dims(dims.begin(), dims.end() - 2); }

// The element offset of matrix `index` (row-major in `batch`) in a tensor whose batch dimensions
// broadcast to it.
std::int64_t matrix_offset(const Dims& dims, const Dims& batch, std::int64_t index) {
  std::int64_t offset = 0;
  std::int64_t stride = dims[dims.size() - 1] * dims[dims.size() - 2];
  for (std::size_t i = batch.size(); i-- > 0;) {
    const std::int64_t position = index % batch[i];
    index /= batch[i];
    const std::size_t missing = batch.size() + 2 - dims.size();
    if (i < missing) break;
    const std::int64_t dim = dims[i - missing];
    if (dim != 1) offset += position * stride;
    stride *= dim;
  }
  return offset;
}

// Writes a matrix of `result`s at element `first`.
template <typename T>
void store(std::vector<std::byte>& bytes, std::int64_t first, std::span<const double> values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    elements_of<T>(bytes)[static_cast<std::size_t>(first) + i] = narrow<T>(values[i]);
}

// Sums of whole numbers as int32, modulo 2^32; where weights have been rounded to other numbers,
// the nearest whole ones.
void store_integers(std::vector<std::byte>& bytes, std::int64_t first,
                    std::span<const double> values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    elements_of<std::int32_t>(bytes)[static_cast<std::size_t>(first) + i] =
        static_cast<std::int32_t>(saturate<std::int64_t>(std::nearbyint(values[i])));
}

Expected<void> check_dtypes(const Call& call) {
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    if (call.has(i) && call.input(i).dtype != call.input(0).dtype)
      return fail("{}: inputs 0 and {} are {} and {}; they must have one dtype", call.node.op_type,
                  i, dtype_name(call.input(0).dtype), dtype_name(call.input(i).dtype));
  }
  return {};
}

}  // namespace

// Row by row of B, so that memory is read as it lies.
std::vector<double> multiply(const Matrix& a, const Matrix& b) {
  std::vector<double> out(static_cast<std::size_t>(a.rows * b.cols));
  const std::vector<double> left = read_matrix(a), right = read_matrix(b);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    double* const row = out.data() + r * b.cols;
    for (std::int64_t k = 0; k < a.cols; ++k) {
      const double factor = left[static_cast<std::size_t>(r * a.cols + k)];
      const double* const from = right.data() + k * b.cols;
      for (std::int64_t c = 0; c < b.cols; ++c) row[c] += factor * from[c];
    }
  }
  return out;
}

// A vector on the left is a matrix of one row, one on the right of one column; that axis is then
// dropped.
Result reference_matmul(const Call& call) {
  const DType dtype = call.input(0).dtype;
  SUBBYTE_CHECK_OK(check_dtypes(call));
  Dims a = call.input(0).dims;
  Dims b = call.input(1).dims;
  if (a.empty() || b.empty())
    return fail("{}: the inputs have shapes {} and {}; neither may be a scalar", call.node.op_type,
                dims_text(a), dims_text(b));
  const bool left_is_vector = a.size() == 1, right_is_vector = b.size() == 1;
  if (left_is_vector) a.insert(a.begin(), 1);
  if (right_is_vector) b.push_back(1);
  const std::int64_t m = a[a.size() - 2], k = a.back(), n = b.back();
  if (k != b[b.size() - 2])
    return fail("{}: the shapes {} and {} do not multiply; {} columns meet {} rows",
                call.node.op_type, dims_text(call.input(0).dims), dims_text(call.input(1).dims), k,
                b[b.size() - 2]);
  SUBBYTE_TRY(const Dims batch, broadcast_dims(call, batch_of(a), batch_of(b)));
  Dims dims = batch;
  if (!left_is_vector) dims.push_back(m);
  if (!right_is_vector) dims.push_back(n);
  const bool integer = sums_integers(call.node);
  const DType sums = integer ? DType::int32 : dtype;
  SUBBYTE_TRY(auto bytes, allocate(call, sums, dims));
  const std::int64_t matrices = bytes.empty() ? 0 : product(batch, 0, batch.size());
  bool known = with_floats(dtype, [](auto) {}) || with_integers(dtype, [](auto) {});
  if (!known) return wrong_dtype(call, dtype);
  for (std::int64_t i = 0; i < matrices; ++i) {
    const Matrix left{call.input(0), m, k, k, 1, matrix_offset(a, batch, i)};
    const Matrix right{call.input(1), k, n, n, 1, matrix_offset(b, batch, i)};
    const std::int64_t first = i * m * n;
    with_floats(dtype, [&]<typename T>(T) {
      if (integer) {
        store_integers(bytes, first, multiply(left, right));
      } else {
        store<T>(bytes, first, multiply(left, right));
      }
    });
    with_integers(dtype, [&]<typename T>(T) {
      for (std::int64_t e = 0; e < m * n; ++e)
        elements_of<T>(bytes)[first + e] = integer_dot<T>(left, right, e / n, e % n);
    });
  }
  return one(make_tensor(sums, std::move(dims), std::move(bytes)));
}

// alpha * A' * B' + beta * C, rounded once; A' is A or, with transA, its transpose. C broadcasts to
// [M, N].
Result reference_gemm(const Call& call) {
  const Tensor& a = call.input(0);
  const Tensor& b = call.input(1);
  const DType dtype = a.dtype;
  SUBBYTE_CHECK_OK(check_dtypes(call));
  if (a.dims.size() != 2 || b.dims.size() != 2)
    return fail("{}: the inputs have shapes {} and {}; both must be matrices", call.node.op_type,
                dims_text(a.dims), dims_text(b.dims));
  const auto matrix = [](const Tensor& t, bool transposed) {
    if (transposed) return Matrix{t, t.dims[1], t.dims[0], 1, t.dims[1]};
    return Matrix{t, t.dims[0], t.dims[1], t.dims[1], 1};
  };
  const Matrix left = matrix(a, call.node.int_or("transA", 0) != 0);
  const Matrix right = matrix(b, call.node.int_or("transB", 0) != 0);
  if (left.cols != right.rows)
    return fail("{}: the shapes {} and {} do not multiply; {} columns meet {} rows",
                call.node.op_type, dims_text(a.dims), dims_text(b.dims), left.cols, right.rows);
  const Dims dims{left.rows, right.cols};
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, dims));
  Tensor c;
  if (call.has(2)) {
    SUBBYTE_TRY(c, broadcast_to(call, call.input(2), dims));
  }
  const double alpha = call.node.float_or("alpha", 1.0f);
  const double beta = call.node.float_or("beta", 1.0f);
  const std::int64_t count = bytes.empty() ? 0 : left.rows * right.cols;

  bool known = with_floats(dtype, [&]<typename T>(T) {
    std::vector<double> values = multiply(left, right);
    for (std::int64_t i = 0; i < count; ++i) {
      double& value = values[static_cast<std::size_t>(i)];
      value *= alpha;
      if (call.has(2)) value += beta * widen(element<T>(c, i));
    }
    store<T>(bytes, 0, values);
  });
  known = known || with_integers(dtype, [&]<typename T>(T) {
            // Factors other than 1 leave the integers: truncated, and saturated at the type's
            // limits.
            const auto scaled = [](T value, double factor) {
              return factor == 1 ? value : saturate<T>(static_cast<double>(value) * factor);
            };
            for (std::int64_t i = 0; i < count; ++i) {
              const T sum = integer_dot<T>(left, right, i / right.cols, i % right.cols);
              T value = scaled(sum, alpha);
              if (call.has(2)) value = wrapping_add(value, scaled(element<T>(c, i), beta));
              elements_of<T>(bytes)[i] = value;
            }
          });
  if (!known) return wrong_dtype(call, dtype);
  return one(make_tensor(dtype, dims, std::move(bytes)));
}

}  // namespace subbyte::reference
