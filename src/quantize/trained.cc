#include "quantize/trained.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "graph/ops.h"
#include "graph/recurrence.h"
#include "quantize/coordinates.h"

namespace subbyte {
namespace {

using TakenFor = TrainedOperands::TakenFor;

// Walks are short; a graph made to be long must not make them slow.
constexpr int kLongestWalk = 32;

bool is_one_element(const Tensor* tensor) { return tensor != nullptr && tensor->elements() == 1; }

float first_element(const Tensor& tensor) {
  float value = 0;
  read_floats(tensor, 0, 1, &value);
  return value;
}

// Axes count from the last, as broadcasting does.
struct Along {
  std::size_t axis = 0;
  std::int64_t size = 1;
};

// The one axis along which a vector lies; nullopt for a table.
std::optional<Along> along(const Tensor& vector) {
  std::optional<Along> found;
  for (std::size_t i = 0; i < vector.dims.size(); ++i) {
    if (vector.dims[i] == 1) continue;
    if (found) return std::nullopt;
    found = Along{vector.dims.size() - 1 - i, vector.dims[i]};
  }
  return found;
}

// Whether the first row of a table, its elements at 0 of the axis, is that of the cosines or of the
// sines of 0, up to a factor.
bool starts_at_angle_0(const Tensor& table, std::size_t axis) {
  const auto size_of = [](auto begin, auto end) {
    return std::accumulate(begin, end, std::int64_t{1}, std::multiplies<>());
  };
  const auto at = table.dims.begin() + static_cast<std::ptrdiff_t>(axis);
  const std::int64_t outer = size_of(table.dims.begin(), at);
  const std::int64_t inner = size_of(at + 1, table.dims.end());
  if (table.elements() < 1) return false;
  std::vector<float> row(static_cast<std::size_t>(inner));
  read_floats(table, 0, 1, row.data());
  const float first = row[0];
  if (std::abs(first) > 2) return false;
  for (std::int64_t o = 0; o < outer; ++o) {
    read_floats(table, o * *at * inner, inner, row.data());
    if (std::ranges::any_of(row, [&](float v) { return v != first; })) return false;
  }
  return true;
}

// How many elements of its weight a product sums over.
std::int64_t depth_of(const Node& product, const Tensor& weight, bool left) {
  const auto& dims = weight.dims;
  if (dims.size() < 2) return weight.elements();
  if (product.op == Op::Conv || product.op == Op::ConvTranspose) {
    const std::int64_t channels = dims[product.op == Op::Conv ? 0 : 1];
    return weight.elements() / std::max<std::int64_t>(channels, 1);
  }
  const bool k_last =
      left != (product.op == Op::Gemm && product.int_or(left ? "transA" : "transB", 0) != 0);
  return dims[dims.size() - (k_last ? 1 : 2)];
}

// The data that a product multiplies with a constant; kNone where it multiplies computed values.
ValueId data_of(const Node& product, const std::function<bool(ValueId)>& is_constant) {
  const bool left = is_constant(product.inputs[0]), right = is_constant(product.inputs[1]);
  if (left == right) return kNone;
  return product.inputs[left ? 1 : 0];
}

}  // namespace

bool takes_known_places(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::Gather:
    case Op::GatherElements:
    case Op::GatherND:
      return graph.constant(node.inputs[1]) != nullptr;
    default:
      return false;
  }
}

TrainedOperands::TrainedOperands(const Model& model, const Uses& uses,
                                 const std::vector<bool>& made,
                                 std::function<Moments(ValueId)> moments)
    : model_(model),
      graph_(model.main()),
      uses_(uses),
      made_(made),
      flow_(model.main(), made),
      moments_(std::move(moments)) {}

bool TrainedOperands::trains_matrix(ValueId constant, NodeId reader) const {
  if (constant != kNone && made_[constant]) return false;
  const Node& node = graph_.nodes[reader];
  if (node.op == Op::Gather) return !holds_angles(constant, node) && !holds_places(constant, node);
  // Nothing but training makes the weights of a recurrence.
  if (is_recurrence(node.op)) return true;
  if (!is_product(node.op)) return false;
  const ValueId data = data_of(node, [this](ValueId v) { return constant_behind(v) != kNone; });
  if (data == kNone || !flow_.trains(data, node.outputs[0])) return false;
  if (constant == kNone) return true;
  const Tensor& matrix = *graph_.constant(constant);
  if (flow_.origin(data) != Origin::feature && is_map_of_coordinates(matrix)) return false;
  const unsigned ends = flow_.ends(node.outputs[0]);
  return (ends & kEndsInProduct) != 0 || !is_sum_of_few(matrix);
}

