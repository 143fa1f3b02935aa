#include "emit/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>

#include "base/text.h"
#include "emit/weights_file.h"
#include "quantize/codec.h"
#include "quantize/half.h"
#include "reference/reference.h"

namespace subbyte {

namespace {

// The sizes that a dimension without a fixed size gets: the first of them is a batch as a rule. An
// image must be large enough for what a network takes it down by, a power of two.
constexpr std::int64_t kFirstSize = 1, kOtherSize = 8, kImageSize = 64;
// What sizes are multiplied with, one after the other, until the reference can run the model.
constexpr std::int64_t kAttempts[] = {1, 4};

// A fixed pseudo-random sequence (SplitMix64; Steele, Lea and Flood 2014).
class Random {
 public:
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Uniform in [-1, 1).
  float number() {
    return static_cast<float>(static_cast<double>(next() >> 11) / 4503599627370496.0 - 1.0);
  }

 private:
  std::uint64_t state_ = 1;
};

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
                                       std::int64_t count, Random& random) {
  const std::size_t size = dtype_size(dtype);
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * size);
  if (is_float(dtype)) {
    for (std::int64_t i = 0; i < count; ++i) {
      const float number = random.number();
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

std::vector<Tensor> seeded_inputs(const Model& model, std::int64_t factor) {
  std::vector<std::int64_t> sizes;
  for (const auto& symbol : model.exprs.symbols()) {
    std::int64_t size = sizes.empty() ? kFirstSize : kOtherSize * factor;
    if (is_spatial(model, symbol.source)) size = kImageSize * factor;
    // An element of a shape input has no natural size: 1 is allowed more often than any other.
    if (symbol.source.kind == SymbolSource::Kind::input_element) size = 1;
    sizes.push_back(std::clamp(size, symbol.lower, symbol.upper));
  }
  Random random;
  std::vector<Tensor> inputs;
  for (const ValueId v : model.main().inputs) {
    const Value& value = model.main().values[v];
    std::vector<std::int64_t> dims;
    std::int64_t count = 1;
    for (const Expr e : *value.shape) {
      dims.push_back(model.exprs.evaluate(e, sizes));
      count *= dims.back();
    }
    auto bytes = random_elements(model.main(), v, value.dtype, count, random);
    inputs.push_back(make_tensor(value.dtype, std::move(dims), std::move(bytes)));
  }
  return inputs;
}

std::vector<float> floats_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  read_floats(tensor, 0, tensor.elements(), values.data());
  return values;
}

std::size_t largest_of(std::span<const float> row) {
  return static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

OutputCheck compare(const std::string& name, const Tensor& expected, const Tensor& found) {
  OutputCheck check{name, 0, std::nullopt};
  if (!is_float(expected.dtype)) {
    const auto a = integer_values(expected), b = integer_values(found);
    check.relative_l2 = a == b ? 0 : 1;
    return check;
  }
  const auto a = floats_of(expected), b = floats_of(found);
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    size += static_cast<double>(a[i]) * a[i];
  }
  check.relative_l2 = error == 0 ? 0 : std::sqrt(error / size);
  const auto last = expected.dims.empty() ? std::int64_t{1} : expected.dims.back();
  if (last >= 2 && !a.empty()) {
    const auto width = static_cast<std::size_t>(last);
    std::size_t same = 0;
    for (std::size_t at = 0; at < a.size(); at += width) {
      same += largest_of(std::span(a).subspan(at, width)) ==
              largest_of(std::span(b).subspan(at, width));
    }
    check.top1_agreement = static_cast<double>(same) / static_cast<double>(a.size() / width);
  }
  return check;
}

}  // namespace

Expected<Tensor> decoded_weight(const Model& model, const StoredWeight& stored) {
  const Value& value = model.main().values[stored.value];
  if (std::holds_alternative<IntegerEncoding>(stored.encoding)) return *value.constant;
  if (const auto* f = std::get_if<FloatEncoding>(&stored.encoding); f && f->bits == 32)
    return *value.constant;
  SUBBYTE_TRY(const PackedMatrix matrix, pack_weight(model, stored));
  std::vector<std::byte> bytes(static_cast<std::size_t>(value.constant->elements()) *
                               sizeof(float));
  // Row by row into the source's order: the strides of the packed matrix's axes in the source.
  const auto& dims = value.constant->dims;
  std::vector<std::int64_t> strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  const auto offset = [&](const std::vector<int>& axes, std::int64_t index) {
    std::int64_t at = 0;
    for (std::size_t i = axes.size(); i-- > 0;) {
      const auto axis = static_cast<std::size_t>(axes[i]);
      at += index % dims[axis] * strides[axis];
      index /= dims[axis];
    }
    return at;
  };
  std::vector<std::int64_t> columns(static_cast<std::size_t>(stored.k));
  for (std::int64_t k = 0; k < stored.k; ++k)
    columns[static_cast<std::size_t>(k)] = offset(stored.order.k, k);
  std::vector<float> row(static_cast<std::size_t>(stored.k));
  for (std::int64_t r = 0; r < stored.rows; ++r) {
    unpack(matrix, r, 1, row.data());
    const std::int64_t base = offset(stored.order.rows, r);
    for (std::size_t k = 0; k < row.size(); ++k) {
      std::memcpy(bytes.data() + static_cast<std::size_t>(base + columns[k]) * sizeof(float),
                  &row[k], sizeof(float));
    }
  }
  if (value.dtype == DType::float32) return make_tensor(DType::float32, dims, std::move(bytes));
  // A model of halves or doubles keeps its dtype; halves round once more.
  Node cast;
  cast.op = Op::Cast;
  cast.op_type = "Cast";
  cast.attributes.push_back(Attribute{"to", static_cast<std::int64_t>(value.dtype)});
  const Tensor floats = make_tensor(DType::float32, dims, std::move(bytes));
  const Tensor* const inputs[] = {&floats};
  SUBBYTE_TRY(std::vector<Tensor> converted, reference::evaluate(cast, inputs));
  return std::move(converted.front());
}

Expected<Check> check_quantization(const Model& model, const std::vector<StoredWeight>& weights) {
  Check check;
  std::int64_t parameters = 0;
  for (const auto& stored : weights) parameters += stored.rows * stored.k;
  if (parameters > kMaxCheckedParameters) {
    check.skipped = fmt::format("the model has {} parameters; up to {} are run", parameters,
                                kMaxCheckedParameters);
    return check;
  }
  std::vector<Tensor> inputs;
  Expected<std::vector<Tensor>> expected;
  for (const std::int64_t factor : kAttempts) {
    inputs = seeded_inputs(model, factor);
    expected = reference::run(model, inputs);
    if (expected) break;
  }
  if (!expected) {
    check.skipped = fmt::format("the reference cannot run the model: {}", expected.error().message);
    return check;
  }
  Model quantized = model;
  for (const auto& stored : weights) {
    SUBBYTE_TRY(quantized.main().values[stored.value].constant, decoded_weight(model, stored));
  }
  const auto found = reference::run(quantized, inputs);
  if (!found) return within("the quantized model", found.error());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    check.inputs.emplace_back(model.main().values[model.main().inputs[i]].name, inputs[i].dims);
  }
  for (std::size_t i = 0; i < expected->size(); ++i) {
    check.outputs.push_back(
        compare(model.main().values[model.main().outputs[i]].name, (*expected)[i], (*found)[i]));
  }
  return check;
}

}  // namespace subbyte
