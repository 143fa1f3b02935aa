#include "passes/unpack_blocks.h"

#include <algorithm>
#include <numeric>

#include "graph/arithmetic.h"
#include "graph/grid.h"
#include "graph/ops.h"
#include "reference/element.h"

namespace subbyte {
namespace {

using Numbers = std::vector<std::int64_t>;

// As many bytes of codes as fit memory, so that sizes from attributes do not overflow.
constexpr std::int64_t kMostElements = std::int64_t{1} << 40;

std::size_t index_of(std::int64_t i) { return static_cast<std::size_t>(i); }

// An attribute that is a size.
Expected<std::int64_t> size_attribute(const Node& node, std::string_view name,
                                      std::int64_t otherwise = 0) {
  const std::int64_t value = node.int_or(name, otherwise);
  if (value < 1 || value > INT32_MAX)
    return fail("its {} is {}; it must be in [1, {}]", name, value, INT32_MAX);
  return value;
}

}  // namespace

Expected<const Tensor*> constant_input(Speller& s, std::size_t i, std::string_view what) {
  const Tensor* tensor = s.node().has_input(i) ? s.constant(s.input(i)) : nullptr;
  if (tensor == nullptr)
    return fail("its input {}, {}, is no constant; packed weights must be constants", i, what);
  return tensor;
}

std::vector<std::byte> unpack_rows(Bytes packed, std::int64_t rows, std::int64_t row_bytes,
                                   std::int64_t count, int bits) {
  const auto per_byte = static_cast<std::int64_t>(8 / bits);
  const auto mask = static_cast<unsigned>((1 << bits) - 1);
  std::vector<std::byte> codes(index_of(rows * count));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto byte = std::to_integer<unsigned>(packed[index_of(r * row_bytes + i / per_byte)]);
      const auto shift = static_cast<unsigned>(i % per_byte) * static_cast<unsigned>(bits);
      codes[index_of(r * count + i)] = static_cast<std::byte>(byte >> shift & mask);
    }
  }
  return codes;
}

std::vector<float> level_numbers(const Tensor& tensor) {
  std::vector<float> values(index_of(tensor.elements()));
  read_floats(tensor, 0, tensor.elements(), values.data());
  return values;
}

std::vector<float> level_numbers(const std::vector<std::byte>& codes) {
  std::vector<float> values;
  values.reserve(codes.size());
  for (const std::byte code : codes) values.push_back(std::to_integer<std::uint8_t>(code));
  return values;
}

ValueId add_floats(Speller& s, CodeGrid grid, DType dtype, ValueId packed) {
  const std::int64_t count = grid.codes.elements();
  std::vector<float> values(index_of(count));
  if (count > 0) read_grid(grid, 0, count, values.data());
  std::vector<std::byte> bytes(values.size() * dtype_size(dtype));
  reference::with_floats(dtype, [&]<typename T>(T) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const T element = reference::narrow<T>(static_cast<reference::Computed<T>>(values[i]));
      std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
    }
  });
  Tensor tensor = make_tensor(dtype, grid.codes.dims, std::move(bytes));
  tensor.grid = std::make_shared<const CodeGrid>(std::move(grid));
  const ValueId weights = s.constant("weights", std::move(tensor));
  s.take_name(weights, packed);
  return weights;
}

