// What subbyte can convert, node by node, before anything is changed.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "graph/narrow_float.h"
#include "graph/ops.h"
#include "passes/passes.h"
#include "reference/reference.h"

namespace subbyte {
namespace {

// dtypes of the values as far as they follow from inputs and constants: shape inference, which
// knows them all, wants canonical nodes and runs later.
using DTypes = std::vector<DType>;

DType dtype_number(std::int64_t number) {
  return number > 0 && number <= static_cast<std::int64_t>(DType::int2) ? static_cast<DType>(number)
                                                                        : DType::undefined;
}

DType dtype_of(const DTypes& dtypes, const Node& node, std::size_t input) {
  return node.has_input(input) ? dtypes[node.inputs[input]] : DType::undefined;
}

DType output_dtype(const DTypes& dtypes, const Node& node, std::size_t output) {
  const RuleInfo& rule = rule_info(op_info(node.op).infer);
  switch (output == 0 ? rule.first : rule.others) {
    case DTypeSource::of_0:
      return dtype_of(dtypes, node, 0);
    case DTypeSource::of_1:
      return dtype_of(dtypes, node, 1);
    case DTypeSource::of_2:
      return dtype_of(dtypes, node, 2);
    case DTypeSource::boolean:
      return DType::boolean;
    case DTypeSource::int32:
      return DType::int32;
    case DTypeSource::int64:
      return DType::int64;
    case DTypeSource::to:
      return dtype_number(node.int_or("to", 0));
    case DTypeSource::dtype:
      return node.find("dtype") == nullptr ? dtype_of(dtypes, node, 0)
                                           : dtype_number(node.int_or("dtype", 0));
    case DTypeSource::value: {
      const Tensor* value = node.tensor("value");
      return value == nullptr ? DType::float32 : value->dtype;
    }
    case DTypeSource::stash_type:
      return dtype_number(node.int_or("stash_type", 1));
    case DTypeSource::output_datatype:
      return dtype_number(node.int_or("output_datatype", 1));
    case DTypeSource::unknown:
      break;
  }
  return DType::undefined;
}

DTypes propagate_dtypes(const Graph& graph) {
  DTypes dtypes;
  for (const Value& value : graph.values) dtypes.push_back(value.dtype);
  for (const Node& node : graph.nodes) {
    if (node.op == Op::Unknown) continue;
    for (std::size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i] != kNone && dtypes[node.outputs[i]] == DType::undefined)
        dtypes[node.outputs[i]] = output_dtype(dtypes, node, i);
  }
  return dtypes;
}

bool allows(DTypeClass dtypes, DType dtype) {
  switch (dtypes) {
    case DTypeClass::F:
      return is_float(dtype) && !is_narrow_float(dtype);
    case DTypeClass::N:
      return is_float(dtype) || is_integer(dtype);
    case DTypeClass::B:
      return dtype == DType::boolean;
    case DTypeClass::I:
      return is_integer(dtype);
    case DTypeClass::A:
      break;
  }
  return gpu_type(dtype).has_value();
}

std::string_view class_text(DTypeClass dtypes) {
  switch (dtypes) {
    case DTypeClass::F:
      return "float16, bfloat16, float32 and float64";
    case DTypeClass::N:
      return "floats and integers";
    case DTypeClass::B:
      return "bool";
    case DTypeClass::I:
      return "integers";
    case DTypeClass::A:
      break;
  }
  return "floats, integers and bool";
}

// Whether its elements are less than a byte, or a float of one: what Cast and QuantizeLinear alone
// round to.
bool is_narrow(DType dtype) {
  return is_narrow_float(dtype) || (is_integer(dtype) && integer_bits(dtype) < 8);
}

// The dtype that an attribute of an operator that makes numbers asks for.
std::string check_made(const Node& node) {
  const RuleInfo& rule = rule_info(op_info(node.op).infer);
  const bool by_dtype = rule.first == DTypeSource::dtype;
  if (!by_dtype && rule.first != DTypeSource::output_datatype) return "";
  const DType dtype = dtype_number(node.int_or(by_dtype ? "dtype" : "output_datatype", 0));
  if (!is_narrow(dtype)) return "";
  return fmt::format(
      "it makes numbers of {}; supported are floats of 16 bits and more and "
      "integers of 8 bits and more",
      dtype_name(dtype));
}

// Modes of single operators. Each gives the reason why the node cannot be converted, or "".
using ModeCheck = std::string (*)(const Graph&, const Node&);

std::string check_cast(const Graph&, const Node& node) {
  const std::int64_t to = node.int_or("to", 0);
  const DType dtype = dtype_number(to);
  if (gpu_type(dtype) && dtype != DType::float8e8m0) return "";
  const std::string found =
      dtype == DType::undefined ? fmt::format("data type {}", to) : std::string(dtype_name(dtype));
  return fmt::format("it casts to {}; supported are floats but float8e8m0, integers and bool",
                     found);
}

std::string check_bit_cast(const Graph& graph, const Node& node) {
  const DType to = dtype_number(node.int_or("to", 0));
  const DType from = node.has_input(0) ? graph.values[node.inputs[0]].dtype : DType::undefined;
  for (const DType dtype : {from, to})
    if (dtype != DType::undefined && (!gpu_type(dtype) || dtype_size(dtype) > 4))
      return fmt::format("it takes bits of or as {}; supported are dtypes of 8, 16 and 32 bits",
                         dtype_name(dtype));
  if (to == DType::undefined)
    return fmt::format("it takes bits as data type {}", node.int_or("to", 0));
  return "";
}

std::string check_constant_of_shape(const Graph&, const Node& node) {
  const Tensor* value = node.tensor("value");
  if (value == nullptr || gpu_type(value->dtype)) return "";
  return fmt::format("its value is {}; supported are floats, integers and bool",
                     dtype_name(value->dtype));
}

std::string check_dropout(const Graph& graph, const Node& node) {
  if (!node.has_input(2)) return "";
  const Tensor* mode = graph.constant(node.inputs[2]);
  if (mode == nullptr) return "its training_mode is computed; it must be absent or constant false";
  const auto values = integer_values(*mode);
  if (values && std::ranges::all_of(*values, [](std::int64_t v) { return v == 0; })) return "";
  return "its training_mode is true; export the model for inference";
}

std::string check_gelu(const Graph&, const Node& node) {
  const std::string_view approximate = node.string_or("approximate", "none");
  if (approximate == "none" || approximate == "tanh") return "";
  return fmt::format("its approximate is {}; supported are 'none' and 'tanh'", quoted(approximate));
}

// More outputs are those of training; opset 14 says it with an attribute, and what they are. Before
// opset 9 a BatchNormalization might have parameters for each place.
std::string check_batch_normalization(const Graph& graph, const Node& node) {
  if (node.int_or("training_mode", 0) != 0) return "";
  if (node.int_or("spatial", 1) == 0) return "its spatial is 0; supported is 1";
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    const ValueId output = node.outputs[i];
    if (output == kNone) continue;
    const bool is_read = std::ranges::find(graph.outputs, output) != graph.outputs.end() ||
                         std::ranges::any_of(graph.nodes, [&](const Node& other) {
                           return std::ranges::find(other.inputs, output) != other.inputs.end();
                         });
    if (is_read)
      return fmt::format(
          "its output {} is read, which training gives; export the model for inference", i);
  }
  return "";
}