TakenFor TrainedOperands::taken_for(ValueId constant) const {
  if (made_[constant]) return {};
  return view_taken_for(constant, constant, 0).value_or(TakenFor{});
}

// Whether a node passes on the elements of input 0 at places that are known, or means of them.
bool TrainedOperands::passes_on(const Node& node) const {
  return is_view(node.op) || node.op == Op::Resize || takes_known_places(graph_, node);
}

// What all readers of `view`, which is the constant or a view of it, take it for; nullopt where
// there is none.
std::optional<TakenFor> TrainedOperands::view_taken_for(ValueId view, ValueId constant,
                                                        int depth) const {
  constexpr int kDeepest = 4;
  if (uses_.outputs[view] > 0 || depth > kDeepest) return TakenFor{};
  std::optional<TakenFor> all;
  for (const NodeId n : uses_.readers[view]) {
    const Node& node = graph_.nodes[n];
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != view) continue;
      const auto taken = i == 0 && passes_on(node)
                             ? view_taken_for(node.outputs[0], constant, depth + 1)
                             : taken_for_in(node, i, constant, view != constant);
      if (!taken) continue;
      if (taken->kind == WeightUseKind::other || (all && all->kind != taken->kind))
        return TakenFor{};
      all = TakenFor{taken->kind, all ? std::min(all->beside, taken->beside) : taken->beside};
    }
  }
  return all;
}

TakenFor TrainedOperands::taken_for_in(const Node& node, std::size_t input, ValueId constant,
                                       bool viewed) const {
  const ValueId result = node.outputs[0];
  if (is_product(node.op)) {
    if (input < 2) return operand(node, input);
    if (node.op == Op::Gemm || viewed || keeps_digits(result))
      return addend(result, result, constant, viewed);
    const Source source = source_of(result);
    // Beside a matrix that training did not make, nothing says how large the result is.
    if (source.node == kNone) return {};
    return {WeightUseKind::bias, size_of(source)};
  }
  // Beside gates, whose activations saturate where their sums are much larger than 1.
  if (is_recurrence(node.op)) return input == 3 ? TakenFor{WeightUseKind::bias, 1} : TakenFor{};
  if (is_normalization(node.op)) {
    return input == 1 ? TakenFor{WeightUseKind::scale} : addend(result, result, constant, viewed);
  }
  if (node.op == Op::Gather && input == 0 && graph_.constant(constant)->dims.size() >= 2 &&
      !holds_angles(constant, node) && !holds_places(constant, node)) {
    return {WeightUseKind::operand};
  }
  if (node.inputs.size() != 2) return {};
  const ValueId data = node.inputs[1 - input];
  if (data == kNone || constant_behind(data) != kNone) return {};
  const bool right = input == 1;
  if (node.op == Op::Add || (node.op == Op::Sub && right)) {
    return addend(data, result, constant, viewed);
  }
  if (!viewed && (node.op == Op::Mul || (node.op == Op::Div && right))) {
    return factor(data, result, constant);
  }
  return {};
}

TakenFor TrainedOperands::operand(const Node& product, std::size_t input) const {
  const ValueId data = product.inputs[1 - input];
  if (constant_behind(data) != kNone || !flow_.trains(data, product.outputs[0])) return {};
  return {WeightUseKind::operand};
}

// A bias; or a table of positions, added to features that go on to be multiplied.
TakenFor TrainedOperands::addend(ValueId data, ValueId result, ValueId constant,
                                 bool viewed) const {
  if (keeps_digits(result)) return {};
  const Tensor& tensor = *graph_.constant(constant);
  const Source source = source_of(data);
  if (!viewed && source.node != kNone && lies_along_channels(tensor, source)) {
    return {WeightUseKind::bias, size_of(source)};
  }
  if (!is_inside(result) || flow_.origin(data) != Origin::feature || along(tensor)) return {};
  if (is_table_of_boxes(tensor)) return {};
  const Moments moments = moments_(constant);
  const double variance = moments.mean_square - moments.mean * moments.mean;
  return {WeightUseKind::bias, std::sqrt(std::max(variance, 0.0))};
}

// The scale of a normalisation, or of the channels of a product.
TakenFor TrainedOperands::factor(ValueId data, ValueId result, ValueId constant) const {
  const Tensor& tensor = *graph_.constant(constant);
  if (keeps_digits(result)) return {};
  const Source source = source_of(data);
  if (source.node != kNone && lies_along_channels(tensor, source)) return {WeightUseKind::scale};
  const bool inside = is_inside(result) && flow_.origin(data) == Origin::feature;
  return inside && along(tensor) ? TakenFor{WeightUseKind::scale} : TakenFor{};
}

