#include "plan/evaluate.h"

#include <fmt/format.h>

#include "base/text.h"
#include "plan/index_code.h"
#include "plan/scalar_wgsl.h"

namespace subbyte {

namespace {

Expr product_of(ExprPool& exprs, std::span<const Expr> factors) { return exprs.product(factors); }

std::string frame_text(const Frame& frame) {
  std::string text;
  for (const auto& c : frame.coordinates) text += fmt::format("{}:{};", c.name, c.size.index);
  return text;
}

std::string join_terms(const std::vector<std::string>& terms) {
  if (terms.empty()) return "0u";
  return fmt::format("{}", fmt::join(terms, " + "));
}

// The contribution of one coordinate that runs over the given runs.
void add_terms(StepCode& code, Scope& scope, const std::string& coordinate,
               const std::vector<Run>& runs, std::vector<std::string>& terms) {
  std::string rest = coordinate;
  for (std::size_t i = runs.size(); i-- > 0;) {
    const bool outermost = i == 0;
    std::string index = rest;
    if (!outermost) {
      const std::string size = code.divisor(runs[i].size);
      if (!code.exprs().is(runs[i].stride, 0))
        index = scope.let(fmt::format("{} % {}", rest, size));
      rest = scope.let(fmt::format("{} / {}", rest, size));
    }
    if (auto term = code.scaled(index, runs[i].stride); !term.empty())
      terms.push_back(std::move(term));
  }
}

}  // namespace

std::string Evaluator::address(const Access& access, const Frame& frame) {
  ExprPool& exprs = code_.exprs();
  const View& front = access.views.front();
  std::vector<Expr> sizes;
  for (const auto& c : frame.coordinates) sizes.push_back(c.size);
  std::vector<std::string> terms;
  if (const auto starts = partition_axes(exprs, front.shape, sizes)) {
    for (std::size_t j = 0; j < sizes.size(); ++j) {
      const std::size_t first = (*starts)[j], count = (*starts)[j + 1] - first;
      const auto runs = merged_runs(exprs, std::span(front.shape).subspan(first, count),
                                    std::span(front.strides).subspan(first, count));
      add_terms(code_, scope_, frame.coordinates[j].name, runs, terms);
    }
  } else {
    const auto strides = contiguous_strides(exprs, sizes);
    std::vector<std::string> parts;
    for (std::size_t j = 0; j < sizes.size(); ++j) {
      parts.push_back(code_.scaled(frame.coordinates[j].name, strides[j]));
    }
    add_terms(code_, scope_, scope_.let(join_terms(parts)),
              merged_runs(exprs, front.shape, front.strides), terms);
  }
  const auto add_offset = [&](Expr offset) {
    if (!exprs.is(offset, 0)) terms.push_back(code_.size(offset));
  };
  add_offset(front.offset);
  for (std::size_t i = 1; i < access.views.size(); ++i) {
    const std::string linear = scope_.let(join_terms(terms));
    terms.clear();
    const View& view = access.views[i];
    add_terms(code_, scope_, linear, merged_runs(exprs, view.shape, view.strides), terms);
    add_offset(view.offset);
  }
  return scope_.let(join_terms(terms));
}

Access Evaluator::through(ValueId value, const std::vector<ViewStep>& path) {
  Access access = contiguous(code_.exprs(), *graph_.values[value].shape);
  for (const auto& step : path) access = apply(code_.exprs(), access, step);
  return access;
}

std::string Evaluator::position(ValueId value, const Frame& frame,
                                const std::vector<ViewStep>& path) {
  return address(through(value, path), frame);
}

std::optional<Typed> scalar_literal(const Tensor& tensor) {
  const auto type = gpu_type(tensor.dtype);
  if (tensor.elements() != 1 || !type) return std::nullopt;
  if (is_float(tensor.dtype)) {
    float f = 0;
    read_floats(tensor, 0, 1, &f);
    return Typed{f32_literal(f), GpuType::f32};
  }
  const auto integers = integer_values(tensor);
  if (!integers) return std::nullopt;
  return Typed{*type == GpuType::i32 ? i32_literal((*integers)[0]) : u32_literal((*integers)[0]),
               *type};
}

Typed Evaluator::content(ValueId id, const Frame& frame, const std::vector<ViewStep>& path) {
  const Value& value = graph_.values[id];
  const GpuType type = gpu_type(value.dtype).value_or(GpuType::i32);
  const auto element = [&](Expr e) {
    return type == GpuType::i32 ? code_.signed_size(e) : code_.size(e);
  };
  const auto& elements = *value.content;
  if (elements.empty()) return {type == GpuType::i32 ? "0i" : "0u", type};
  std::string text = element(elements.back());
  bool same = true;
  for (const Expr e : elements) same = same && e == elements.front();
  if (same) return {text, type};
  const std::string at = position(id, frame, path);
  for (std::size_t i = elements.size() - 1; i-- > 0;) {
    text = scope_.let(fmt::format("select({}, {}, {} <= {}u)", text, element(elements[i]), at, i));
  }
  return {text, type};
}

Expected<Typed> Evaluator::value(ValueId id, const Frame& frame,
                                 const std::vector<ViewStep>& path) {
  if (id == result_.value) return Typed{result_.name, result_.type};
  const std::string where = frame_text(frame);
  for (const Known& known : known_[id]) {
    if (known.frame == where && known.path == path) return known.typed;
  }
  SUBBYTE_TRY(Typed typed, computed(id, frame, path));
  typed.text = scope_.let(typed.text);
  known_[id].push_back(Known{where, path, typed});
  return typed;
}

Expected<Typed> Evaluator::definition(ValueId id, const Frame& frame,
                                      const std::vector<ViewStep>& path) {
  if (id == result_.value) return Typed{result_.name, result_.type};
  defining_ = id;
  SUBBYTE_TRY(Typed typed, computed(id, frame, path));
  typed.text = scope_.let(typed.text);
  return typed;
}

Expected<Typed> Evaluator::computed(ValueId id, const Frame& frame,
                                    const std::vector<ViewStep>& path) {
  const Value& value = graph_.values[id];
  const auto type = gpu_type(value.dtype);
  if (!type) {
    return fail("value {}: a {} cannot be computed on the GPU", quoted(value.name),
                dtype_name(value.dtype));
  }
  if (value.constant) {
    if (auto constant = scalar_literal(*value.constant)) {
      if (constant->type != GpuType::f32) return *constant;
      float number = 0;
      read_floats(*value.constant, 0, 1, &number);
      return Typed{code_.number(number), GpuType::f32};
    }
  }
  if (value.content && value.content->size() <= kInlineContent) return content(id, frame, path);
  if (const auto it = placement_.weights.find(id); it != placement_.weights.end()) {
    const std::string at = address(through(id, path), frame);
    return code_.read_weight(it->second, *type, value.constant->dims, at);
  }
  if (const auto it = placement_.tensors.find(id);
      it != placement_.tensors.end() && schedule_.materialized[id] && id != defining_) {
    return code_.read_tensor(it->second, *type, address(through(id, path), frame));
  }
  if (value.producer == kNone) {
    return fail("value {} is read by a kernel before anything computes it", quoted(value.name));
  }
  const Node& node = graph_.nodes[value.producer];
  const std::string_view family = op_info(node.op).lower;
  if (is_dropout_mask(node, id)) return Typed{"1u", GpuType::u32};
  if (family == "view") {
    std::size_t output = 0;
    while (node.outputs[output] != id) ++output;
    auto longer = view_steps(model_, graph_, node, output);
    longer.insert(longer.end(), path.begin(), path.end());
    return this->value(node.inputs[0], frame, longer);
  }
  if (family == "scalar") return scalar(node, id, frame, path);
  if (family == "gather") return gather(node, id, frame, path);
  if (family == "gather_elements") return gather_elements(node, id, frame, path);
  if (family == "gather_nd") return gather_nd(node, id, frame, path);
  if (family == "one_hot") return one_hot(node, id, frame, path);
  if (family == "trilu") return trilu(node, id, frame, path);
  if (family == "eye_like") return eye_like(node, id, frame, path);
  if (family == "pad") return pad(node, id, frame, path);
  if (family == "resize") return resize(node, id, frame, path);
  if (family == "concat") return concat(node, id, frame, path);
  if (family == "range") return range(node, id, frame, path);
  if (family == "fill") {
    const Tensor* fill = node.tensor("value");
    return fill == nullptr ? Typed{"0.0f", GpuType::f32}
                           : scalar_literal(*fill).value_or(Typed{"0.0f", GpuType::f32});
  }
  return fail("value {} of {} is read by a kernel before it was computed", quoted(value.name),
              describe(graph_, value.producer));
}

Expected<Typed> Evaluator::scalar(const Node& node, ValueId id, const Frame& frame,
                                  const std::vector<ViewStep>& path) {
  const auto& shape = *graph_.values[id].shape;
  std::vector<std::optional<ScalarArgument>> arguments;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.has_input(i)) {
      arguments.emplace_back(std::nullopt);
      continue;
    }
    std::vector<ViewStep> inner = path;
    const auto& from = *graph_.values[node.inputs[i]].shape;
    if (from != shape)
      inner.insert(inner.begin(), ViewStep{ViewStep::Kind::expand, shape, {}, {}, {}});
    SUBBYTE_TRY(Typed typed, value(node.inputs[i], frame, inner));
    arguments.emplace_back(ScalarArgument{std::move(typed), graph_.values[node.inputs[i]].dtype});
  }
  auto text = scalar_wgsl(node, arguments, graph_.values[id].dtype);
  if (!text) return within(describe(graph_, graph_.values[id].producer), std::move(text.error()));
  return *text;
}

