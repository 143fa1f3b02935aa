// QMoE of com.microsoft (ONNX Runtime, docs/ContribOperators.md): a MoE whose weights are packed in
// blocks of integers.
#include "base/text.h"
#include "graph/arithmetic.h"
#include "graph/grid.h"
#include "graph/ops.h"
#include "passes/spell/experts.h"
#include "passes/unpack_blocks.h"

namespace subbyte {
namespace {

tl::unexpected<Error> refused(std::string_view reason) {
  return fail_as(ErrorKind::unsupported, "{}", reason);
}

std::size_t index_of(std::int64_t i) { return static_cast<std::size_t>(i); }

// The weights [E, N, K] of one layer of all experts, packed along K, and where the node has them.
struct Layer {
  std::string_view name;
  std::size_t weights, scales, zeros;
  std::int64_t experts = 0, n = 0, k = 0, block = 0;
  int bits = 4;

  std::int64_t blocks() const { return k / block; }
};

// The sizes of a layer, of which nothing but the shape of its codes says them.
Expected<Layer> layer_of(Speller& s, Layer layer) {
  const Node& node = s.node();
  SUBBYTE_TRY(const Tensor* packed, constant_input(s, layer.weights, layer.name));
  if (packed->dtype != DType::uint8 || packed->dims.size() != 3)
    return fail("its weights of {} are {} of rank {}; they must be uint8 of rank 3", layer.name,
                dtype_name(packed->dtype), packed->dims.size());
  const std::int64_t bits = node.int_or(fmt::format("{}_expert_weight_bits", layer.name),
                                        node.int_or("expert_weight_bits", 4));
  if (bits != 2 && bits != 4 && bits != 8)
    return refused(
        fmt::format("its weights of {} have {} bits; supported are 2, 4 and 8", layer.name, bits));
  layer.bits = static_cast<int>(bits);
  layer.experts = packed->dims[0];
  layer.n = packed->dims[1];
  layer.k = packed->dims[2] * (8 / bits);
  layer.block = node.int_or("block_size", 0) > 0 ? node.int_or("block_size", 0) : layer.k;
  if (layer.k == 0 || layer.k % layer.block != 0)
    return fail("its block_size {} does not divide the {} weights of a row of {}", layer.block,
                layer.k, layer.name);
  return layer;
}

// A number for each block: [E, N, blocks].
Expected<std::vector<float>> scales_of(Speller& s, const Layer& layer) {
  SUBBYTE_TRY(const Tensor* scales, constant_input(s, layer.scales, "its scales"));
  if (!is_float(scales->dtype))
    return fail("its scales are {}; they must be floats", dtype_name(scales->dtype));
  const std::int64_t count = layer.experts * layer.n * layer.blocks();
  if (scales->elements() != count)
    return fail("its scales of {} have {} elements; its weights need {}", layer.name,
                scales->elements(), count);
  return level_numbers(*scales);
}

// The same of zero points, of which rows end with a byte: those of the blocks of a row, or, where
// a row is one block, those of the rows of an expert.
Expected<std::vector<float>> zeros_of(Speller& s, const Layer& layer) {
  const std::int64_t blocks = layer.blocks(), count = layer.experts * layer.n * blocks;
  if (!s.has(layer.zeros))
    return std::vector<float>(index_of(count), static_cast<float>(1 << (layer.bits - 1)));
  SUBBYTE_TRY(const Tensor* zeros, constant_input(s, layer.zeros, "its zero points"));
  const bool by_block = s.node().int_or("block_size", 0) > 0;
  const std::int64_t rows = by_block ? layer.experts * layer.n : layer.experts;
  const std::int64_t each = by_block ? blocks : layer.n;
  const std::int64_t bytes = (each * layer.bits + 7) / 8;
  if (zeros->dtype != DType::uint8 || zeros->elements() != rows * bytes)
    return fail("its zero points of {} are {} elements of {}; they must be {} of uint8", layer.name,
                zeros->elements(), dtype_name(zeros->dtype), rows * bytes);
  return level_numbers(unpack_rows(zeros->data, rows, bytes, each, layer.bits));
}

// [E, N, K] to [N, E, K].
template <typename T>
std::vector<T> by_row(const std::vector<T>& from, std::int64_t experts, std::int64_t n,
                      std::int64_t k) {
  std::vector<T> to(from.size());
  for (std::int64_t e = 0; e < experts; ++e)
    for (std::int64_t r = 0; r < n; ++r)
      std::copy_n(from.begin() + (e * n + r) * k, k, to.begin() + (r * experts + e) * k);
  return to;
}

// The layer's weights as a constant [rows, columns] on its grid: rows of all experts, one after the
// other's, or each row those of all experts.
Expected<ValueId> weights_of(Speller& s, const Layer& layer, bool joins_rows) {
  const Tensor& packed = *s.constant(s.input(layer.weights));
  const std::int64_t all = layer.experts * layer.n, blocks = layer.blocks();
  SUBBYTE_TRY(std::vector<float> scales, scales_of(s, layer));
  SUBBYTE_TRY(std::vector<float> zeros, zeros_of(s, layer));
  std::vector<std::byte> codes = unpack_rows(packed.data, all, packed.dims[2], layer.k, layer.bits);
  Numbers dims{all, layer.k}, levels{all, blocks};
  if (joins_rows) {
    codes = by_row(codes, layer.experts, layer.n, layer.k);
    scales = by_row(scales, layer.experts, layer.n, blocks);
    zeros = by_row(zeros, layer.experts, layer.n, blocks);
    dims = {layer.n, layer.experts * layer.k};
    levels = {layer.n, layer.experts * blocks};
  }
  const Numbers block{1, layer.block};
  CodeGrid grid;
  grid.codes = make_tensor(DType::uint8, dims, std::move(codes));
  grid.scales = {std::move(scales), levels, block};
  grid.zeros = {std::move(zeros), levels, block};
  const ValueId weights = add_floats(s, std::move(grid), s.dtype(), s.input(layer.weights));
  return s.transpose("across", weights, {1, 0});
}

Expected<void> check_kind(Speller& s) {
  const Node& node = s.node();
  const std::string_view type = node.string_or("quant_type", "int");
  if (type != "int")
    return refused(fmt::format("its quant_type is {}; supported is 'int'", quoted(type)));
  // -1 leaves the layout to what runs the model, which is this one but for CUDA.
  if (node.int_or("weights_prepacked", -1) == 1)
    return refused("its weights_prepacked is 1: its weights are packed for one machine");
  for (std::size_t i = 15; i < node.inputs.size(); ++i)
    if (s.has(i)) return refused(fmt::format("its input {} is of weights that are no integers", i));
  return {};
}

}  // namespace

// Inputs are those of a MoE, of which weights have scales behind them, and zero points at the end;
// then what weighs the experts in place of the router.
Expected<bool> spell_qmoe(Speller& s) {
  SUBBYTE_CHECK_OK(s.needs({0, 1, 2, 3, 5, 6}));
  if (!s.rank() || !s.rank(s.input(1))) return false;
  SUBBYTE_CHECK_OK(check_kind(s));
  SUBBYTE_TRY(const std::int64_t fusion, experts_fusion(s, s.has(8)));
  SUBBYTE_TRY(const Layer first, layer_of(s, {"fc1", 2, 3, 11}));
  SUBBYTE_TRY(const Layer second, layer_of(s, {"fc2", 5, 6, 12}));
  Experts experts;
  experts.count = first.experts;
  experts.first = first.n;
  experts.hidden = first.k;
  experts.inner = second.k;
  if (second.experts != first.experts || second.n != first.k || first.n != fusion * second.k)
    return refused(fmt::format(
        "its experts' weights have shapes [{}, {}, {}] and [{}, {}, {}] unpacked; supported are "
        "[experts, {}inner, hidden] and [experts, hidden, inner]",
        first.experts, first.n, first.k, second.experts, second.n, second.k,
        fusion == 2 ? "2 * " : ""));
  SUBBYTE_TRY(experts.in, weights_of(s, first, false));
  experts.in_bias = s.input(4);
  SUBBYTE_TRY(experts.out, weights_of(s, second, true));
  experts.out_bias = s.input(7);
  if (s.has(8)) {
    SUBBYTE_TRY(const Layer third, layer_of(s, {"fc3", 8, 9, 13}));
    if (third.experts != first.experts || third.n != second.k || third.k != first.k)
      return refused("its weights of fc3 do not have the shape [experts, inner, hidden]");
    SUBBYTE_TRY(experts.linear, weights_of(s, third, false));
    experts.linear_bias = s.input(10);
  }
  return finish_experts(s, experts, s.input(14));
}

}  // namespace subbyte