// Before opset 7 an attribute said whether it was run for inference.
std::string check_is_test(const Node& node) {
  if (node.op != Op::BatchNormalization && node.op != Op::Dropout) return "";
  if (node.int_or("is_test", 0) != 0) return "";
  return "its is_test is 0, which is training; export the model for inference";
}

std::string check_bit_shift(const Graph&, const Node& node) {
  const std::string_view direction = node.string_or("direction", "");
  if (direction == "LEFT" || direction == "RIGHT") return "";
  return fmt::format("its direction is {}; it must be 'LEFT' or 'RIGHT'", quoted(direction));
}

std::string check_grid_sample(const Graph&, const Node& node) {
  static constexpr std::string_view kKnown[] = {"linear", "bilinear", "nearest", "cubic",
                                                "bicubic"};
  static constexpr std::string_view kPaddings[] = {"zeros", "border", "reflection"};
  const std::string_view mode = node.string_or("mode", "linear");
  if (std::ranges::find(kKnown, mode) == std::end(kKnown))
    return fmt::format("its mode is {}; it must be 'linear', 'nearest' or 'cubic'", quoted(mode));
  const std::string_view padding = node.string_or("padding_mode", "zeros");
  if (std::ranges::find(kPaddings, padding) == std::end(kPaddings))
    return fmt::format("its padding_mode is {}; it must be 'zeros', 'border' or 'reflection'",
                       quoted(padding));
  return "";
}

