// TopK, NonMaxSuppression, Compress.
#include <algorithm>
#include <array>
#include <numeric>

#include "reference/call.h"

namespace subbyte::reference {
namespace {

// The first k of [0, length) as `before` orders them; of equals the first.
template <typename Before>
std::vector<std::int64_t> first_of(std::int64_t length, std::int64_t k, const Before& before) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(length));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, before);
  order.resize(static_cast<std::size_t>(k));
  return order;
}

// NaN is greater than all others.
template <typename C>
bool is_less(C a, C b) {
  if constexpr (std::is_same_v<C, double>) {
    if (std::isnan(a)) return false;
    if (std::isnan(b)) return true;
  }
  return a < b;
}

struct Corners {
  float y1, x1, y2, x2;
  float area() const { return (y2 - y1) * (x2 - x1); }
};

// A box of two corners, in whatever order, or of its middle and size.
Corners corners_of(std::span<const double> box, bool center) {
  std::array<float, 4> b{};
  for (std::size_t i = 0; i < 4; ++i) b[i] = static_cast<float>(box[i]);
  if (!center)
    return {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
  const float half_width = b[2] / 2, half_height = b[3] / 2;
  return {b[1] - half_height, b[0] - half_width, b[1] + half_height, b[0] + half_width};
}

// In float32, so that the same boxes fall as in a kernel and in ONNX Runtime.
bool overlap(const Corners& a, const Corners& b, float threshold) {
  const float height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  const float width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (!(height > 0) || !(width > 0)) return false;
  if (!(a.area() > 0) || !(b.area() > 0)) return false;
  const float shared = height * width;
  return shared / (a.area() + b.area() - shared) > threshold;
}

Expected<double> scalar(const Call& call, std::size_t i, double otherwise) {
  if (!call.has(i)) return otherwise;
  const auto values = read_doubles(call.input(i));
  if (values.size() != 1)
    return fail("{}: its input {} has {} elements; it must have one", call.node.op_type, i,
                values.size());
  return values[0];
}

}  // namespace

Result reference_top_k(const Call& call) {
  const Tensor& x = call.input(0);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, x.dims.size()));
  if (!call.has(1)) return fail("{}: its k is absent", call.node.op_type);
  SUBBYTE_TRY(const Dims given, integer_list(call, 1));
  const std::int64_t length = x.dims[axis], k = given.empty() ? -1 : given[0];
  if (given.size() != 1 || k < 0 || k > length)
    return fail("{}: its k is {}; it must be one number from 0 to {}, the length of axis {}",
                call.node.op_type, k, length, axis);
  const bool largest = call.node.int_or("largest", 1) != 0;
  Dims dims = x.dims;
  dims[axis] = k;
  SUBBYTE_TRY(auto values, allocate(call, x.dtype, dims));
  SUBBYTE_TRY(auto places, allocate(call, DType::int64, dims));
  const std::int64_t outer = product(x.dims, 0, axis);
  const std::int64_t inner = product(x.dims, axis + 1, x.dims.size());
  const bool known = with_numbers(x.dtype, [&]<typename T>(T) {
    for (std::int64_t o = 0; o < outer; ++o) {
      for (std::int64_t column = 0; column < inner; ++column) {
        const auto at = [&](std::int64_t i) {
          return widen(element<T>(x, (o * length + i) * inner + column));
        };
        const auto order = first_of(length, k, [&](std::int64_t a, std::int64_t b) {
          return largest ? is_less(at(b), at(a)) : is_less(at(a), at(b));
        });
        for (std::int64_t r = 0; r < k; ++r) {
          const std::int64_t from = order[static_cast<std::size_t>(r)];
          const std::int64_t to = (o * k + r) * inner + column;
          elements_of<T>(values)[to] = element<T>(x, (o * length + from) * inner + column);
          elements_of<std::int64_t>(places)[to] = from;
        }
      }
    }
  });
  if (!known) return wrong_dtype(call, x.dtype);
  std::vector<Tensor> outputs;
  outputs.push_back(make_tensor(x.dtype, dims, std::move(values)));
  outputs.push_back(make_tensor(DType::int64, std::move(dims), std::move(places)));
  return outputs;
}