// Whether angles are computed of it, or powers that are results.
bool TrainedOperands::keeps_digits(ValueId result) const {
  const unsigned ends = flow_.ends(result);
  return (ends & kEndsInAngle) != 0 ||
         ((ends & kEndsInExponent) != 0 && (ends & kEndsInProduct) == 0);
}

// Whether products and normalisations alone make something of it.
bool TrainedOperands::is_inside(ValueId result) const {
  const unsigned ends = flow_.ends(result);
  return (ends & kEndsInProduct) != 0 && (ends & (kEndsInIndex | kEndsInOutput)) == 0;
}

TrainedOperands::Source TrainedOperands::source_of(ValueId value) const {
  Source source;
  for (int steps = 0; steps < kLongestWalk && value != kNone; ++steps) {
    const NodeId producer = graph_.values[value].producer;
    if (producer == kNone) return source;
    const Node& node = graph_.nodes[producer];
    const bool source_found =
        (is_product(node.op) && (trains_matrix(constant_behind(node.inputs[1]), producer))) ||
        is_normalization(node.op) || is_normalized(node);
    if (source_found) {
      source.node = producer;
      return source;
    }
    value = step_back(node, source);
  }
  return source;
}

// The value that `node` scales, moves by channels or views; kNone where it does something else.
ValueId TrainedOperands::step_back(const Node& node, Source& source) const {
  if (is_view(node.op) || node.op == Op::Cast) {
    source.viewed = source.viewed || is_view(node.op);
    return node.inputs[0];
  }
  if (node.inputs.size() != 2) return kNone;
  const Tensor* left = graph_.constant(node.inputs[0]);
  const Tensor* right = graph_.constant(node.inputs[1]);
  if ((left == nullptr) == (right == nullptr)) return kNone;
  const Tensor& tensor = left != nullptr ? *left : *right;
  const ValueId constant = node.inputs[left != nullptr ? 0 : 1];
  const ValueId data = node.inputs[left != nullptr ? 1 : 0];
  if (!is_float(tensor.dtype) || (!is_one_element(&tensor) && !along(tensor))) return kNone;
  switch (node.op) {
    case Op::Add:
    case Op::Sub:
      return data;
    case Op::Mul:
      source.factor *= root_mean_square(constant);
      return data;
    case Op::Div:
      if (left != nullptr) return kNone;
      source.factor /= root_mean_square(constant);
      return data;
    default:
      return kNone;
  }
}

// A quotient by a standard deviation, or a product with its inverse.
bool TrainedOperands::is_normalized(const Node& node) const {
  if (node.op == Op::Div) {
    return constant_behind(node.inputs[0]) == kNone && is_deviation(node.inputs[1]);
  }
  if (node.op != Op::Mul) return false;
  for (const ValueId input : node.inputs) {
    const NodeId producer = graph_.values[input].producer;
    if (producer == kNone) continue;
    const Node& inverse = graph_.nodes[producer];
    const bool one_over =
        inverse.op == Op::Reciprocal ||
        (inverse.op == Op::Div && is_one_element(graph_.constant(inverse.inputs[0])));
    if (one_over && is_deviation(inverse.inputs.back())) return true;
    if (inverse.op == Op::Pow && is_one_element(graph_.constant(inverse.inputs[1])) &&
        first_element(*graph_.constant(inverse.inputs[1])) == -0.5f) {
      return true;
    }
  }
  return false;
}

bool TrainedOperands::is_deviation(ValueId value) const {
  if (flow_.origin(value) < Origin::data) return false;
  for (int steps = 0; steps < kLongestWalk && value != kNone; ++steps) {
    const NodeId producer = graph_.values[value].producer;
    if (producer == kNone) return false;
    const Node& node = graph_.nodes[producer];
    switch (node.op) {
      case Op::Sqrt:
      case Op::ReduceL2:
        return true;
      case Op::Pow:
        return is_one_element(graph_.constant(node.inputs[1])) &&
               first_element(*graph_.constant(node.inputs[1])) == 0.5f;
      case Op::Add:
      case Op::Max:
        value =
            node.inputs[graph_.constant(node.inputs[0]) != nullptr ? node.inputs.size() - 1 : 0];
        break;
      case Op::Clip:
      case Op::Cast:
        value = node.inputs[0];
        break;
      default:
        if (!is_view(node.op)) return false;
        value = node.inputs[0];
    }
  }
  return false;
}

