#include "samples/standardised.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/scalar_math.h"
#include "graph/node_form.h"
#include "graph/ops.h"

namespace subbyte {

namespace {

using Step = Standardisation::Step;
using Chain = Standardisation::Chain;

// Features that have a mean and a deviation of their own.
constexpr std::int64_t kMostFeatures = 1 << 16;
// Nodes that are looked at for one input.
constexpr int kMostPlaces = 4096;
// What standardises an input stands within so many nodes of it.
constexpr int kMostDepth = 64;

struct Constant {
  std::vector<double> values{};
  std::size_t axis_from_end = 0;  // 0: one value
};

std::optional<Constant> constant_along_one_axis(const Tensor* tensor) {
  if (tensor == nullptr || !is_float(tensor->dtype)) return std::nullopt;
  if (tensor->elements() < 1 || tensor->elements() > kMostFeatures) return std::nullopt;
  Constant found;
  for (std::size_t axis = 0; axis < tensor->dims.size(); ++axis) {
    if (tensor->dims[axis] == 1) continue;
    if (found.axis_from_end != 0) return std::nullopt;
    found.axis_from_end = tensor->dims.size() - axis;
  }
  std::vector<float> values(static_cast<std::size_t>(tensor->elements()));
  read_floats(*tensor, 0, tensor->elements(), values.data());
  found.values.assign(values.begin(), values.end());
  return found;
}

// x + c, x - c, c - x, x * c or x / c, of which x is that operand.
Step step_of(Op op, std::size_t operand, double c) {
  switch (op) {
    case Op::Add:
      return {.scale = 1, .offset = c};
    case Op::Sub:
      return operand == 0 ? Step{.scale = 1, .offset = -c} : Step{.scale = -1, .offset = c};
    case Op::Mul:
      return {.scale = c, .offset = 0};
    default:
      return {.scale = 1 / c, .offset = 0};
  }
}

void append(const Step& step, Chain& chain) {
  if (step.kind != Step::Kind::affine || chain.empty() || chain.back().kind != Step::Kind::affine) {
    chain.push_back(step);
    return;
  }
  Step& last = chain.back();
  last.scale *= step.scale;
  last.offset = last.offset * step.scale + step.offset;
}

// Features [first, first + chains.size()) of the input, and where they lie in another value.
struct Place {
  ValueId value = kNone;
  std::size_t axis = 0;  // from the end, in the value as in the input; 0: all are alike so far
  std::int64_t first = 0, at = 0;
  std::vector<Chain> chains{{}};

  std::int64_t count() const { return static_cast<std::int64_t>(chains.size()); }
};

class Search {
 public:
  Search(const Model& model, const Uses& uses, ValueId input)
      : model_(model), graph_(model.main()), uses_(uses), input_(input) {}

  Standardisation run() {
    follow({.value = input_}, 0);
    return std::move(found_);
  }

 private:
  std::optional<std::int64_t> size_from_end(ValueId value, std::size_t axis) const {
    const auto& shape = graph_.values[value].shape;
    if (!shape || axis < 1 || axis > shape->size()) return std::nullopt;
    return model_.exprs.value((*shape)[shape->size() - axis]);
  }

  // Whether some way from there says something. The first that speaks of a feature is believed.
  bool follow(const Place& place, int depth) {
    if (++places_ > kMostPlaces || depth > kMostDepth) return false;
    bool spoken = false;
    NodeId last = kNone;
    for (const NodeId reader : uses_.readers[place.value]) {
      if (reader == last) continue;
      last = reader;
      for (const Place& next : past(graph_.nodes[reader], place)) spoken |= follow(next, depth + 1);
    }
    if (spoken) return true;
    const bool says = std::ranges::any_of(place.chains, [](const Chain& c) { return !c.empty(); });
    if (says) keep(place);
    return says;
  }

  void keep(const Place& place) {
    if (place.axis == 0) {
      if (!known_.empty()) return;
      found_.features = place.chains;
      known_.assign(1, 1);
      return;
    }
    const auto count = size_from_end(input_, place.axis);
    if (!count) return;
    if (known_.empty()) {
      known_.assign(static_cast<std::size_t>(*count), 0);
      found_.features.assign(known_.size(), {});
      found_.axis_from_end = place.axis;
    }
    if (found_.axis_from_end != place.axis) return;
    for (std::size_t i = 0; i < place.chains.size(); ++i) {
      const std::size_t feature = static_cast<std::size_t>(place.first) + i;
      if (known_[feature] != 0) continue;
      known_[feature] = 1;
      found_.features[feature] = place.chains[i];
    }
  }