// Of each batch and class the box of the greatest score, then the next that none before it overlaps
// by more than the threshold.
Result reference_non_max_suppression(const Call& call) {
  const Dims& b = call.input(0).dims;
  const Dims& s = call.input(1).dims;
  if (b.size() != 3 || s.size() != 3 || b[2] != 4 || b[0] != s[0] || b[1] != s[2])
    return fail(
        "{}: its boxes have shape {} and its scores {}; they must be [batch, boxes, 4] and "
        "[batch, classes, boxes]",
        call.node.op_type, dims_text(b), dims_text(s));
  SUBBYTE_TRY(const double most, scalar(call, 2, 0));
  SUBBYTE_TRY(const double overlap_threshold, scalar(call, 3, 0));
  SUBBYTE_TRY(const double least_score, scalar(call, 4, 0));
  const bool center = call.node.int_or("center_point_box", 0) != 0;
  const std::vector<double> boxes = read_doubles(call.input(0)),
                            scores = read_doubles(call.input(1));
  std::vector<std::int64_t> found;
  for (std::int64_t line = 0; line < s[0] * s[1]; ++line) {
    const auto score = [&](std::int64_t i) {
      return scores[static_cast<std::size_t>(line * s[2] + i)];
    };
    const auto box = [&](std::int64_t i) {
      const std::int64_t at = (line / s[1] * s[2] + i) * 4;
      return corners_of(std::span(boxes).subspan(static_cast<std::size_t>(at), 4), center);
    };
    const auto order = first_of(
        s[2], s[2], [&](std::int64_t i, std::int64_t j) { return is_less(score(j), score(i)); });
    std::vector<Corners> taken;
    for (const std::int64_t i : order) {
      if (static_cast<double>(taken.size()) >= most) break;
      if (call.has(4) && !(score(i) > least_score)) continue;
      const bool falls = std::ranges::any_of(taken, [&](const Corners& other) {
        return overlap(other, box(i), static_cast<float>(overlap_threshold));
      });
      if (falls) continue;
      taken.push_back(box(i));
      found.insert(found.end(), {line / s[1], line % s[1], i});
    }
  }
  const Dims dims{static_cast<std::int64_t>(found.size()) / 3, 3};
  SUBBYTE_CHECK_OK(output_bytes(call, DType::int64, dims));
  return one(make_int64_tensor(dims, found));
}

Result reference_compress(const Call& call) {
  const Tensor& x = call.input(0);
  const Tensor& condition = call.input(1);
  if (condition.dtype != DType::boolean || condition.dims.size() != 1)
    return fail("{}: its condition is {} of shape {}; it must be a vector of bools",
                call.node.op_type, dtype_name(condition.dtype), dims_text(condition.dims));
  Dims dims = x.dims;
  std::size_t axis = 0;
  if (call.node.find("axis") == nullptr) {
    dims = {x.elements()};
  } else {
    std::int64_t said = call.node.int_or("axis", 0);
    if (said < 0) said += static_cast<std::int64_t>(dims.size());
    if (said < 0 || said >= static_cast<std::int64_t>(dims.size()))
      return fail("{}: axis {} is out of range of a tensor of shape {}", call.node.op_type,
                  call.node.int_or("axis", 0), dims_text(x.dims));
    axis = static_cast<std::size_t>(said);
  }
  if (condition.dims[0] > dims[axis])
    return fail("{}: its condition has {} elements and the axis {}", call.node.op_type,
                condition.dims[0], dims[axis]);
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < condition.dims[0]; ++i)
    if (element<Bool>(condition, i).byte != 0) kept.push_back(i);
  const std::int64_t length = dims[axis], outer = product(dims, 0, axis);
  const std::size_t run =
      static_cast<std::size_t>(product(dims, axis + 1, dims.size())) * dtype_size(x.dtype);
  dims[axis] = static_cast<std::int64_t>(kept.size());
  SUBBYTE_TRY(auto bytes, allocate(call, x.dtype, dims));
  std::byte* out = bytes.data();
  for (std::int64_t o = 0; o < outer && run > 0; ++o) {
    for (const std::int64_t i : kept) {
      std::memcpy(out, x.data.data() + static_cast<std::size_t>(o * length + i) * run, run);
      out += run;
    }
  }
  return one(make_tensor(x.dtype, std::move(dims), std::move(bytes)));
}

}  // namespace subbyte::reference