// Whether a vector has an element for each channel of what a product computed; a normalisation may
// have been over any axes.
bool TrainedOperands::lies_along_channels(const Tensor& vector, const Source& source) const {
  const Node& node = graph_.nodes[source.node];
  if (!is_product(node.op)) return true;
  const auto lies = along(vector);
  if (!lies) return false;
  std::size_t axis = 0;
  if (node.op == Op::Conv || node.op == Op::ConvTranspose) {
    axis = graph_.values[node.outputs[0]].shape->size() - 2;
  } else if (constant_behind(node.inputs[0]) != kNone) {
    axis = 1;
  }
  const auto channels = size_from_last(node.outputs[0], axis);
  if (!channels) return false;
  return source.viewed ? *channels % lies->size == 0
                       : *channels == lies->size && axis == lies->axis;
}

// About how large the values are that a source makes, where what it is computed from is of the
// size of 1.
double TrainedOperands::size_of(const Source& source) const {
  const Node& node = graph_.nodes[source.node];
  if (is_normalization(node.op) && node.has_input(1)) {
    return source.factor * root_mean_square(constant_behind(node.inputs[1]));
  }
  if (!is_product(node.op)) return source.factor;
  const bool left = constant_behind(node.inputs[0]) != kNone;
  const ValueId weight = constant_behind(node.inputs[left ? 0 : 1]);
  if (weight == kNone) return 0;
  return source.factor * root_mean_square(weight) *
         std::sqrt(static_cast<double>(depth_of(node, *graph_.constant(weight), left)));
}

double TrainedOperands::root_mean_square(ValueId constant) const {
  if (constant == kNone) return 1;
  return std::sqrt(moments_(constant).mean_square);
}

// Whether a table has the sines or cosines of angles for each position: its rows turn features, and
// the first is that of the angle 0.
bool TrainedOperands::holds_angles(ValueId table, const Node& gather) const {
  const ValueId result = gather.outputs[0];
  const unsigned ends = flow_.ends(result);
  if ((ends & kEndsInAngle) != 0) return true;
  // Places that are picked, and go nowhere to be multiplied.
  if ((ends & kEndsInIndex) != 0 && (ends & kEndsInProduct) == 0) return true;
  const auto axis = static_cast<std::size_t>(gather.int_or("axis", 0));
  return starts_at_angle_0(*graph_.constant(table), axis) && multiplies_features(result);
}

// Whether a table has a point or a box for each of what is picked by rank: anchors, not features.
bool TrainedOperands::holds_places(ValueId table, const Node& gather) const {
  const Tensor& tensor = *graph_.constant(table);
  const auto axis = static_cast<std::size_t>(gather.int_or("axis", 0));
  if (tensor.elements() > kMostCoordinates * tensor.dims[axis]) return false;
  ValueId value = gather.inputs[1];
  for (int steps = 0; steps < kLongestWalk && value != kNone; ++steps) {
    const NodeId producer = graph_.values[value].producer;
    if (producer == kNone) return false;
    const Node& node = graph_.nodes[producer];
    switch (node.op) {
      case Op::TopK:
      case Op::NonZero:
      case Op::NonMaxSuppression:
      case Op::ArgMax:
      case Op::ArgMin:
        return true;
      default:
        if (node.inputs.empty()) return false;
        value = node.inputs[0];
    }
  }
  return false;
}

bool TrainedOperands::multiplies_features(ValueId value) const {
  std::vector<ValueId> ahead{value};
  for (std::size_t at = 0; at < ahead.size() && at < kLongestWalk; ++at) {
    for (const NodeId n : uses_.readers[ahead[at]]) {
      const Node& node = graph_.nodes[n];
      if (node.op == Op::Mul) {
        const ValueId other = node.inputs[node.inputs[0] == ahead[at] ? 1 : 0];
        if (source_of(other).node != kNone) return true;
      } else if (is_view(node.op) || node.op == Op::Cast || node.op == Op::Concat ||
                 node.op == Op::Neg) {
        ahead.insert(ahead.end(), node.outputs.begin(), node.outputs.end());
        std::erase(ahead, kNone);
      }
    }
  }
  return false;
}

std::optional<std::int64_t> TrainedOperands::size_from_last(ValueId value, std::size_t axis) const {
  const auto& shape = graph_.values[value].shape;
  if (!shape || axis >= shape->size()) return std::nullopt;
  return model_.exprs.value((*shape)[shape->size() - 1 - axis]);
}

// The constant that `value` is, or a view of; kNone where it is computed.
ValueId TrainedOperands::constant_behind(ValueId value) const {
  for (int steps = 0; steps < kLongestWalk && value != kNone; ++steps) {
    const Value& v = graph_.values[value];
    if (v.constant) return value;
    if (v.producer == kNone || !is_view(graph_.nodes[v.producer].op)) return kNone;
    value = graph_.nodes[v.producer].inputs[0];
  }
  return kNone;
}

}  // namespace subbyte
