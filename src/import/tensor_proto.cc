#include "import/tensor_proto.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "base/text.h"
#include "import/names.h"
#include "import/narrow_types.h"
#include "import/wire_reader.h"

namespace subbyte {

namespace {

// How a dtype's elements are stored when they are not raw (onnx.proto, TensorProto): in which
// field, and how many numbers of that field make one element.
struct TypedStorage {
  std::uint32_t field = 0;
  std::string_view name;
  std::size_t fixed_width = 0;  // bytes of a number on the wire; 0: varints
  std::int64_t per_element = 1;
  // Range of a varint, for dtypes that are narrower than their field.
  std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
  std::int64_t highest = std::numeric_limits<std::int64_t>::max();
};

template <typename T>
TypedStorage in_int32() {
  return {wire::kInt32Data,
          "int32_data",
          0,
          1,
          std::numeric_limits<T>::min(),
          std::numeric_limits<T>::max()};
}

TypedStorage storage_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return {wire::kFloatData, "float_data", 4};
    case DType::complex64:
      return {wire::kFloatData, "float_data", 4, 2};
    case DType::float64:
      return {wire::kDoubleData, "double_data", 8};
    case DType::complex128:
      return {wire::kDoubleData, "double_data", 8, 2};
    case DType::uint8:
      return in_int32<std::uint8_t>();
    case DType::int8:
      return in_int32<std::int8_t>();
    case DType::uint16:
    case DType::float16:   // as bit patterns
    case DType::bfloat16:  // as bit patterns
      return in_int32<std::uint16_t>();
    case DType::int16:
      return in_int32<std::int16_t>();
    case DType::int32:
      return in_int32<std::int32_t>();
    case DType::boolean:
      return in_int32<bool>();
    case DType::int64:
      return {wire::kInt64Data, "int64_data"};
    case DType::uint32:
      return {wire::kUint64Data, "uint64_data", 0, 1, 0, std::numeric_limits<std::uint32_t>::max()};
    case DType::uint64:
      return {wire::kUint64Data, "uint64_data"};
    case DType::float4e2m1:  // narrow_types.h
    case DType::float8e4m3fn:
    case DType::float8e4m3fnuz:
    case DType::float8e5m2:
    case DType::float8e5m2fnuz:
    case DType::float8e8m0:
    case DType::int2:
    case DType::int4:
    case DType::string:
    case DType::uint2:
    case DType::uint4:
    case DType::undefined:
      break;
  }
  return {};
}

struct TypedData {
  Bytes view;                     // where one run holds everything
  std::vector<std::byte> copied;  // else
  std::int64_t numbers = 0;
};

Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

Expected<TypedData> read_fixed(const wire::TensorProto& proto, const TypedStorage& storage) {
  TypedData data;
  SUBBYTE_CHECK_OK(wire::read_fields(proto.message, "TensorProto", [&](wire::Field& field) {
    if (field.tag() != storage.field) return;
    const Bytes run = as_bytes(field.fixed_bytes(storage.name, storage.fixed_width));
    if (run.empty()) return;
    if (data.numbers == 0) {
      data.view = run;
    } else {
      if (data.copied.empty()) data.copied.assign(data.view.begin(), data.view.end());
      data.copied.insert(data.copied.end(), run.begin(), run.end());
    }
    data.numbers += static_cast<std::int64_t>(run.size() / storage.fixed_width);
  }));
  return data;
}

// Copies at most `expected` numbers and counts the rest, so a tensor costs no more than its dims
// say.
Expected<TypedData> read_varints(const wire::TensorProto& proto, const TypedStorage& storage,
                                 DType dtype, std::int64_t expected) {
  const std::size_t width = dtype_size(dtype);
  TypedData data;
  SUBBYTE_CHECK_OK(wire::read_fields(proto.message, "TensorProto", [&](wire::Field& field) {
    if (field.tag() != storage.field) return;
    field.for_each_varint(storage.name, [&](std::uint64_t bits) {
      const std::int64_t index = data.numbers++;
      if (index >= expected) return;
      // An int32 that is negative arrives sign-extended to 64 bits.
      const auto value = static_cast<std::int64_t>(bits);
      if (value < storage.lowest || value > storage.highest) {
        return field.fail(Error{fmt::format("element {} is {}, but {} holds {} to {}", index, value,
                                            dtype_name(dtype), storage.lowest, storage.highest)});
      }
      std::byte element[sizeof bits];
      std::memcpy(element, &bits, sizeof bits);
      data.copied.insert(data.copied.end(), element, element + width);
    });
  }));
  return data;
}

Expected<Tensor> read_typed(const wire::TensorProto& proto, Tensor tensor, std::int64_t elements,
                            const TensorSource& source) {
  const TypedStorage storage = storage_of(tensor.dtype);
  if (const std::uint32_t others = proto.typed_data & ~(1U << storage.field); others != 0) {
    return fail("its elements are not in {}, where ONNX stores a {} tensor", storage.name,
                dtype_name(tensor.dtype));
  }
  // elements * size was checked to fit, so twice the elements of a complex dtype do too.
  const std::int64_t expected = elements * storage.per_element;
  TypedData data;
  if (storage.fixed_width != 0) {
    SUBBYTE_TRY(data, read_fixed(proto, storage));
  } else {
    SUBBYTE_TRY(data, read_varints(proto, storage, tensor.dtype, expected));
  }
  if (data.numbers != expected) {
    return fail("{} has {} numbers, but its dims need {}", storage.name, data.numbers, expected);
  }
  if (data.copied.empty()) {
    tensor.data = data.view;
    tensor.owner = source.owner;
    return tensor;
  }
  return make_tensor(tensor.dtype, std::move(tensor.dims), std::move(data.copied));
}