std::string check_eye_like(const Graph&, const Node& node) {
  if (node.find("dtype") == nullptr) return "";
  const std::int64_t number = node.int_or("dtype", 0);
  const DType dtype = dtype_number(number);
  if (gpu_type(dtype) && !is_narrow(dtype)) return "";
  return fmt::format("its dtype is {}; supported are floats of 16 bits and more, integers and bool",
                     dtype == DType::undefined ? fmt::format("data type {}", number)
                                               : std::string(dtype_name(dtype)));
}

std::string check_stash_type(const Graph&, const Node& node) {
  const std::int64_t stash_type = node.int_or("stash_type", 1);
  if (stash_type == 1) return "";
  return fmt::format("its stash_type is {}; supported is 1, statistics in float32", stash_type);
}

std::string check_global_lp_pool(const Graph&, const Node& node) {
  const std::int64_t p = node.int_or("p", 2);
  return p >= 1 ? "" : fmt::format("its p is {}; it must be at least 1", p);
}

std::string check_lp_normalization(const Graph&, const Node& node) {
  const std::int64_t p = node.int_or("p", 2);
  return p == 1 || p == 2 ? "" : fmt::format("its p is {}; it must be 1 or 2", p);
}

std::string check_groups(const Graph&, const Node& node) {
  const std::string_view name = node.op == Op::GroupNormalization ? "num_groups" : "groups";
  const std::int64_t groups = node.int_or(name, 0);
  return groups >= 1 ? "" : fmt::format("its {} is {}; it must be at least 1", name, groups);
}

std::string check_group_normalization(const Graph& graph, const Node& node) {
  const std::string groups = check_groups(graph, node);
  return groups.empty() ? check_stash_type(graph, node) : groups;
}

struct Mode {
  Op op;
  ModeCheck check;
  std::string_view allowed;
};
constexpr std::string_view kStash = "stash_type 1";
constexpr std::string_view kTargets = "to floats but float8e8m0, integers and bool";
constexpr Mode kModes[] = {
    {Op::BatchNormalization, check_batch_normalization,
     "of inference, or with training_mode 1; spatial 1"},
    {Op::BitCast, check_bit_cast, "dtypes of 8, 16 and 32 bits"},
    {Op::BitShift, check_bit_shift, "direction LEFT, RIGHT"},
    {Op::Cast, check_cast, kTargets},
    {Op::ConstantOfShape, check_constant_of_shape, "value of floats, integers and bool"},
    {Op::Dropout, check_dropout, "of inference"},
    {Op::EyeLike, check_eye_like, "dtype of floats of 16 bits and more, integers and bool"},
    {Op::Gelu, check_gelu, "approximate none, tanh"},
    {Op::GridSample, check_grid_sample,
     "mode linear, nearest, cubic; padding_mode zeros, border, reflection"},
    {Op::GlobalLpPool, check_global_lp_pool, "p of 1 and more"},
    {Op::GroupNorm, check_groups, ""},
    {Op::GroupNormalization, check_group_normalization, kStash},
    {Op::LayerNormalization, check_stash_type, kStash},
    {Op::LpNormalization, check_lp_normalization, "p 1, 2"},
    {Op::RMSNormalization, check_stash_type, kStash},
    {Op::SkipGroupNorm, check_groups, ""},
};

bool knows_domain(std::string_view domain) {
  for (std::size_t i = 0; i < op_count(); ++i)
    if (op_info(static_cast<Op>(i + 1)).domain == domain) return true;
  return false;
}