namespace {

Expected<void> check_bytes(const Tensor& tensor, std::string_view what, std::int64_t elements) {
  if (tensor.elements() == elements) return {};
  return fail("its {} have {} elements; its sizes need {}", what, tensor.elements(), elements);
}

Expected<void> check_scales(const Tensor& scales) {
  if (is_float(scales.dtype)) return {};
  return fail("its scales are {}; they must be floats", dtype_name(scales.dtype));
}

// A * W', and the bias, where W is [N, K].
void finish_product(Speller& s, ValueId a, ValueId weights, ValueId bias) {
  const ValueId across = s.add(Op::Transpose, "across", {weights}, {{"perm", Numbers{1, 0}}});
  if (bias == kNone) {
    s.finish(Op::MatMul, {a, across});
  } else {
    s.finish(Op::Add, {s.add(Op::MatMul, "product", {a, across}), bias});
  }
}

struct NBits {
  std::int64_t n = 0, k = 0, block = 0, blocks = 0;
  int bits = 4;
};

Expected<NBits> nbits_of(const Node& node) {
  NBits sizes;
  SUBBYTE_TRY(sizes.n, size_attribute(node, "N"));
  SUBBYTE_TRY(sizes.k, size_attribute(node, "K"));
  SUBBYTE_TRY(sizes.block, size_attribute(node, "block_size"));
  const std::int64_t bits = node.int_or("bits", 4);
  if (bits != 2 && bits != 4 && bits != 8)
    return fail("its bits are {}; supported are 2, 4 and 8", bits);
  if (sizes.block < 16 || (sizes.block & (sizes.block - 1)) != 0)
    return fail("its block_size is {}; it must be a power of two of at least 16", sizes.block);
  if (node.int_or("weight_prepacked", 0) != 0)
    return fail(
        "its weight_prepacked is {}: its weights are packed for one machine; supported is 0",
        node.int_or("weight_prepacked", 0));
  sizes.bits = static_cast<int>(bits);
  sizes.blocks = (sizes.k + sizes.block - 1) / sizes.block;
  if (saturating_mul(sizes.n, sizes.blocks * sizes.block) > kMostElements)
    return fail("its N of {} and K of {} make more weights than can be read", sizes.n, sizes.k);
  return sizes;
}

// [N, blocks]: packed as the weights are, or floats.
Expected<std::vector<float>> zero_points_of(Speller& s, const NBits& sizes) {
  const auto middle = static_cast<float>(1 << (sizes.bits - 1));
  if (!s.node().has_input(3)) return std::vector<float>(index_of(sizes.n * sizes.blocks), middle);
  SUBBYTE_TRY(const Tensor* zeros, constant_input(s, 3, "its zero points"));
  if (is_float(zeros->dtype)) {
    SUBBYTE_CHECK_OK(check_bytes(*zeros, "zero points", sizes.n * sizes.blocks));
    return level_numbers(*zeros);
  }
  if (zeros->dtype != DType::uint8)
    return fail("its zero points are {}; they must be uint8 or floats", dtype_name(zeros->dtype));
  const std::int64_t row = (sizes.blocks * sizes.bits + 7) / 8;
  SUBBYTE_CHECK_OK(check_bytes(*zeros, "zero points", sizes.n * row));
  return level_numbers(unpack_rows(zeros->data, sizes.n, row, sizes.blocks, sizes.bits));
}

// The order in which columns of the weights stand by groups; empty where they do so.
Expected<Numbers> order_of(Speller& s, const NBits& sizes) {
  if (!s.node().has_input(4)) return Numbers{};
  SUBBYTE_TRY(const Tensor* groups, constant_input(s, 4, "g_idx"));
  const auto group = integer_values(*groups);
  if (!group || static_cast<std::int64_t>(group->size()) < sizes.k)
    return fail("its g_idx must be {} integers", sizes.k);
  Numbers order(index_of(sizes.k));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::int64_t k) { return (*group)[index_of(k)]; });
  for (std::int64_t k = 0; k < sizes.k; ++k) {
    if ((*group)[index_of(order[index_of(k)])] == k / sizes.block) continue;
    return fail(
        "its g_idx gives groups other numbers of columns than block_size, {}; supported are "
        "groups that are full",
        sizes.block);
  }
  if (std::ranges::is_sorted(order)) return Numbers{};
  return order;
}

// The columns of a matrix in another order.
std::vector<std::byte> reordered(const std::vector<std::byte>& codes, const NBits& sizes,
                                 const Numbers& order) {
  std::vector<std::byte> result(codes.size());
  for (std::int64_t n = 0; n < sizes.n; ++n)
    for (std::int64_t k = 0; k < sizes.k; ++k)
      result[index_of(n * sizes.k + k)] = codes[index_of(n * sizes.k + order[index_of(k)])];
  return result;
}

// bitsandbytes, functional.py: the 4-bit types FP4 and NF4, as ONNX Runtime has them.
constexpr float kFp4[16] = {
    0.0f,  5.208333333e-03f,  0.66666667f,  1.0f,  0.33333333f,  0.5f,  0.16666667f,  0.25f,
    -0.0f, -5.208333333e-03f, -0.66666667f, -1.0f, -0.33333333f, -0.5f, -0.16666667f, -0.25f};
constexpr float kNf4[16] = {-1.0f,
                            -0.6961928009986877f,
                            -0.5250730514526367f,
                            -0.39491748809814453f,
                            -0.28444138169288635f,
                            -0.18477343022823334f,
                            -0.09105003625154495f,
                            0.0f,
                            0.07958029955625534f,
                            0.16093020141124725f,
                            0.24611230194568634f,
                            0.33791524171829224f,
                            0.44070982933044434f,
                            0.5626170039176941f,
                            0.7229568362236023f,
                            1.0f};

