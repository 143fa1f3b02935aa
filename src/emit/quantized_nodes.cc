#include "emit/quantized_nodes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "emit/quantized_codes.h"
#include "graph/half.h"
#include "quantize/pack_weight.h"

namespace subbyte {

namespace {

// A smaller group MatMulNBits does not have (ONNX Runtime, docs/ContribOperators.md).
constexpr std::int64_t kLeastBlock = 16;

template <typename T>
Tensor tensor_of(DType dtype, std::vector<std::int64_t> dims, const std::vector<T>& elements) {
  const auto bytes = std::as_bytes(std::span(elements));
  return make_tensor(dtype, std::move(dims), std::vector<std::byte>(bytes.begin(), bytes.end()));
}

Node node_of(std::string op_type, std::string domain, std::string name, std::vector<ValueId> inputs,
             ValueId output) {
  Node node;
  node.op = find_op(domain, op_type);
  node.op_type = std::move(op_type);
  node.domain = std::move(domain);
  node.name = std::move(name);
  node.inputs = std::move(inputs);
  node.outputs = {output};
  return node;
}

class Builder {
 public:
  Builder(const Model& model, const std::map<ValueId, StoredWeight>& stored)
      : stored_(stored), uses_(find_uses(model.main())) {
    result_.model = model;
    for (const Graph& graph : model.graphs)
      for (const Value& value : graph.values) names_.insert(value.name);
    for (std::size_t g = 1; g < model.graphs.size(); ++g)
      for (const Value& value : model.graphs[g].values) inner_names_.insert(value.name);
  }

  Expected<QuantizedModel> run(const std::function<Expected<void>(const StoredWeight&)>& progress) {
    for (const auto& [value, weight] : stored_) {
      SUBBYTE_CHECK_OK(progress(weight));
      if (std::holds_alternative<IntegerEncoding>(weight.encoding)) continue;
      SUBBYTE_CHECK_OK(replace(weight));
    }
    place_nodes();
    return std::move(result_);
  }

 private:
  Graph& graph() { return result_.model.main(); }
  const Value& value(ValueId v) { return graph().values[v]; }

  Expected<void> replace(const StoredWeight& weight) {
    if (uses_.count(weight.value) == 0 && !inner_names_.contains(value(weight.value).name))
      return {};
    const auto* const floats = std::get_if<FloatEncoding>(&weight.encoding);
    if (floats != nullptr && floats->bits == 32 &&
        std::holds_alternative<ElementsOfConstant>(weight.source))
      return {};
    SUBBYTE_TRY(const PackedMatrix matrix, pack_weight(result_.model, weight));
    if (floats != nullptr) {
      keep_floats(weight, matrix);
      return {};
    }
    if (std::holds_alternative<AffineEncoding>(weight.encoding)) {
      if (as_product(weight, matrix) || as_groups(weight, matrix)) return {};
    }
    ++result_.kept_float;
    result_.kept_float_parameters += weight.rows * weight.k;
    return {};
  }

  void hold_in(int bits, int integers) {
    if (bits < integers) ++result_.wider[{bits, integers}];
  }

  // A name that nothing has.
  std::string fresh(const std::string& base) {
    std::string name = base;
    for (int i = 2; !names_.insert(name).second; ++i) name = base + "_" + std::to_string(i);
    return name;
  }

  ValueId constant(const std::string& base, Tensor tensor) {
    Value added;
    added.name = fresh(base);
    added.dtype = tensor.dtype;
    added.constant = std::move(tensor);
    return graph().add_value(std::move(added));
  }

  // Reads `input`; gives `output`, or a new value where that is kNone.
  ValueId add(const std::string& op_type, std::vector<ValueId> inputs, DType dtype,
              const std::string& base, std::vector<Attribute> attributes = {}) {
    Value added;
    added.name = fresh(base);
    added.dtype = dtype;
    const ValueId output = graph().add_value(std::move(added));
    added_.push_back(node_of(op_type, "", fresh(base + "_node"), std::move(inputs), output));
    added_.back().attributes = std::move(attributes);
    return output;
  }

  // What the last node that was added gives is the weight itself.
  void give(ValueId weight) {
    added_.back().outputs = {weight};
    graph().values[weight].constant.reset();
  }

  ValueId shape(const std::string& base, const std::vector<std::int64_t>& dims) {
    return constant(base, make_int64_tensor({static_cast<std::int64_t>(dims.size())}, dims));
  }

