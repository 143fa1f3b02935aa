// Tensors made from nothing or from sizes: Constant, ConstantOfShape, Range, Shape, Size.
#include "reference/call.h"

namespace subbyte::reference {
namespace {

template <typename T>
Tensor tensor_of(DType dtype, Dims dims, std::span<const T> values) {
  std::vector<std::byte> bytes(values.size_bytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return make_tensor(dtype, std::move(dims), std::move(bytes));
}

// How many of first, first + step, ... lie before `limit`. Differences are taken in unsigned 64
// bits, where no pair of signed ones overflows.
template <typename T>
std::uint64_t count_steps(T first, T limit, T step) {
  const auto distance = [](T from, T to) {
    return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
  };
  if (step > 0 && first < limit)
    return (distance(first, limit) - 1) / static_cast<std::uint64_t>(step) + 1;
  if (step < 0 && limit < first)
    return (distance(limit, first) - 1) / (std::uint64_t{0} - static_cast<std::uint64_t>(step)) + 1;
  return 0;
}

}  // namespace

Result reference_constant(const Call& call) {
  const Node& node = call.node;
  if (const Tensor* value = node.tensor("value")) return one(*value);
  for (const Attribute& attribute : node.attributes) {
    if (attribute.name == "value_int") {
      if (const auto* value = std::get_if<std::int64_t>(&attribute.value))
        return one(tensor_of<std::int64_t>(DType::int64, {}, std::span(value, 1)));
    } else if (attribute.name == "value_float") {
      if (const auto* value = std::get_if<float>(&attribute.value))
        return one(tensor_of<float>(DType::float32, {}, std::span(value, 1)));
    } else if (attribute.name == "value_ints") {
      if (const auto* value = std::get_if<std::vector<std::int64_t>>(&attribute.value))
        return one(tensor_of<std::int64_t>(DType::int64, {static_cast<std::int64_t>(value->size())},
                                           *value));
    } else if (attribute.name == "value_floats") {
      if (const auto* value = std::get_if<std::vector<float>>(&attribute.value))
        return one(
            tensor_of<float>(DType::float32, {static_cast<std::int64_t>(value->size())}, *value));
    }
  }
  return fail(
      "Constant: there is no value that subbyte reads; it must be one of value, value_int, "
      "value_ints, "
      "value_float and value_floats");
}

// The element comes from the attribute `value`, a tensor of one element; float32 zero where it is
// absent.
Result reference_constant_of_shape(const Call& call) {
  SUBBYTE_TRY(const Dims dims, integer_list(call, 0));
  const Tensor* value = call.node.tensor("value");
  const DType dtype = value == nullptr ? DType::float32 : value->dtype;
  const std::size_t size = dtype_size(dtype);
  if (value != nullptr && (size == 0 || value->data.size() != size))
    return fail("{}: value is {} of shape {}; it must have one element", call.node.op_type,
                dtype_name(dtype), dims_text(value->dims));
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, dims));
  if (value != nullptr)
    for (std::size_t i = 0; i < bytes.size(); i += size)
      std::memcpy(bytes.data() + i, value->data.data(), size);
  return one(make_tensor(dtype, dims, std::move(bytes)));
}

// max(ceil((limit - start) / delta), 0) elements, start + i * delta.
Result reference_range(const Call& call) {
  const DType dtype = call.input(0).dtype;
  for (std::size_t i = 0; i < 3; ++i) {
    if (call.input(i).elements() != 1 || call.input(i).dtype != dtype)
      return fail(
          "{}: input {} is {} of shape {}; start, limit and delta must be scalars of one dtype",
          call.node.op_type, i, dtype_name(call.input(i).dtype), dims_text(call.input(i).dims));
  }
  std::uint64_t count = 0;
  bool delta_is_zero = false;
  bool finite = true;
  const bool known = with_numbers(dtype, [&]<typename T>(T) {
    const auto start = widen(element<T>(call.input(0), 0));
    const auto limit = widen(element<T>(call.input(1), 0));
    const auto delta = widen(element<T>(call.input(2), 0));
    delta_is_zero = delta == Computed<T>{0};
    if (delta_is_zero) return;
    if constexpr (is_float_element<T>) {
      finite = std::isfinite(start) && std::isfinite(limit) && std::isfinite(delta);
      if (finite) count = saturate<std::uint64_t>(std::ceil((limit - start) / delta));
    } else {
      count = count_steps(start, limit, delta);
    }
  });
  if (!known) return wrong_dtype(call, dtype);
  if (delta_is_zero) return fail("{}: delta is 0; it must not be", call.node.op_type);
  if (!finite) return fail("{}: start, limit and delta must be finite numbers", call.node.op_type);
  Dims dims{static_cast<std::int64_t>(std::min<std::uint64_t>(count, INT64_MAX))};
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, dims));
  with_numbers(dtype, [&]<typename T>(T) {
    const auto start = widen(element<T>(call.input(0), 0));
    const auto delta = widen(element<T>(call.input(2), 0));
    for (std::uint64_t i = 0; i < count; ++i) {
      if constexpr (is_float_element<T>) {
        elements_of<T>(bytes)[i] = narrow<T>(start + static_cast<double>(i) * delta);
      } else {
        elements_of<T>(bytes)[i] = wrapping_add(start, wrapping_mul(static_cast<T>(i), delta));
      }
    }
  });
  return one(make_tensor(dtype, std::move(dims), std::move(bytes)));
}

// The dimensions start .. end - 1.
Result reference_shape(const Call& call) {
  const Dims& dims = call.input(0).dims;
  const auto rank = static_cast<std::int64_t>(dims.size());
  const std::int64_t start = call.node.int_or("start", 0), end = call.node.int_or("end", rank);
  if (start < 0 || end < start || end > rank)
    return fail("{}: it starts at axis {} and ends before {}; a tensor of rank {} has axes 0 to {}",
                call.node.op_type, start, end, rank, rank - 1);
  const auto part = std::span(dims).subspan(static_cast<std::size_t>(start),
                                            static_cast<std::size_t>(end - start));
  return one(make_int64_tensor({end - start}, part));
}

Result reference_size(const Call& call) {
  const std::int64_t count = call.input(0).elements();
  return one(make_int64_tensor({}, std::span(&count, 1)));
}

}  // namespace subbyte::reference