// A number for each `block` elements of [n, k], row-major, whose rows need not be whole blocks.
GridLevels flat_levels(const Tensor& scales, std::int64_t n, std::int64_t k, std::int64_t block) {
  if (k % block == 0) return {level_numbers(scales), {n, k / block}, {1, block}};
  const std::vector<float> each = level_numbers(scales);
  std::vector<std::byte> bytes(index_of(n * k) * sizeof(float));
  for (std::int64_t i = 0; i < n * k; ++i)
    std::memcpy(bytes.data() + index_of(i) * sizeof(float), &each[index_of(i / block)],
                sizeof(float));
  return levels_of(make_tensor(DType::float32, {n, k}, std::move(bytes)), {n, k});
}

}  // namespace

// B is [N, blocks, bytes of a block], its scales [N, blocks].
Expected<bool> unpack_matmul_nbits(Speller& s) {
  const Node& node = s.node();
  SUBBYTE_TRY(const NBits sizes, nbits_of(node));
  if (!node.has_input(0)) return fail("its input 0 is missing");
  SUBBYTE_TRY(const Tensor* packed, constant_input(s, 1, "its weights"));
  SUBBYTE_TRY(const Tensor* scales, constant_input(s, 2, "its scales"));
  const std::int64_t row = sizes.blocks * (sizes.block * sizes.bits / 8);
  if (dtype_size(packed->dtype) != 1 || !is_integer(packed->dtype))
    return fail("its weights are {}; they must be bytes", dtype_name(packed->dtype));
  SUBBYTE_CHECK_OK(check_bytes(*packed, "weights", sizes.n * row));
  SUBBYTE_CHECK_OK(check_scales(*scales));
  SUBBYTE_CHECK_OK(check_bytes(*scales, "scales", sizes.n * sizes.blocks));
  SUBBYTE_TRY(std::vector<float> zeros, zero_points_of(s, sizes));
  SUBBYTE_TRY(const Numbers order, order_of(s, sizes));
  std::vector<std::byte> codes = unpack_rows(packed->data, sizes.n, row, sizes.k, sizes.bits);
  ValueId a = s.input(0);
  if (!order.empty()) {
    codes = reordered(codes, sizes, order);
    a = s.add(Op::Gather, "ordered", {a, s.int64s("order", order)}, {{"axis", std::int64_t{-1}}});
  }
  const Numbers dims{sizes.n, sizes.blocks}, block{1, sizes.block};
  CodeGrid grid;
  grid.codes = make_tensor(DType::uint8, {sizes.n, sizes.k}, std::move(codes));
  grid.scales = {level_numbers(*scales), dims, block};
  grid.zeros = {std::move(zeros), dims, block};
  const DType dtype = scales->dtype;
  const ValueId weights = add_floats(s, std::move(grid), dtype, s.input(1));
  finish_product(s, a, weights, node.has_input(5) ? s.input(5) : kNone);
  return true;
}

// B is N * K codes, two a byte, the first in the high bits.
Expected<bool> unpack_matmul_bnb4(Speller& s) {
  const Node& node = s.node();
  SUBBYTE_TRY(const std::int64_t n, size_attribute(node, "N"));
  SUBBYTE_TRY(const std::int64_t k, size_attribute(node, "K"));
  SUBBYTE_TRY(const std::int64_t block, size_attribute(node, "block_size"));
  const std::int64_t type = node.int_or("quant_type", -1);
  if (type != 0 && type != 1)
    return fail("its quant_type is {}; supported are 0 (FP4) and 1 (NF4)", type);
  if (node.int_or("transB", 1) != 1)
    return fail("its transB is {}; it must be 1", node.int_or("transB", 1));
  const std::int64_t count = saturating_mul(n, k);
  if (count > kMostElements)
    return fail("its N of {} and K of {} make more weights than can be read", n, k);
  if (!node.has_input(0)) return fail("its input 0 is missing");
  SUBBYTE_TRY(const Tensor* packed, constant_input(s, 1, "its weights"));
  SUBBYTE_TRY(const Tensor* scales, constant_input(s, 2, "its scales"));
  if (packed->dtype != DType::uint8)
    return fail("its weights are {}; they must be uint8", dtype_name(packed->dtype));
  SUBBYTE_CHECK_OK(check_bytes(*packed, "weights", (count + 1) / 2));
  SUBBYTE_CHECK_OK(check_scales(*scales));
  SUBBYTE_CHECK_OK(check_bytes(*scales, "scales", (count + block - 1) / block));
  std::vector<std::byte> codes(index_of(count));
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = i % 2 == 0 ? packed->data[i / 2] >> 4 : packed->data[i / 2] & std::byte{15};
  CodeGrid grid;
  grid.codes = make_tensor(DType::uint8, {n, k}, std::move(codes));
  grid.scales = flat_levels(*scales, n, k, block);
  grid.zeros = uniform_levels(0, {n, k});
  grid.codebook.assign(std::begin(type == 0 ? kFp4 : kNf4), std::end(type == 0 ? kFp4 : kNf4));
  const DType dtype = scales->dtype;
  const ValueId weights = add_floats(s, std::move(grid), dtype, s.input(1));
  finish_product(s, s.input(0), weights, kNone);
  return true;
}