  // The tensor of the source from the matrix, float32, that `from` holds; a node at least.
  void give_tensor(const StoredWeight& weight, ValueId from, bool is_matrix) {
    const Value source = value(weight.value);
    const std::string base = source.name;
    std::vector<int> order = weight.order.rows;
    order.insert(order.end(), weight.order.k.begin(), weight.order.k.end());
    std::vector<std::int64_t> dims, inverse(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      dims.push_back(source.constant->dims[static_cast<std::size_t>(order[i])]);
      inverse[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
    }
    if (!is_matrix || dims != std::vector{weight.rows, weight.k})
      from =
          add("Reshape", {from, shape(base + "_dims", dims)}, DType::float32, base + "_reshaped");
    if (!std::is_sorted(inverse.begin(), inverse.end()))
      from = add("Transpose", {from}, DType::float32, base + "_transposed", {{"perm", inverse}});
    if (source.dtype != DType::float32)
      add("Cast", {from}, source.dtype, base + "_cast",
          {{"to", static_cast<std::int64_t>(source.dtype)}});
    give(weight.value);
  }

  // Half precision, or floats that calibration chose.
  void keep_floats(const StoredWeight& weight, const PackedMatrix& matrix) {
    const Value source = value(weight.value);
    Tensor floats = unpacked_tensor(matrix, weight.order, source.constant->dims);
    const bool halves = std::get<FloatEncoding>(weight.encoding).bits == 16;
    if (source.dtype != DType::float32) return;  // a constant, which decoded_weight() gives
    if (!halves) {
      graph().values[weight.value].constant = std::move(floats);
      return;
    }
    const auto count = static_cast<std::size_t>(floats.elements());
    std::vector<std::uint16_t> stored(count);
    for (std::size_t i = 0; i < count; ++i) {
      float element = 0;
      std::memcpy(&element, floats.data.data() + i * sizeof element, sizeof element);
      stored[i] = float_to_half(element);
    }
    add("Cast", {constant(source.name + "_half", tensor_of(DType::float16, floats.dims, stored))},
        DType::float32, source.name + "_float",
        {{"to", static_cast<std::int64_t>(DType::float32)}});
    give(weight.value);
  }

  // The nodes that read the weight, where all are float32 products of two matrices with it on the
  // right.
  std::vector<NodeId> products_of(const StoredWeight& weight) {
    const Value& source = value(weight.value);
    const AxisOrder right{{1}, {0}};
    const bool matrix = source.dtype == DType::float32 && source.constant->dims.size() == 2 &&
                        weight.order == right;
    if (!matrix || uses_.outputs[weight.value] > 0 || inner_names_.contains(source.name)) return {};
    for (const NodeId n : uses_.readers[weight.value]) {
      const Node& node = graph().nodes[n];
      const bool product = node.op_type == "MatMul" && node.domain.empty() &&
                           node.inputs[1] == weight.value && node.inputs[0] != weight.value;
      if (!product) return {};
      const Value& left = value(node.inputs[0]);
      if (!left.shape || left.shape->size() < 2) return {};
    }
    return uses_.readers[weight.value];
  }

  bool as_product(const StoredWeight& weight, const PackedMatrix& matrix) {
    const auto readers = products_of(weight);
    const auto& encoding = std::get<AffineEncoding>(weight.encoding);
    if (readers.empty()) return false;
    const QuantizedCodes codes = quantized_codes(matrix, kLeastBlock);
    const int bits = encoding.bits == 8 ? 8 : 4;
    const auto parts = codes.zero_parts();
    const bool block =
        std::has_single_bit(static_cast<std::uint64_t>(codes.group)) && codes.group >= kLeastBlock;
    if (!block || !codes.gives(matrix) || (bits == 8 && parts != 1)) return false;
    hold_in(encoding.bits, bits);
    const std::string base = value(weight.value).name;
    std::vector<ValueId> constants = {block_codes(base, codes, bits), block_scales(base, codes)};
    const float usual = bits == 8 ? 128 : 8;
    if (std::ranges::any_of(codes.zeros, [&](float zero) { return zero != usual; }))
      constants.push_back(block_zeros(base, codes, bits, parts == 1));
    for (const NodeId n : readers) {
      Node& node = graph().nodes[n];
      node.op_type = "MatMulNBits";
      node.domain = "com.microsoft";
      node.op = find_op(node.domain, node.op_type);
      node.inputs.pop_back();
      node.inputs.insert(node.inputs.end(), constants.begin(), constants.end());
      node.attributes = {{"K", codes.k},
                         {"N", codes.rows},
                         {"bits", std::int64_t{bits}},
                         {"block_size", codes.group}};
    }
    return true;
  }

  ValueId block_codes(const std::string& base, const QuantizedCodes& codes, int bits) {
    std::vector<std::uint8_t> packed = codes.codes;
    if (bits == 4) {
      packed.resize(codes.codes.size() / 2);
      for (std::size_t i = 0; i < packed.size(); ++i)
        packed[i] = static_cast<std::uint8_t>(codes.codes[2 * i] | codes.codes[2 * i + 1] << 4);
    }
    return constant(
        base + "_codes",
        tensor_of(DType::uint8, {codes.rows, codes.groups, codes.group * bits / 8}, packed));
  }

  ValueId block_scales(const std::string& base, const QuantizedCodes& codes) {
    return constant(base + "_scales",
                    tensor_of(DType::float32, {codes.rows * codes.groups}, codes.scales));
  }

  // Floats, or at 4 bits two in a byte, each row on a byte of its own.
  ValueId block_zeros(const std::string& base, const QuantizedCodes& codes, int bits, bool whole) {
    const std::string name = base + "_zero_points";
    const bool fit = std::ranges::all_of(
        codes.zeros, [&](float zero) { return zero >= 0 && zero < static_cast<float>(1 << bits); });
    if (!whole || !fit)
      return constant(name, tensor_of(DType::float32, {codes.rows * codes.groups}, codes.zeros));
    const std::int64_t row = (codes.groups * bits + 7) / 8;
    std::vector<std::uint8_t> packed(static_cast<std::size_t>(codes.rows * row));
    for (std::int64_t r = 0; r < codes.rows; ++r) {
      for (std::int64_t g = 0; g < codes.groups; ++g) {
        const auto zero =
            static_cast<unsigned>(codes.zeros[static_cast<std::size_t>(r * codes.groups + g)]);
        auto& byte = packed[static_cast<std::size_t>(r * row + g * bits / 8)];
        byte = static_cast<std::uint8_t>(byte | zero << (g * bits % 8));
      }
    }
    return constant(name, tensor_of(DType::uint8, {codes.rows * row}, packed));
  }

  // 8-bit integers, of which each group is a row with a scale of its own.
  bool as_groups(const StoredWeight& weight, const PackedMatrix& matrix) {
    QuantizedCodes codes = quantized_codes(matrix, 1);
    const auto parts = codes.zero_parts();
    if (!parts || !codes.gives(matrix)) return false;
    const auto whole = whole_codes(codes, *parts);
    const bool is_signed = std::ranges::all_of(whole, [](int c) { return c >= -128 && c <= 127; });
    const bool is_unsigned = *parts == 1 && std::ranges::all_of(codes.zeros, [](float zero) {
      return zero >= 0 && zero <= 255;
    });
    if (!is_signed && !is_unsigned) return false;
    hold_in(std::get<AffineEncoding>(weight.encoding).bits, 8);
    const std::string base = value(weight.value).name;
    const std::vector<std::int64_t> dims = {codes.rows * codes.groups, codes.group};
    std::vector<ValueId> inputs;
    if (is_signed) {
      const std::vector<std::int8_t> stored(whole.begin(), whole.end());
      for (float& scale : codes.scales) scale /= static_cast<float>(*parts);
      inputs = {constant(base + "_codes", tensor_of(DType::int8, dims, stored)),
                block_scales(base, codes)};
    } else {
      const std::vector<std::uint8_t> zeros(codes.zeros.begin(), codes.zeros.end());
      inputs = {constant(base + "_codes", tensor_of(DType::uint8, dims, codes.codes)),
                block_scales(base, codes),
                constant(base + "_zero_points", tensor_of(DType::uint8, {dims[0]}, zeros))};
    }
    ValueId floats = add("DequantizeLinear", std::move(inputs), DType::float32, base + "_groups",
                         {{"axis", std::int64_t{0}}});
    const std::int64_t filled = codes.groups * codes.group;
    if (filled != codes.k) {
      floats = add("Reshape", {floats, shape(base + "_filled_dims", {codes.rows, filled})},
                   DType::float32, base + "_filled");
      floats = add("Slice",
                   {floats, shape(base + "_from", {0}), shape(base + "_to", {codes.k}),
                    shape(base + "_axis", {1})},
                   DType::float32, base + "_rows");
    }
    give_tensor(weight, floats, filled != codes.k || codes.groups == 1);
    return true;
  }

  // (q - z) * parts, which is whole; 0 where a code stands for nothing.
  static std::vector<int> whole_codes(const QuantizedCodes& codes, int parts) {
    std::vector<int> whole(codes.codes.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      if (at % (codes.groups * codes.group) >= codes.k) continue;
      const float zero = codes.zeros[static_cast<std::size_t>(at / codes.group)];
      whole[i] = parts * codes.codes[i] - static_cast<int>(zero * static_cast<float>(parts));
    }
    return whole;
  }

  // Weights come before what reads them.
  void place_nodes() {
    std::vector<Node> nodes = std::move(added_);
    for (Node& node : graph().nodes) nodes.push_back(std::move(node));
    graph().nodes = std::move(nodes);
    for (NodeId n = 0; n < graph().nodes.size(); ++n)
      for (const ValueId output : graph().nodes[n].outputs)
        if (output != kNone) graph().values[output].producer = n;
  }

  const std::map<ValueId, StoredWeight>& stored_;
  const Uses uses_;
  QuantizedModel result_;
  std::vector<Node> added_;
  std::set<std::string> names_, inner_names_;
};

}  // namespace

Expected<QuantizedModel> with_quantized_nodes(
    const Model& model, const std::map<ValueId, StoredWeight>& stored,
    const std::function<Expected<void>(const StoredWeight&)>& progress) {
  return Builder(model, stored).run(progress);
}

}  // namespace subbyte
