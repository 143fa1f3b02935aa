#include "calibrate/seeded_inputs.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/text.h"
#include "calibrate/drawn_page.h"
#include "calibrate/likely_sizes.h"
#include "calibrate/random.h"
#include "graph/half.h"
#include "graph/ops.h"

namespace subbyte {

namespace {

constexpr double kMostElements = 1 << 26;

// The same numbers in another dtype or shape.
bool keeps_numbers(const Node& node) {
  switch (node.op) {
    case Op::Cast:
    case Op::Flatten:
    case Op::Identity:
    case Op::Reshape:
    case Op::Squeeze:
    case Op::Unsqueeze:
      return true;
    default:
      return false;
  }
}

// The number of rows of the table that an integer input indexes; none where it indexes none.
std::optional<std::int64_t> table_rows(const Graph& graph, ValueId input) {
  std::vector<char> same(graph.values.size(), 0);
  same[input] = 1;
  for (const Node& node : graph.nodes) {
    if (keeps_numbers(node) && same[node.inputs[0]] != 0) same[node.outputs[0]] = 1;
    if (node.op != Op::Gather || same[node.inputs[1]] == 0) continue;
    const Tensor* table = graph.constant(node.inputs[0]);
    if (table == nullptr || table->dims.empty()) continue;
    const auto rank = static_cast<std::int64_t>(table->dims.size());
    const std::int64_t axis = node.int_or("axis", 0);
    const std::int64_t rows = table->dims[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)];
    if (rows > 0) return rows;
  }
  return std::nullopt;
}

std::vector<std::byte> random_elements(const Graph& graph, ValueId input, DType dtype,
                                       const std::vector<std::int64_t>& dims, Random& random) {
  std::int64_t count = 1;
  for (const std::int64_t size : dims) count *= size;
  const std::size_t size = dtype_size(dtype);
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * size);
  if (is_float(dtype)) {
    const bool image =
        dims.size() == 4 && (dims[1] == 1 || dims[1] == 3) && !is_cache(graph.values[input]);
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
  const std::int64_t rows = dtype == DType::boolean ? 2 : table_rows(graph, input).value_or(2);
  if (is_padding(graph.values[input])) return bytes;
  for (std::int64_t i = 0; i < count; ++i) {
    // A mask is all ones, as is what picks one of two; ids are spread over the table.
    const std::uint64_t value = rows == 2 ? 1 : random.next() % static_cast<std::uint64_t>(rows);
    std::memcpy(bytes.data() + static_cast<std::size_t>(i) * size, &value, size);
  }
  return bytes;
}

// Where in time each step is: the new ones come after those in the cache, if there is one. A table
// that is too short for them begins anew.
std::vector<std::byte> positions(const Model& model, ValueId input,
                                 const std::vector<std::int64_t>& dims,
                                 std::span<const std::int64_t> sizes) {
  const Value& value = model.main().values[input];
  const auto past = cache_length(model);
  const std::int64_t first = past ? sizes[*past] : 0;
  const std::int64_t rows = table_rows(model.main(), input).value_or(INT64_MAX);
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  const std::size_t size = dtype_size(value.dtype);
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * size);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t position = (first + i % dims.back()) % rows;
    std::memcpy(bytes.data() + static_cast<std::size_t>(i) * size, &position, size);
  }
  return bytes;
}

}  // namespace

Expected<std::vector<Tensor>> seeded_inputs(const Model& model, std::int64_t factor,
                                            std::uint64_t seed) {
  const std::vector<std::int64_t> sizes = likely_sizes(model, factor);
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
    auto bytes = is_positions(value) && !dims.empty()
                     ? positions(model, v, dims, sizes)
                     : random_elements(model.main(), v, value.dtype, dims, random);
    inputs.push_back(make_tensor(value.dtype, std::move(dims), std::move(bytes)));
  }
  return inputs;
}

}  // namespace subbyte