Expected<Tensor> read_raw(const wire::TensorProto& proto, Tensor tensor, std::int64_t size,
                          const TensorSource& source) {
  const Bytes raw = as_bytes(*proto.raw_data);
  if (raw.size() != static_cast<std::uint64_t>(size)) {
    return fail("raw_data has {} bytes, but its dims need {}", raw.size(), size);
  }
  tensor.data = raw;
  tensor.owner = source.owner;
  return tensor;
}

std::string dims_text(std::span<const std::int64_t> dims) {
  static constexpr std::size_t kShown = 16;
  if (dims.size() <= kShown) return fmt::format("[{}]", fmt::join(dims, ", "));
  return fmt::format("[{}, ...] ({} dims)", fmt::join(dims.first(kShown), ", "), dims.size());
}

Expected<Tensor> read_elements(const wire::TensorProto& proto, Tensor tensor,
                               TensorSource& source) {
  if (proto.segment) return fail("it is one segment of a tensor; subbyte reads whole tensors only");
  const std::optional<std::int64_t> elements = checked_product(tensor.dims);
  const auto element_size = static_cast<std::int64_t>(dtype_size(tensor.dtype));
  if (!elements || *elements > std::numeric_limits<std::int64_t>::max() /
                                   std::max<std::int64_t>(element_size, 1)) {
    return fail("its dims {} are negative or make more than 2^63 bytes", dims_text(tensor.dims));
  }
  if (tensor.dtype == DType::string) {
    if (proto.strings != *elements) {
      return fail("string_data has {} strings, but its dims need {}", proto.strings, *elements);
    }
    return tensor;
  }
  const std::int64_t size = *elements * element_size;
  if (proto.external) {
    SUBBYTE_TRY(ExternalBytes found, source.external.find(proto, static_cast<std::uint64_t>(size)));
    tensor.data = found.bytes;
    tensor.owner = std::move(found.owner);
    return tensor;
  }
  // An empty raw_data beside typed data is what some writers leave of a field that they cleared.
  const bool raw = proto.raw_data && !(proto.raw_data->empty() && proto.typed_data != 0);
  if (raw && proto.typed_data != 0) {
    return fail("it has both raw_data and typed data; ONNX allows one of them");
  }
  if (raw) return read_raw(proto, std::move(tensor), size, source);
  return read_typed(proto, std::move(tensor), *elements, source);
}

Expected<Tensor> read_narrow(const wire::TensorProto& proto, const NarrowType& type,
                             TensorSource& source) {
  const std::optional<std::int64_t> elements = checked_product(proto.dims);
  if (!elements || *elements > std::numeric_limits<std::int64_t>::max() / 8) {
    return fail("its dims {} are negative or make more than 2^63 bytes", dims_text(proto.dims));
  }
  // The bytes that hold them are read as those of a tensor of uint8.
  Tensor packed;
  packed.dtype = DType::uint8;
  packed.dims = {(*elements * type.bits + 7) / 8};
  SUBBYTE_TRY(packed, read_elements(proto, std::move(packed), source));
  return unpack_narrow(packed, type, proto.dims, *elements);
}

}  // namespace

std::optional<std::int64_t> checked_product(std::span<const std::int64_t> dims) {
  std::int64_t product = 1;
  bool zero = false, overflow = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    zero = zero || dim == 0;
    overflow = overflow || __builtin_mul_overflow(product, dim, &product);
  }
  if (zero) return 0;
  return overflow ? std::nullopt : std::optional(product);
}

Expected<DType> to_dtype(std::int64_t data_type, std::string_view what) {
  if (data_type < static_cast<std::int64_t>(DType::float32) ||
      data_type > static_cast<std::int64_t>(DType::bfloat16)) {
    return fail(
        "{} has the dtype {}, which subbyte does not read; it reads float32, float16, bfloat16, "
        "float64, "
        "bool, string, complex and the integers of 8 to 64 bits",
        what, onnx_dtype_name(data_type));
  }
  return static_cast<DType>(data_type);
}

Expected<Tensor> to_tensor(const wire::TensorProto& proto, std::string_view what,
                           TensorSource& source) {
  const std::string name =
      proto.name.empty() ? std::string(what) : fmt::format("tensor {}", quoted(proto.name));
  if (const auto narrow = narrow_type(proto.data_type)) {
    auto result = read_narrow(proto, *narrow, source);
    if (!result) return within(name, std::move(result.error()));
    return result;
  }
  Tensor tensor;
  SUBBYTE_TRY(tensor.dtype, to_dtype(proto.data_type, name));
  tensor.dims = proto.dims;
  auto result = read_elements(proto, std::move(tensor), source);
  if (!result) return within(name, std::move(result.error()));
  return result;
}

}  // namespace subbyte