std::string check_node(const Graph& graph, const DTypes& dtypes, const Node& node,
                       std::int64_t opset) {
  if (reference::carries_graph(node)) return "operators with graphs inside are not supported";
  if (node.op == Op::Unknown) {
    if (!knows_domain(node.domain))
      return fmt::format("operators of the domain {} are not supported", quoted(node.domain));
    return "the operator is not supported";
  }
  const OpInfo& info = op_info(node.op);
  const InputSet typed = rule_info(info.infer).typed;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const DType dtype = dtype_of(dtypes, node, i);
    if (dtype == DType::undefined || !typed.contains(i) || allows(info.dtypes, dtype)) continue;
    return fmt::format("input {} is {}; supported are {}", i, dtype_name(dtype),
                       class_text(info.dtypes));
  }
  if (node.op == Op::BitwiseNot && dtype_of(dtypes, node, 0) == DType::uint64)
    return "its input is uint64, of which the bits beyond 32 would be set";
  if (std::string reason = check_made(node); !reason.empty()) return reason;
  if (opset < 7)
    if (std::string reason = check_is_test(node); !reason.empty()) return reason;
  for (const Mode& mode : kModes)
    if (mode.op == node.op)
      if (std::string reason = mode.check(graph, node); !reason.empty()) return reason;
  return "";
}

// One operator that is refused for one reason: how many nodes, and the first of them.
struct Refusal {
  static constexpr std::size_t kNamed = 3;

  std::string op_type, domain, reason;
  std::size_t count = 0;
  std::vector<std::string> first;

  std::string nodes() const {
    std::string text = fmt::format("{}", fmt::join(first, ", "));
    if (count > first.size()) text += fmt::format(" and {} more", count - first.size());
    return text;
  }
};

class Refusals {
 public:
  void add(const Graph& graph, NodeId n, bool is_inside, const std::string& reason) {
    const Node& node = graph.nodes[n];
    auto found = std::ranges::find_if(all_, [&](const Refusal& r) {
      return r.op_type == node.op_type && r.domain == node.domain && r.reason == reason;
    });
    if (found == all_.end()) {
      all_.push_back({node.op_type, node.domain, reason, 0, {}});
      found = all_.end() - 1;
    }
    if (++found->count > Refusal::kNamed) return;
    std::string name = describe(graph, n);
    if (is_inside) name += fmt::format(" of the graph {}", quoted(graph.name));
    found->first.push_back(std::move(name));
  }
  const std::vector<Refusal>& all() const { return all_; }

 private:
  std::vector<Refusal> all_;
};

}  // namespace

OperatorSupport operator_support(Op op) {
  OperatorSupport support;
  for (int number = 1; number <= static_cast<int>(DType::int2); ++number)
    if (const auto dtype = static_cast<DType>(number);
        dtype_size(dtype) != 0 && integer_bits(dtype) != 2 && integer_bits(dtype) != 4 &&
        allows(op_info(op).dtypes, dtype))
      support.dtypes.push_back(dtype);
  for (const Mode& mode : kModes)
    if (mode.op == op) support.modes = mode.allowed;
  return support;
}

Expected<void> check_supported(const Model& model) {
  Refusals refusals;
  for (std::size_t g = 0; g < model.graphs.size(); ++g) {
    // What a graph inside holds matters where the node that has it is refused too.
    if (g > 0 && refusals.all().empty()) break;
    const Graph& graph = model.graphs[g];
    const DTypes dtypes = propagate_dtypes(graph);
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
      const Node& node = graph.nodes[n];
      if (const std::string reason = check_node(graph, dtypes, node, model.opset); !reason.empty())
        refusals.add(graph, static_cast<NodeId>(n), g > 0, reason);
    }
  }
  if (refusals.all().empty()) return {};
  Error all{{}, ErrorKind::unsupported, quoted(model.source_name)};
  std::string lines;
  std::size_t nodes = 0;
  for (const Refusal& refusal : refusals.all()) {
    Error one{{}, ErrorKind::unsupported, refusal.nodes()};
    one.message = fmt::format("{}: {}", one.object, refusal.reason);
    lines += "\n  " + one.message;
    nodes += refusal.count;
    all.list.push_back(std::move(one));
  }
  all.message = fmt::format(
      "{}: {} cannot be converted. Export the model with other operators in their place; `subbyte "
      "list "
      "ops` shows those that are supported:{}",
      all.object, nodes == 1 ? "1 node" : fmt::format("{} nodes", nodes), lines);
  return tl::unexpected<Error>(std::move(all));
}

}  // namespace subbyte
