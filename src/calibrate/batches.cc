#include "calibrate/batches.h"

#include <algorithm>

#include "graph/arithmetic.h"
#include "reference/reference.h"

namespace subbyte::calibrate {
namespace {

// What the symbols of the model are on a sample.
std::vector<std::int64_t> symbol_values(const Model& model, const Sample& sample) {
  std::vector<std::int64_t> values;
  for (const Symbol& symbol : model.exprs.symbols()) {
    if (symbol.source.kind == SymbolSource::Kind::result) {
      values.push_back(0);
      continue;
    }
    const Tensor& input = sample[symbol.source.input];
    const std::size_t index = symbol.source.index;
    if (symbol.source.kind == SymbolSource::Kind::input_dimension) {
      values.push_back(index < input.dims.size() ? input.dims[index] : 0);
    } else {
      const auto elements = integer_values(input);
      values.push_back(elements && index < elements->size() ? (*elements)[index] : 0);
    }
  }
  return values;
}

std::int64_t bytes_of(const Model& model, const Value& value,
                      std::span<const std::int64_t> symbols) {
  if (!value.shape || value.constant) return 0;
  auto bytes =
      is_float(value.dtype) ? std::int64_t{4} : static_cast<std::int64_t>(dtype_size(value.dtype));
  for (const Expr dim : *value.shape)
    bytes = saturating_mul(bytes, std::max<std::int64_t>(model.exprs.evaluate(dim, symbols), 0));
  return bytes;
}

std::int64_t most_bytes(const Model& model, const Sample& sample, NodeId end, bool wants_outputs) {
  const Graph& graph = model.main();
  const std::vector<std::int64_t> symbols = symbol_values(model, sample);
  const std::vector<std::size_t> last = reference::last_readers(graph, wants_outputs);
  std::int64_t now = 0, most = 0;
  const auto add = [&](ValueId value, std::int64_t sign) {
    const NodeId producer = value == kNone ? kNone : graph.values[value].producer;
    if (value != kNone && (producer == kNone || !reads_constants_alone(graph, producer)))
      now = saturating_add(now, sign * bytes_of(model, graph.values[value], symbols));
    most = std::max(most, now);
  };
  for (const ValueId input : graph.inputs) add(input, 1);
  for (NodeId n = 0; n < end; ++n) {
    const Node& node = graph.nodes[n];
    for (const ValueId output : node.outputs) add(output, 1);
    for (const ValueId output : node.outputs)
      if (output != kNone && last[output] <= n) add(output, -1);
    std::vector<ValueId> read = node.inputs;
    std::ranges::sort(read);
    read.erase(std::unique(read.begin(), read.end()), read.end());
    for (const ValueId input : read)
      if (input != kNone && last[input] == n) add(input, -1);
  }
  return most;
}

}  // namespace

bool reads_constants_alone(const Graph& graph, NodeId node) {
  const std::vector<ValueId>& inputs = graph.nodes[node].inputs;
  return !inputs.empty() && std::ranges::all_of(inputs, [&](ValueId input) {
    return input == kNone || graph.constant(input) != nullptr;
  });
}

std::int64_t activation_bytes(const Model& model, const Sample& sample) {
  return most_bytes(model, sample, static_cast<NodeId>(model.main().nodes.size()), true);
}

std::int64_t activation_bytes_before(const Model& model, const Sample& sample, NodeId end,
                                     bool wants_outputs) {
  return most_bytes(model, sample, end, wants_outputs);
}

std::size_t samples_within(const Model& model, std::span<const Sample> samples, NodeId end,
                           bool wants_outputs, std::int64_t memory) {
  std::size_t count = 0;
  for (std::int64_t bytes = 0; count < samples.size(); ++count) {
    bytes =
        saturating_add(bytes, activation_bytes_before(model, samples[count], end, wants_outputs));
    if (bytes > memory) break;
  }
  return count;
}

std::int64_t kept_bytes(const Model& model, const Sample& sample) {
  const std::vector<std::int64_t> symbols = symbol_values(model, sample);
  std::int64_t bytes = 0;
  for (const Value& value : model.main().values)
    bytes = saturating_add(bytes, bytes_of(model, value, symbols));
  return bytes;
}

std::vector<std::int64_t> value_bytes(const Model& model, const Sample& sample) {
  const Graph& graph = model.main();
  const std::vector<std::int64_t> symbols = symbol_values(model, sample);
  std::vector<std::int64_t> bytes(graph.values.size());
  for (std::size_t v = 0; v < bytes.size(); ++v) {
    const NodeId producer = graph.values[v].producer;
    if (producer == kNone || !reads_constants_alone(graph, producer))
      bytes[v] = bytes_of(model, graph.values[v], symbols);
  }
  return bytes;
}

std::vector<std::size_t> batch_ends(const Model& model, std::span<const Sample> samples,
                                    std::int64_t memory) {
  std::vector<std::size_t> ends;
  std::int64_t bytes = 0;
  for (std::size_t s = 0; s < samples.size(); ++s) {
    const std::int64_t more = activation_bytes(model, samples[s]);
    const bool fits = s == 0 || saturating_add(bytes, more) <= memory;
    if (!fits) ends.push_back(s);
    bytes = fits ? saturating_add(bytes, more) : more;
  }
  if (!samples.empty()) ends.push_back(samples.size());
  return ends;
}

}  // namespace subbyte::calibrate
