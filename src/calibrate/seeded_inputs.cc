#include "calibrate/seeded_inputs.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/text.h"
#include "calibrate/drawn_page.h"
#include "calibrate/random.h"
#include "graph/half.h"
#include "graph/ops.h"

namespace subbyte {

namespace {

// The sizes that a dimension without a fixed size gets: the first of them is a batch as a rule. An
// image must be large enough for what a network takes it down by, a power of two.
constexpr std::int64_t kFirstSize = 1, kOtherSize = 8, kImageSize = 128;
constexpr double kMostElements = 1 << 26;

// The number of rows of the table that an integer input indexes, 2 (a mask) where it indexes none.
std::int64_t index_range(const Graph& graph, ValueId input) {
  for (const Node& node : graph.nodes) {
    if (node.op != Op::Gather || node.inputs[1] != input) continue;
    const Tensor* table = graph.constant(node.inputs[0]);
    if (table != nullptr && !table->dims.empty()) return table->dims[0];
  }
  return 2;
}

std::vector<std::byte> random_elements(const Graph& graph, ValueId input, DType dtype,
                                       const std::vector<std::int64_t>& dims, Random& random) {
  std::int64_t count = 1;
  for (const std::int64_t size : dims) count *= size;
  const std::size_t size = dtype_size(dtype);
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * size);
  if (is_float(dtype)) {
    const bool image = dims.size() == 4 && (dims[1] == 1 || dims[1] == 3);
    // The same in all channels: uniform noise drives networks for images to where all their outputs
    // are next to 0.
    const std::vector<float> drawn =
        image ? drawn_page(dims[2], dims[3], random) : std::vector<float>();
    for (std::int64_t i = 0; i < count; ++i) {
      const float number =
          image ? drawn[static_cast<std::size_t>(i) % drawn.size()] : random.number();
      const double wide = number;
      const std::uint16_t half =
          dtype == DType::bfloat16
              ? static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(number) >> 16)
              : float_to_half(number);
      const void* const from = size == 8   ? static_cast<const void*>(&wide)
                               : size == 4 ? static_cast<const void*>(&number)
                                           : &half;
      std::memcpy(bytes.data() + static_cast<std::size_t>(i) * size, from, size);
    }
    return bytes;
  }
  const std::int64_t range = dtype == DType::boolean ? 2 : index_range(graph, input);
  for (std::int64_t i = 0; i < count; ++i) {
    // A mask is all ones; ids are spread over the table.
    const std::uint64_t value = range == 2 ? 1 : random.next() % static_cast<std::uint64_t>(range);
    std::memcpy(bytes.data() + static_cast<std::size_t>(i) * size, &value, size);
  }
  return bytes;
}

// Whether the symbol is an axis of an image, or of a signal: one after batch and channels.
bool is_spatial(const Model& model, const SymbolSource& source) {
  if (source.kind != SymbolSource::Kind::input_dimension) return false;
  const Value& input = model.main().values[model.main().inputs[source.input]];
  return source.index >= 2 && input.shape && input.shape->size() >= 3 && is_float(input.dtype);
}

}  // namespace

Expected<std::vector<Tensor>> seeded_inputs(const Model& model, std::int64_t factor,
                                            std::uint64_t seed) {
  std::vector<std::int64_t> sizes;
  for (const auto& symbol : model.exprs.symbols()) {
    std::int64_t size = sizes.empty() ? kFirstSize : kOtherSize * factor;
    if (is_spatial(model, symbol.source)) size = kImageSize * factor;
    // An element of a shape input has no natural size: 1 is allowed more often than any other.
    if (symbol.source.kind == SymbolSource::Kind::input_element) size = 1;
    sizes.push_back(std::clamp(size, symbol.lower, symbol.upper));
  }
  Random random(seed);
  std::vector<Tensor> inputs;
  for (const ValueId v : model.main().inputs) {
    const Value& value = model.main().values[v];
    std::vector<std::int64_t> dims;
    double elements = 1;
    for (const Expr e : *value.shape) {
      dims.push_back(model.exprs.evaluate(e, sizes));
      elements *= static_cast<double>(dims.back());
    }
    if (elements > kMostElements) {
      return fail("its input {} has {:.0f} elements; inputs of up to {:.0f} are tried",
                  quoted(value.name), elements, kMostElements);
    }
    auto bytes = random_elements(model.main(), v, value.dtype, dims, random);
    inputs.push_back(make_tensor(value.dtype, std::move(dims), std::move(bytes)));
  }
  return inputs;
}

}  // namespace subbyte
