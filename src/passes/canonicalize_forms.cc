// What a node may leave to its reader, written out: axes from the front, pads for all axes, steps,
// permutations. Shapes have been inferred, so that all axes are in range; a node whose input has no
// known rank stays as it is.
#include <algorithm>
#include <numeric>

#include "graph/families.h"
#include "graph/ops.h"
#include "passes/spell_out.h"
#include "reference/element.h"

namespace subbyte {
namespace {

using Numbers = std::vector<std::int64_t>;

Numbers axes_up_to(std::size_t rank) {
  Numbers axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

std::int64_t from_front(std::int64_t axis, std::size_t rank) {
  return axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
}

Numbers from_front(Numbers axes, std::size_t rank) {
  for (std::int64_t& axis : axes) axis = from_front(axis, rank);
  return axes;
}

// A node on its way to its canonical form.
class Form {
 public:
  explicit Form(Speller& speller) : s(speller), node(speller.node()) {}

  Speller& s;
  Node node;
  bool changed = false;

  void set(std::string_view name, AttributeValue value) {
    set_attribute(node, name, std::move(value));
    changed = true;
  }
  void integer(std::string_view name, std::int64_t value) {
    if (node.find(name) == nullptr || node.int_or(name, 0) != value) set(name, value);
  }
  void integers(std::string_view name, const Numbers& values) {
    const auto given = node.ints(name);
    if (!given || !std::ranges::equal(*given, values)) set(name, values);
  }
  void remove(std::string_view name) {
    if (node.find(name) == nullptr) return;
    remove_attribute(node, name);
    changed = true;
  }
  void axis(std::int64_t otherwise, std::size_t rank) {
    integer("axis", from_front(node.int_or("axis", otherwise), rank));
  }

  void input(std::size_t position, ValueId value) {
    set_input(node, position, value);
    changed = true;
  }
  void no_input(std::size_t position) {
    if (!node.has_input(position)) return;
    node.inputs[position] = kNone;
    while (node.inputs.back() == kNone) node.inputs.pop_back();
    changed = true;
  }
  // An operand that is the constant vector of these numbers, of the dtype that it has or else of
  // `dtype`.
  void operand(std::size_t position, std::string_view what, const Numbers& values, DType dtype) {
    const Tensor* given = node.has_input(position) ? s.constant(node.inputs[position]) : nullptr;
    if (given != nullptr && given->dims.size() == 1 && integer_values(*given) == values) return;
    if (node.has_input(position)) dtype = s.value(node.inputs[position]).dtype;
    const std::vector<double> elements(values.begin(), values.end());
    const auto count = static_cast<std::int64_t>(values.size());
    input(position, dtype == DType::int64
                        ? s.int64s(what, values)
                        : s.constant(what, reference::tensor_from(dtype, {count}, elements)));
  }
  void axes_operand(std::size_t position, Numbers axes) {
    std::ranges::sort(axes);
    operand(position, "axes", axes, DType::int64);
  }
};

void form_reduction(Form& f, std::size_t rank) {
  Numbers axes;
  if (f.node.has_input(1)) {
    const auto given = f.s.numbers(f.node.inputs[1]);
    if (!given) return;
    axes = from_front(*given, rank);
  }
  // No axes mean all of them, unless the node says that they mean none.
  if (axes.empty() && f.node.int_or("noop_with_empty_axes", 0) == 0) axes = axes_up_to(rank);
  f.axes_operand(1, axes);
  if (!axes.empty()) f.remove("noop_with_empty_axes");
  f.integer("keepdims", f.node.int_or("keepdims", 1));
}

// Where it names no axes and a size is not known, that size must not be 1, which only a node
// without axes says.
void form_squeeze(Form& f, const std::vector<Expr>& shape) {
  Numbers axes;
  if (f.node.has_input(1)) {
    const auto given = f.s.numbers(f.node.inputs[1]);
    if (!given) return;
    axes = from_front(*given, shape.size());
  } else {
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (!f.s.known(shape[axis])) return;
      if (f.s.is_size(shape[axis], 1)) axes.push_back(static_cast<std::int64_t>(axis));
    }
  }
  f.axes_operand(1, axes);
}

void form_unsqueeze(Form& f, std::size_t rank) {
  const auto given = f.s.numbers(f.node.inputs[1]);
  if (given) f.axes_operand(1, from_front(*given, rank + given->size()));
}

void form_running_sum(Form& f, std::size_t rank) {
  const auto given = f.s.numbers(f.node.inputs[1]);
  if (!given || given->size() != 1) return;
  const Tensor* constant = f.s.constant(f.node.inputs[1]);
  const std::int64_t axis = from_front(given->front(), rank);
  if (constant != nullptr && axis == given->front()) return;
  f.input(1, f.s.constant("axis", make_int64_tensor({}, std::span(&axis, 1))));
}

void form_transpose(Form& f, std::size_t rank) {
  Numbers order = axes_up_to(rank);
  std::ranges::reverse(order);
  if (const auto given = f.node.ints("perm"))
    order = from_front(Numbers(given->begin(), given->end()), rank);
  f.integers("perm", order);
}

// The sizes of the axes in [start, end), which may lie outside.
void form_shape(Form& f, std::size_t rank) {
  if (f.node.find("start") == nullptr && f.node.find("end") == nullptr) return;
  const auto last = static_cast<std::int64_t>(rank);
  const auto inside = [&](std::int64_t axis) {
    return std::clamp<std::int64_t>(from_front(axis, rank), 0, last);
  };
  const std::int64_t start = inside(f.node.int_or("start", 0));
  f.integer("start", start);
  f.integer("end", std::max(start, inside(f.node.int_or("end", last))));
}

void form_slice(Form& f, std::size_t rank) {
  const auto& starts = f.s.value(f.node.inputs[1]).content;
  if (!starts) return;
  const std::size_t count = starts->size();
  const DType dtype = f.s.value(f.node.inputs[1]).dtype;
  Numbers axes = axes_up_to(count);
  if (f.node.has_input(3)) {
    const auto given = f.s.numbers(f.node.inputs[3]);
    if (!given) return;
    axes = from_front(*given, rank);
  }
  // The four are of one type.
  f.operand(3, "axes", axes, dtype);
  if (!f.node.has_input(4)) f.operand(4, "steps", Numbers(count, 1), dtype);
}

// The amounts before all axes and those after them, from those of some.
ValueId pads_of_all(Form& f, const Numbers& axes, std::size_t rank) {
  const std::size_t count = axes.size();
  // Where each amount stands among those that are given; after them stands a 0.
  Numbers places(2 * rank, static_cast<std::int64_t>(2 * count));
  for (std::size_t i = 0; i < count; ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    places[axis] = static_cast<std::int64_t>(i);
    places[rank + axis] = static_cast<std::int64_t>(count + i);
  }
  if (auto known = f.s.numbers(f.node.inputs[1])) {
    known->push_back(0);
    for (std::int64_t& place : places) place = (*known)[static_cast<std::size_t>(place)];
    return f.s.int64s("pads", places);
  }
  const ValueId zero = f.s.int64s("no_pad", Numbers{0});
  const ValueId joined =
      f.s.add(Op::Concat, "pads_and_0", {f.node.inputs[1], zero}, {{"axis", std::int64_t{0}}});
  return f.s.add(Op::Gather, "pads", {joined, f.s.int64s("places", places)},
                 {{"axis", std::int64_t{0}}});
}

void form_pad(Form& f, std::size_t rank) {
  const std::string mode(f.node.string_or("mode", "constant"));
  if (f.node.find("mode") == nullptr) f.set("mode", mode);
  if (f.node.has_input(3)) {
    const auto given = f.s.numbers(f.node.inputs[3]);
    if (!given) return;
    const Numbers axes = from_front(*given, rank);
    if (axes != axes_up_to(rank)) f.input(1, pads_of_all(f, axes, rank));
    f.no_input(3);
  }
  if (mode != "constant") {
    f.no_input(2);
  } else if (!f.node.has_input(2) && f.s.dtype() != DType::undefined) {
    // Before opset 11 it was an attribute.
    const double value = f.node.float_or("value", 0);
    f.input(2, f.s.constant("value", reference::scalar_from(f.s.dtype(), value)));
  }
  f.remove("value");
}

// The axes that its operands are about, where they are not all in order.
void form_resize(Form& f, std::size_t rank) {
  const auto given = f.node.ints("axes");
  if (!given) return;
  const Numbers axes = from_front(Numbers(given->begin(), given->end()), rank);
  if (axes == axes_up_to(rank)) {
    f.remove("axes");
  } else {
    f.integers("axes", axes);
  }
}

void form(Form& f, const std::vector<Expr>& shape) {
  const std::size_t rank = shape.size();
  switch (f.node.op) {
    case Op::Concat:
    case Op::Gather:
    case Op::GatherElements:
    case Op::ScatterElements:
    case Op::Split:
      f.axis(0, rank);
      break;
    case Op::ArgMax:
    case Op::ArgMin:
      f.axis(0, rank);
      f.integer("keepdims", f.node.int_or("keepdims", 1));
      break;
    case Op::Flatten:
      f.axis(1, rank);
      break;
    case Op::LayerNormalization:
    case Op::LogSoftmax:
    case Op::RMSNormalization:
    case Op::Softmax:
    case Op::TopK:
      f.axis(-1, rank);
      break;
    case Op::OneHot:
      f.axis(-1, rank + 1);
      break;
    case Op::CumProd:
    case Op::CumSum:
      form_running_sum(f, rank);
      break;
    case Op::Pad:
      form_pad(f, rank);
      break;
    case Op::Resize:
      form_resize(f, rank);
      break;
    case Op::Shape:
      form_shape(f, rank);
      break;
    case Op::Slice:
      form_slice(f, rank);
      break;
    case Op::Squeeze:
      form_squeeze(f, shape);
      break;
    case Op::Transpose:
      form_transpose(f, rank);
      break;
    case Op::Unsqueeze:
      form_unsqueeze(f, rank);
      break;
    default:
      if (op_info(f.node.op).infer == ShapeRule::reduce) form_reduction(f, rank);
      break;
  }
}

Expected<bool> give_form(Speller& s) {
  if (s.node().op == Op::Unknown || s.node().inputs.empty()) return false;
  const ValueId data = s.node().inputs[0];
  if (data == kNone || !s.value(data).shape) return false;
  Form f(s);
  const std::vector<Expr> shape = *s.value(data).shape;
  form(f, shape);
  if (f.changed) s.replace(std::move(f.node));
  return f.changed;
}

}  // namespace

Expected<bool> canonicalize_forms(Model& model) { return spell_out(model, give_form); }

}  // namespace subbyte