Expected<Typed> Evaluator::concat(const Node& node, ValueId id, const Frame& frame,
                                  const std::vector<ViewStep>& path) {
  ExprPool& exprs = code_.exprs();
  const auto& shape = *graph_.values[id].shape;
  const std::size_t axis = axis_from_front(node.int_or("axis", 0), shape.size());
  const Expr inner = product_of(exprs, std::span(shape).subspan(axis + 1));
  const Expr outer = product_of(exprs, std::span(shape).first(axis));
  const std::string at = position(id, frame, path);
  const std::string column =
      exprs.is(inner, 1) ? "0u" : scope_.let(fmt::format("{} % {}", at, code_.divisor(inner)));
  const std::string rest =
      exprs.is(inner, 1) ? at : scope_.let(fmt::format("{} / {}", at, code_.divisor(inner)));
  const std::string along = scope_.let(fmt::format("{} % {}", rest, code_.divisor(shape[axis])));
  const std::string before =
      exprs.is(outer, 1) ? "0u"
                         : scope_.let(fmt::format("{} / {}", rest, code_.divisor(shape[axis])));
  std::optional<Typed> result;
  Expr start = exprs.constant(0);
  for (const ValueId input : node.inputs) {
    const Expr size = (*graph_.values[input].shape)[axis];
    const std::string local =
        exprs.is(start, 0) ? along : scope_.let(fmt::format("{} - {}", along, code_.size(start)));
    SUBBYTE_TRY(const Typed part,
                value(input, Frame{{{before, outer}, {local, size}, {column, inner}}}));
    result = result ? Typed{scope_.let(fmt::format("select({}, {}, {} >= {})", result->text,
                                                   part.text, along, code_.size(start))),
                            part.type}
                    : part;
    start = exprs.add(start, size);
  }
  return *result;
}

