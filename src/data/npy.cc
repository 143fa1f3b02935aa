#include "data/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"
#include "graph/dtype.h"

namespace subbyte {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct Header {
  std::string_view descr, order, shape;
};

// The text between the first `open` and the next `close` after the key.
std::optional<std::string_view> after(std::string_view text, std::string_view key, char open,
                                      char close) {
  std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  at = text.find(':', at + key.size());
  if (at == std::string_view::npos) return std::nullopt;
  at = text.find(open, at);
  if (at == std::string_view::npos) return std::nullopt;
  const std::size_t end = text.find(close, at + 1);
  if (end == std::string_view::npos) return std::nullopt;
  return text.substr(at + 1, end - at - 1);
}

// The format calls for a literal of a Python dict with these three keys.
std::optional<Header> parse_header(std::string_view text) {
  const auto descr = after(text, "'descr'", '\'', '\'');
  const auto shape = after(text, "'shape'", '(', ')');
  const auto order = after(text, "'fortran_order'", ' ', ',');
  if (!descr || !shape || !order) return std::nullopt;
  return Header{*descr, *order, *shape};
}

std::optional<DType> dtype_of(std::string_view descr) {
  if (descr.size() < 3) return std::nullopt;
  const std::string_view type = descr.substr(1);
  // Of one byte any order will do.
  if (descr[0] != '<' && descr[0] != '|' && !(descr[0] == '>' && type[1] == '1'))
    return std::nullopt;
  constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"f2", DType::float16}, {"f4", DType::float32}, {"f8", DType::float64},
      {"i1", DType::int8},    {"i2", DType::int16},   {"i4", DType::int32},
      {"i8", DType::int64},   {"u1", DType::uint8},   {"u2", DType::uint16},
      {"u4", DType::uint32},  {"u8", DType::uint64},  {"b1", DType::boolean}};
  for (const auto& [name, dtype] : kTypes)
    if (type == name) return dtype;
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> dims_of(std::string_view shape) {
  constexpr std::size_t kMostAxes = 32;
  std::vector<std::int64_t> dims;
  while (true) {
    const std::size_t start = shape.find_first_not_of(" ,");
    if (start == std::string_view::npos) return dims;
    shape.remove_prefix(start);
    std::int64_t size = 0;
    const auto [end, failed] = std::from_chars(shape.data(), shape.data() + shape.size(), size);
    if (failed != std::errc() || size < 0 || dims.size() == kMostAxes) return std::nullopt;
    dims.push_back(size);
    shape.remove_prefix(static_cast<std::size_t>(end - shape.data()));
  }
}

// Bytes of so many elements; nullopt beyond what any file has.
std::optional<std::size_t> bytes_of(const std::vector<std::int64_t>& dims, std::size_t size) {
  std::size_t bytes = size;
  for (const std::int64_t dim : dims)
    if (__builtin_mul_overflow(bytes, static_cast<std::size_t>(dim), &bytes)) return std::nullopt;
  return bytes;
}

// Column-major elements in row-major order.
std::vector<std::byte> turned(Bytes data, const std::vector<std::int64_t>& dims, std::size_t size) {
  std::vector<std::byte> result(data.size());
  std::vector<std::size_t> strides(dims.size(), 1);
  for (std::size_t axis = 1; axis < dims.size(); ++axis)
    strides[axis] = strides[axis - 1] * static_cast<std::size_t>(dims[axis - 1]);
  for (std::size_t i = 0; i * size < data.size(); ++i) {
    std::size_t rest = i, at = 0;
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      const auto length = static_cast<std::size_t>(dims[axis]);
      at += rest % length * strides[axis];
      rest /= length;
    }
    std::memcpy(result.data() + i * size, data.data() + at * size, size);
  }
  return result;
}

}  // namespace

Expected<Tensor> read_npy(Bytes bytes, std::shared_ptr<const void> owner) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic) || bytes.size() < 12)
    return fail("it is no .npy file: it does not start as those do");
  const int version = std::to_integer<int>(bytes[6]);
  const std::size_t counted = version == 1 ? 2 : 4;
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 8, counted);
  const std::size_t start = 8 + counted;
  if (version < 1 || version > 3 || length > bytes.size() - start)
    return fail("its header is not one of .npy versions 1 to 3");
  const auto header = parse_header(text.substr(start, length));
  const auto dims = header ? dims_of(header->shape) : std::nullopt;
  if (!dims || (header->order != "True" && header->order != "False"))
    return fail("its header does not say dtype, order and shape");
  const auto dtype = dtype_of(header->descr);
  if (!dtype) {
    return fail(
        "its dtype {} is not one that models take; save it as float32, int64 or another "
        "little-endian number or bool",
        quoted(header->descr));
  }
  const std::size_t size = dtype_size(*dtype);
  const auto needed = bytes_of(*dims, size);
  const Bytes data = bytes.subspan(start + length);
  if (!needed || data.size() != *needed)
    return fail("it holds {} bytes of elements, and its shape ({}) of {} needs {}", data.size(),
                header->shape, dtype_name(*dtype), needed ? std::to_string(*needed) : "more");
  if (header->order == "True" && dims->size() > 1)
    return make_tensor(*dtype, *dims, turned(data, *dims, size));
  // Elements of a file that is mapped, or of an archive, may begin anywhere.
  if (reinterpret_cast<std::uintptr_t>(data.data()) % size != 0)
    return make_tensor(*dtype, *dims, {data.begin(), data.end()});
  return Tensor{*dtype, *dims, data, std::move(owner)};
}

}  // namespace subbyte