  // Where the features of one axis are told apart.
  bool tell_apart(Place& place, std::size_t axis) const {
    if (place.axis != 0) return place.axis == axis;
    const auto size = size_from_end(input_, axis);
    if (!size || *size < 1 || *size > kMostFeatures || size_from_end(place.value, axis) != size)
      return false;
    place.axis = axis;
    place.chains.assign(static_cast<std::size_t>(*size), place.chains.front());
    return true;
  }

  std::vector<Place> past(const Node& node, const Place& place) const {
    switch (node.op) {
      case Op::Add:
      case Op::Sub:
      case Op::Mul:
      case Op::Div:
        return past_constant(node, place);
      case Op::Log:
        return past_curve(node, place, Step::Kind::log);
      case Op::Sqrt:
        return past_curve(node, place, Step::Kind::square_root);
      case Op::Identity:
        return {moved(place, node.outputs[0])};
      case Op::Clip:
        if (node.inputs[0] != place.value) return {};
        return {moved(place, node.outputs[0])};
      case Op::Cast:
        if (!is_float(graph_.values[node.outputs[0]].dtype)) return {};
        return {moved(place, node.outputs[0])};
      case Op::Concat:
        return past_concat(node, place);
      case Op::Slice:
      case Op::Split:
        return past_cut(node, place);
      case Op::Flatten:
      case Op::Reshape:
      case Op::Squeeze:
      case Op::Unsqueeze:
        return past_reshape(node, place);
      default:
        return {};
    }
  }

  static Place moved(Place place, ValueId to) {
    place.value = to;
    return place;
  }

  std::vector<Place> past_constant(const Node& node, Place place) const {
    const std::size_t operand = node.inputs[0] == place.value ? 0 : 1;
    if (node.op == Op::Div && operand == 1) return {};
    const auto constant = constant_along_one_axis(graph_.constant(node.inputs[1 - operand]));
    if (!constant) return {};
    const bool several = constant->axis_from_end != 0;
    if (several) {
      const auto size = static_cast<std::int64_t>(constant->values.size());
      if (!tell_apart(place, constant->axis_from_end) || place.at + place.count() > size) return {};
    }
    for (std::size_t i = 0; i < place.chains.size(); ++i) {
      const std::size_t from = several ? static_cast<std::size_t>(place.at) + i : 0;
      append(step_of(node.op, operand, constant->values[from]), place.chains[i]);
    }
    return {moved(std::move(place), node.outputs[0])};
  }

  static std::vector<Place> past_curve(const Node& node, Place place, Step::Kind kind) {
    for (Chain& chain : place.chains) append({.kind = kind}, chain);
    return {moved(std::move(place), node.outputs[0])};
  }

  std::vector<Place> past_concat(const Node& node, Place place) const {
    const auto& shape = graph_.values[node.outputs[0]].shape;
    if (!shape) return {};
    const std::size_t axis = shape->size() - axis_of(node);
    // Along another axis than that of the features they stay where they are.
    const bool joins_features = place.axis == 0 ? tell_apart(place, axis) : place.axis == axis;
    if (!joins_features) return {moved(std::move(place), node.outputs[0])};
    for (const ValueId operand : node.inputs) {
      if (operand == place.value) return {moved(std::move(place), node.outputs[0])};
      const auto size = size_from_end(operand, axis);
      if (!size) return {};
      place.at += *size;
    }
    return {};
  }