Expected<Typed> Evaluator::range(const Node& node, ValueId id, const Frame& frame,
                                 const std::vector<ViewStep>& path) {
  const Frame none;
  SUBBYTE_TRY(const Typed start, value(node.inputs[0], none));
  SUBBYTE_TRY(const Typed delta, value(node.inputs[2], none));
  const std::string at = position(id, frame, path);
  return Typed{fmt::format("{} + {}({}) * {}", start.text, wgsl_name(start.type), at, delta.text),
               start.type};
}

std::optional<std::string> Evaluator::four(ValueId id, const Frame& frame,
                                           const std::vector<ViewStep>& path) {
  std::vector<ViewStep> steps = path;
  while (!(placement_.tensors.contains(id) && schedule_.materialized[id])) {
    const NodeId producer = graph_.values[id].producer;
    if (producer == kNone || op_info(graph_.nodes[producer].op).lower != "view")
      return std::nullopt;
    const Node& node = graph_.nodes[producer];
    if (is_dropout_mask(node, id)) return std::nullopt;
    std::size_t output = 0;
    while (node.outputs[output] != id) ++output;
    auto longer = view_steps(model_, graph_, node, output);
    longer.insert(longer.end(), steps.begin(), steps.end());
    steps = std::move(longer);
    id = node.inputs[0];
  }
  if (gpu_type(graph_.values[id].dtype) != GpuType::f32) return std::nullopt;
  ExprPool& exprs = code_.exprs();
  const Access access = through(id, steps);
  if (access.views.size() != 1) return std::nullopt;
  const View& view = access.views.front();
  std::vector<Expr> sizes;
  for (const auto& c : frame.coordinates) sizes.push_back(c.size);
  const auto starts = partition_axes(exprs, view.shape, sizes);
  if (!starts) return std::nullopt;
  const auto by_four = [&](Expr e) { return exprs.divisor(e) % 4 == 0; };
  if (!by_four(view.offset)) return std::nullopt;
  for (std::size_t j = 0; j < sizes.size(); ++j) {
    const std::size_t first = (*starts)[j], count = (*starts)[j + 1] - first;
    const auto runs = merged_runs(exprs, std::span(view.shape).subspan(first, count),
                                  std::span(view.strides).subspan(first, count));
    const bool last = j + 1 == sizes.size();
    if (last && (runs.empty() || !exprs.is(runs.back().stride, 1) || !by_four(runs.back().size))) {
      return std::nullopt;
    }
    for (std::size_t r = 0; r + (last ? 1 : 0) < runs.size(); ++r) {
      if (!by_four(runs[r].stride)) return std::nullopt;
    }
  }
  const std::string at = address(access, frame);
  return code_.read_four(placement_.tensors.at(id), fmt::format("({}) >> 2u", at));
}

}  // namespace subbyte
