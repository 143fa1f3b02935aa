#include "compile/describe.h"

#include <set>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "compile/lowerable.h"
#include "graph/graph.h"
#include "graph/ops.h"
#include "graph/source_form.h"
#include "import/onnx.h"
#include "passes/passes.h"
#include "quantize/uses.h"

namespace subbyte {

namespace {

std::variant<std::int64_t, std::string> dim_of(const ExprPool& exprs, Expr dim) {
  if (const auto value = exprs.value(dim)) return *value;
  if (exprs.kind(dim) == ExprKind::symbol) {
    return valid_utf8(exprs.symbols()[static_cast<std::size_t>(exprs.payload(dim))].name);
  }
  return valid_utf8(exprs.text(dim));
}

std::vector<PortFacts> ports(const Model& model, const std::vector<ValueId>& values) {
  std::vector<PortFacts> ports;
  for (const ValueId v : values) {
    const Value& value = model.main().values[v];
    PortFacts port{valid_utf8(value.name), value.dtype, std::nullopt};
    if (value.shape) {
      port.dims.emplace();
      for (const Expr dim : *value.shape) port.dims->push_back(dim_of(model.exprs, dim));
    }
    ports.push_back(std::move(port));
  }
  return ports;
}

// The operators of all graphs, as in the file.
void count_operators(const Model& model, ModelFacts& facts) {
  for (const Graph& graph : model.graphs)
    for (const Node& node : graph.nodes) ++facts.operators[valid_utf8(node.op_type)];
}

// The option that fixes what a symbol stands for; "" for what only a run finds out.
std::string option_of(const Model& model, const Symbol& symbol) {
  switch (symbol.source.kind) {
    case SymbolSource::Kind::input_dimension:
      return fmt::format("--dim {}=N", valid_utf8(symbol.name));
    case SymbolSource::Kind::input_element: {
      const ValueId input = model.main().inputs[symbol.source.input];
      return fmt::format("--input {}=VALUE", valid_utf8(model.main().values[input].name));
    }
    case SymbolSource::Kind::result:
      break;
  }
  return "";
}

// Of all symbols that conditions of Ifs are computed from.
std::vector<std::string> deciding_options(const Model& model) {
  std::vector<Expr> open;
  for (const Node& node : model.main().nodes) {
    if (node.op != Op::Decide) continue;
    const auto& condition = model.main().values[node.outputs[1]].content;
    if (condition) open.push_back(condition->front());
  }
  std::set<std::string> options;
  std::unordered_set<std::uint32_t> seen;
  while (!open.empty()) {
    const Expr e = open.back();
    open.pop_back();
    if (!seen.insert(e.index).second) continue;
    if (model.exprs.kind(e) == ExprKind::symbol) {
      const auto number = static_cast<std::size_t>(model.exprs.payload(e));
      options.insert(option_of(model, model.exprs.symbols()[number]));
    }
    for (const Expr operand : model.exprs.operands(e)) open.push_back(operand);
  }
  options.erase("");
  return {options.begin(), options.end()};
}

}  // namespace

Expected<ModelFacts> describe_model(FileSystem& files, const std::string& path,
                                    const Fixed& fixed) {
  SUBBYTE_TRY(Model model, read_onnx(files, path));
  ModelFacts facts;
  std::optional<std::vector<WeightUse>> uses;
  facts.file = base_name_of(path);
  facts.opset = model.opset;
  facts.producer = valid_utf8(model.producer);
  count_operators(model, facts);
  SUBBYTE_CHECK_OK(fix_inputs(model, fixed));
  SUBBYTE_CHECK_OK(resolve_control_flow(model));
  if (auto supported = check_supported(model); !supported) {
    facts.unsupported = std::move(supported.error().list);
  } else if (auto prepared = run_passes(model, standard_passes()); !prepared) {
    return within(quoted(path), std::move(prepared.error()));
  } else if (auto lowered = find_lowerable_uses(model); !lowered) {
    facts.unsupported.push_back(std::move(lowered.error()));
  } else {
    uses = std::move(*lowered);
  }
  if (!uses) uses = find_weight_uses(model);
  facts.deciding = deciding_options(model);
  facts.inputs = ports(model, model.main().inputs);
  facts.outputs = ports(model, model.main().outputs);
  const auto sources = source_forms(model.main());
  for (const WeightUse& use : *uses) {
    const Value& value = model.main().values[use.value];
    const SourceForm* const source = sources[use.value];
    facts.weights.push_back({valid_utf8(source != nullptr ? source->name : value.name), value.dtype,
                             source != nullptr ? source->dims : value.constant->dims, use.layer,
                             use.component, use.parameters(),
                             static_cast<std::int64_t>(value.constant->data.size())});
    facts.parameters += facts.weights.back().parameters;
    facts.bytes += facts.weights.back().bytes;
  }
  return facts;
}

}  // namespace subbyte