namespace {

// The codes of a table, or of its zero points: uint8 holds several of fewer bits along the last
// axis.
Expected<Tensor> unpacked_table(const Tensor& packed, int bits, std::string_view what) {
  if (packed.dtype != DType::uint8 || bits == 8) {
    if (integer_bits(packed.dtype) != 0 && integer_bits(packed.dtype) <= 8) return packed;
    return fail("its {} are {}; they must be integers of 8 bits or fewer", what,
                dtype_name(packed.dtype));
  }
  if (packed.dims.empty()) return fail("its {} are a scalar; they must have axes", what);
  Numbers dims = packed.dims;
  const std::int64_t row = dims.back(), rows = row == 0 ? 0 : packed.elements() / row;
  dims.back() = row * (8 / bits);
  return make_tensor(DType::uint8, dims, unpack_rows(packed.data, rows, row, dims.back(), bits));
}

}  // namespace

Expected<bool> unpack_gather_block_quantized(Speller& s) {
  const Node& node = s.node();
  if (!node.has_input(1)) return fail("its input 1 is missing");
  SUBBYTE_TRY(const std::int64_t block, size_attribute(node, "block_size", 128));
  SUBBYTE_TRY(const Tensor* packed, constant_input(s, 0, "its table"));
  SUBBYTE_TRY(const Tensor* scales, constant_input(s, 2, "its scales"));
  SUBBYTE_CHECK_OK(check_scales(*scales));
  const bool bytes = packed->dtype == DType::uint8;
  const std::int64_t bits = bytes ? node.int_or("bits", 4) : integer_bits(packed->dtype);
  if (bits != 2 && bits != 4 && bits != 8)
    return fail("its bits are {}; supported are 2, 4 and 8", bits);
  SUBBYTE_TRY(Tensor codes, unpacked_table(*packed, static_cast<int>(bits), "table"));
  const auto rank = static_cast<std::int64_t>(codes.dims.size());
  std::int64_t axis = node.int_or("quantize_axis", 1);
  if (axis < -rank || axis >= rank)
    return fail("its quantize_axis is {}; it must be in [{}, {})", axis, -rank, rank);
  if (axis < 0) axis += rank;
  // The last axis may end within a byte, as the blocks of scales say.
  Numbers dims = codes.dims, blocks(codes.dims.size(), 1);
  dims[index_of(axis)] = (dims[index_of(axis)] + block - 1) / block;
  blocks[index_of(axis)] = block;
  if (scales->dims != dims)
    return fail("its scales do not have one number for each {} of the table along axis {}", block,
                axis);
  CodeGrid grid;
  grid.scales = {level_numbers(*scales), dims, blocks};
  if (node.has_input(3)) {
    SUBBYTE_TRY(const Tensor* zeros, constant_input(s, 3, "its zero points"));
    SUBBYTE_TRY(const Tensor unpacked,
                unpacked_table(*zeros, static_cast<int>(bits), "zero points"));
    // Rows of zero points are padded to bytes.
    Numbers padded = dims;
    if (bytes && bits < 8) padded.back() = (padded.back() * bits + 7) / 8 * (8 / bits);
    if (unpacked.dims != padded) return fail("its zero points do not have the shape of its scales");
    const auto values = integer_values(unpacked);
    grid.zeros = {{}, dims, blocks};
    for (std::size_t i = 0; i < values->size(); ++i)
      if (static_cast<std::int64_t>(i) % padded.back() < dims.back())
        grid.zeros.values.push_back(static_cast<float>((*values)[i]));
  } else {
    grid.zeros = uniform_levels(bytes ? static_cast<float>(1 << (bits - 1)) : 0.0f, codes.dims);
  }
  grid.codes = std::move(codes);
  const DType dtype = scales->dtype;
  const ValueId table = add_floats(s, std::move(grid), dtype, s.input(0));
  s.finish(Op::Gather, {table, s.input(1)}, {{"axis", node.int_or("gather_axis", 0)}});
  return true;
}

}  // namespace subbyte