  std::vector<Place> past_cut(const Node& node, const Place& place) const {
    if (node.inputs[0] != place.value) return {};
    const auto& shape = graph_.values[place.value].shape;
    if (!shape) return {};
    if (node.op == Op::Split) {
      const std::size_t axis = shape->size() - axis_of(node);
      std::vector<Place> parts;
      std::int64_t begin = 0;
      for (const ValueId output : node.outputs) {
        const auto size = output == kNone ? std::nullopt : size_from_end(output, axis);
        if (!size) return parts;
        if (auto part = cut(place, axis, begin, *size, output)) parts.push_back(std::move(*part));
        begin += *size;
      }
      return parts;
    }
    std::vector<std::vector<std::int64_t>> operands;
    for (std::size_t i = 1; i < 5; ++i) {
      const Tensor* const constant = node.has_input(i) ? graph_.constant(node.inputs[i]) : nullptr;
      const auto values = constant == nullptr ? std::nullopt : integer_values(*constant);
      if (!values || values->size() != 1) return {};
      operands.push_back(*values);
    }
    const std::int64_t rank = static_cast<std::int64_t>(shape->size());
    const std::int64_t front = operands[2][0] < 0 ? operands[2][0] + rank : operands[2][0];
    if (operands[3][0] != 1 || front < 0 || front >= rank) return {};
    const auto axis = static_cast<std::size_t>(rank - front);
    const auto whole = size_from_end(place.value, axis);
    const auto size = size_from_end(node.outputs[0], axis);
    if (!whole || !size) return {};
    const std::int64_t start = operands[0][0] < 0 ? operands[0][0] + *whole : operands[0][0];
    if (start < 0 || start + *size > *whole) return {};
    auto part = cut(place, axis, start, *size, node.outputs[0]);
    return part ? std::vector<Place>{std::move(*part)} : std::vector<Place>();
  }

  // What of a place lies in [begin, begin + size) of its value.
  std::optional<Place> cut(Place place, std::size_t axis, std::int64_t begin, std::int64_t size,
                           ValueId to) const {
    if (!tell_apart(place, axis)) {
      if (place.axis == 0) return std::nullopt;
      return moved(std::move(place), to);  // along another axis
    }
    const std::int64_t low = std::max(begin, place.at);
    const std::int64_t high = std::min(begin + size, place.at + place.count());
    if (low >= high) return std::nullopt;
    const auto from = place.chains.begin() + (low - place.at);
    Place part{.value = to, .axis = axis, .first = place.first + low - place.at, .at = low - begin};
    part.chains.assign(from, from + (high - low));
    return part;
  }

  // Where the last axis stays what it is.
  std::vector<Place> past_reshape(const Node& node, Place place) const {
    if (node.inputs[0] != place.value || place.axis > 1) return {};
    const auto before = size_from_end(place.value, 1), after = size_from_end(node.outputs[0], 1);
    if (!before || before != after || !tell_apart(place, 1)) return {};
    return {moved(std::move(place), node.outputs[0])};
  }

  const Model& model_;
  const Graph& graph_;
  const Uses& uses_;
  ValueId input_;
  Standardisation found_;
  std::vector<char> known_;  // of found_.features; empty: nothing is
  int places_ = 0;
};

double undone(const Chain& chain, double x) {
  // Beyond, floats are infinite.
  constexpr double kLargestExponent = 80;
  for (auto step = chain.rbegin(); step != chain.rend(); ++step) {
    switch (step->kind) {
      case Step::Kind::affine:
        x = (x - step->offset) / step->scale;
        break;
      case Step::Kind::log:
        x = exp_of(std::clamp(x, -kLargestExponent, kLargestExponent));
        break;
      case Step::Kind::square_root:
        x *= x;
        break;
    }
  }
  return x;
}

}  // namespace

Standardisation Standardisation::of(std::span<const double> means,
                                    std::span<const double> deviations, std::size_t axis_from_end) {
  Standardisation made;
  made.axis_from_end = axis_from_end;
  made.features.clear();
  for (std::size_t i = 0; i < means.size(); ++i)
    made.features.push_back({{.scale = 1 / deviations[i], .offset = -means[i] / deviations[i]}});
  return made;
}

bool Standardisation::tells() const {
  return std::ranges::any_of(features, [](const Chain& chain) {
    return std::ranges::any_of(chain, [](const Step& step) {
      return step.kind != Step::Kind::affine || step.offset != 0;
    });
  });
}

void Standardisation::undo(std::span<float> numbers, std::span<const std::int64_t> dims) const {
  std::size_t step = 1;
  for (std::size_t axis = dims.size() - std::min(dims.size(), axis_from_end) + 1;
       axis < dims.size(); ++axis)
    step *= static_cast<std::size_t>(dims[axis]);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const Chain& chain = features[i / step % features.size()];
    const auto number = static_cast<float>(undone(chain, static_cast<double>(numbers[i])));
    if (std::isfinite(number)) numbers[i] = number;
  }
}

Standardisation find_standardisation(const Model& model, const Uses& uses, ValueId input) {
  return Search(model, uses, input).run();
}

}  // namespace subbyte
