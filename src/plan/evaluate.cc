#include "plan/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "plan/family_code.h"
#include "plan/index_code.h"
#include "plan/scalar_wgsl.h"
#include "plan/watch_code.h"
#include "plan/wide_constants.h"

namespace subbyte {

namespace {

std::vector<ViewStep> steps_to(Model& model, const Graph& graph, ValueId value) {
  const Node& node = graph.nodes[graph.values[value].producer];
  std::size_t output = 0;
  while (node.outputs[output] != value) ++output;
  return view_steps(model, graph, node, output);
}

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

std::string Evaluator::position(const Element& at) {
  return address(through(at.value, at.path), at.frame);
}

std::vector<std::string> Evaluator::coordinates(const Element& at, std::span<const Expr> sizes) {
  ExprPool& exprs = code_.exprs();
  std::vector<Expr> given;
  for (const auto& c : at.frame.coordinates) given.push_back(c.size);
  const auto starts = at.path.empty() ? partition_axes(exprs, sizes, given) : std::nullopt;
  if (!starts) return split_index(code_, scope_, position(at), sizes);
  std::vector<std::string> result;
  for (std::size_t j = 0; j < given.size(); ++j) {
    const std::size_t first = (*starts)[j], count = (*starts)[j + 1] - first;
    const auto part =
        split_index(code_, scope_, at.frame.coordinates[j].name, sizes.subspan(first, count));
    result.insert(result.end(), part.begin(), part.end());
  }
  result.resize(sizes.size(), "0u");  // of an empty frame
  return result;
}

std::optional<Typed> scalar_number(StepCode& code, const Tensor& tensor) {
  const auto type = gpu_type(tensor.dtype);
  if (tensor.elements() != 1 || !type) return std::nullopt;
  if (is_float(tensor.dtype)) {
    float f = 0;
    read_floats(tensor, 0, 1, &f);
    return Typed{code.number(f), GpuType::f32};
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
  constrain_to_words(model_, value);
  const auto& elements = *value.content;
  if (elements.empty()) return {type == GpuType::i32 ? "0i" : "0u", type};
  std::string text = element(elements.back());
  bool same = true;
  for (const Expr e : elements) same = same && e == elements.front();
  if (same) return {text, type};
  const std::string at = address(through(id, path), frame);
  for (std::size_t i = elements.size() - 1; i-- > 0;) {
    text = scope_.let(fmt::format("select({}, {}, {} <= {}u)", text, element(elements[i]), at, i));
  }
  return {text, type};
}

Expected<Typed> Evaluator::value(ValueId id, const Frame& frame,
                                 const std::vector<ViewStep>& path) {
  SUBBYTE_TRY(Typed typed, remembered(id, frame, path));
  if (depth_ == 0) return raised(std::move(typed));
  if (!typed.watch.empty()) watches_.push_back(typed.watch);
  return typed;
}

Expected<Typed> Evaluator::definition(ValueId id, const Frame& frame,
                                      const std::vector<ViewStep>& path) {
  if (id == result_.value) return raised({result_.name, result_.type, result_.watch});
  defining_ = id;
  SUBBYTE_TRY(Typed typed, watching(id, frame, path));
  typed.text = scope_.let(typed.text);
  return raised(std::move(typed));
}

Expected<Typed> Evaluator::remembered(ValueId id, const Frame& frame,
                                      const std::vector<ViewStep>& path) {
  if (id == result_.value) return Typed{result_.name, result_.type, result_.watch};
  const std::string where = frame_text(frame);
  for (const Known& known : known_[id]) {
    if (known.frame == where && known.path == path) return known.typed;
  }
  const Value& read = graph_.values[id];
  if (read.constant || is_immediate(read)) {
    if (auto fits = fits_words(code_.exprs(), read); !fits)
      return within(describe_reader(id), std::move(fits.error()));
  }
  SUBBYTE_TRY(Typed typed, watching(id, frame, path));
  typed.text = scope_.let(typed.text);
  known_[id].push_back(Known{where, path, typed});
  return typed;
}

Expected<Typed> Evaluator::watching(ValueId id, const Frame& frame,
                                    const std::vector<ViewStep>& path) {
  auto outer = std::exchange(watches_, {});
  const NodeId reader = std::exchange(reader_, graph_.values[id].producer);
  ++depth_;
  auto typed = computed(id, frame, path);
  --depth_;
  reader_ = reader;
  const auto inner = std::exchange(watches_, std::move(outer));
  if (!typed) return typed;
  for (const std::string& watch : inner) typed->watch = either_watch(typed->watch, watch);
  if (!typed->watch.empty()) typed->watch = scope_.let(typed->watch);
  return typed;
}

Typed Evaluator::raised(Typed typed) {
  if (typed.watch.empty() || !code_.plan().flag) return typed;
  const std::string watch = scope_.let(typed.watch);
  scope_.line(fmt::format("if ({0} != 0u) {{ atomicMax(&{1}[0], {0}); }}", watch,
                          code_.bind_atomic(*code_.plan().flag)));
  typed.watch.clear();
  return typed;
}

std::string Evaluator::describe_reader(ValueId id) const {
  if (reader_ != kNone) return describe(graph_, reader_);
  const auto reads = [&](const Node& node) {
    return std::ranges::find(node.inputs, id) != node.inputs.end();
  };
  const auto first = std::ranges::find_if(graph_.nodes, reads);
  if (first == graph_.nodes.end()) return "an output";
  return describe(graph_, static_cast<NodeId>(first - graph_.nodes.begin()));
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
    // Of what has no elements none is ever looked at, but the kernel must compile.
    if (value.constant->elements() == 0) return Typed{zero_literal(*type), *type};
    if (auto constant = scalar_number(code_, *value.constant)) return *constant;
  }
  if (value.content && value.content->size() <= kInlineContent) return content(id, frame, path);
  if (const auto it = placement_.weights.find(id); it != placement_.weights.end()) {
    const std::string at = address(through(id, path), frame);
    return code_.read_weight(it->second, *type, value.constant->dims, at);
  }
  if (is_placed(id) && id != defining_) {
    const TensorId tensor = placement_.tensors.at(id);
    return code_.read_tensor(tensor, *type, address(through(id, path), frame));
  }
  if (value.producer == kNone) {
    return fail("value {} is read by a kernel before anything computes it", quoted(value.name));
  }
  const Node& node = graph_.nodes[value.producer];
  const auto element = family_code(node.op).element;
  if (element == nullptr) {
    return fail("value {} of {} is read by a kernel before it was computed", quoted(value.name),
                describe(graph_, value.producer));
  }
  return element(*this, {node, id, frame, path});
}

bool Evaluator::is_seen_through(ValueId id) const {
  const Value& value = graph_.values[id];
  if (id == result_.value || is_placed(id) || is_immediate(value) || value.constant ||
      value.producer == kNone)
    return false;
  const Node& node = graph_.nodes[value.producer];
  return is_view(node.op) && !is_dropout_mask(node, id);
}

Evaluator::Source Evaluator::behind_views(ValueId id, const std::vector<ViewStep>& path) const {
  std::vector<ValueId> views;  // nearest to the reader first
  while (is_seen_through(id)) {
    views.push_back(id);
    id = graph_.nodes[graph_.values[id].producer].inputs[0];
  }
  std::vector<ViewStep> whole;
  for (auto it = views.rbegin(); it != views.rend(); ++it) {
    const ValueId view = *it;
    const auto steps = steps_to(model_, graph_, view);
    whole.insert(whole.end(), steps.begin(), steps.end());
  }
  whole.insert(whole.end(), path.begin(), path.end());
  return {id, std::move(whole)};
}

Expected<Typed> element_view(Evaluator& evaluator, const Element& at) {
  if (is_dropout_mask(at.node, at.value)) return Typed{"1u", GpuType::u32};
  auto path = steps_to(evaluator.model(), evaluator.graph(), at.value);
  path.insert(path.end(), at.path.begin(), at.path.end());
  const auto source = evaluator.behind_views(at.node.inputs[0], path);
  return evaluator.value(source.value, at.frame, source.path);
}

namespace {

// The path of an input of an element-wise node, as far as it is smaller than the result.
std::vector<ViewStep> broadcast(Evaluator& evaluator, const Element& at, ValueId input) {
  const auto& shape = evaluator.shape(at.value);
  std::vector<ViewStep> path = at.path;
  if (evaluator.shape(input) != shape)
    path.insert(path.begin(), ViewStep{ViewStep::Kind::expand, shape, {}, {}, {}});
  return path;
}

}  // namespace

Expected<Typed> element_scalar(Evaluator& evaluator, const Element& at) {
  const Graph& graph = evaluator.graph();
  ExprPool& exprs = evaluator.code().exprs();
  if (auto decided = decided_comparison(exprs, graph, at.node)) {
    // What is compared with the constant may have left 32 bits.
    for (const ValueId input : at.node.inputs) {
      if (!graph.values[input].constant)
        SUBBYTE_CHECK_OK(evaluator.value(input, at.frame, broadcast(evaluator, at, input)));
    }
    return *decided;
  }
  std::vector<std::optional<ScalarArgument>> arguments;
  for (std::size_t i = 0; i < at.node.inputs.size(); ++i) {
    const ValueId input = at.node.inputs[i];
    if (input == kNone) {
      arguments.emplace_back(std::nullopt);
      continue;
    }
    if (auto limit = outer_limit(exprs, graph, at.node, i)) {
      arguments.emplace_back(ScalarArgument{*limit, graph.values[input].dtype});
      continue;
    }
    SUBBYTE_TRY(Typed typed, evaluator.value(input, at.frame, broadcast(evaluator, at, input)));
    arguments.emplace_back(ScalarArgument{std::move(typed), graph.values[input].dtype});
  }
  auto result = scalar_wgsl(at.node, arguments, graph.values[at.value].dtype,
                            [&](float number) { return evaluator.code().opaque(number); });
  if (!result)
    return within(describe(graph, graph.values[at.value].producer), std::move(result.error()));
  watch_scalar(evaluator, at, arguments, *result);
  return result;
}

std::optional<std::string> Evaluator::four(ValueId id, const Frame& frame,
                                           const std::vector<ViewStep>& path) {
  const auto [source, steps] = behind_views(id, path);
  if (!is_placed(source) || gpu_type(graph_.values[source].dtype) != GpuType::f32)
    return std::nullopt;
  ExprPool& exprs = code_.exprs();
  const Access access = through(source, steps);
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
  return code_.read_four(placement_.tensors.at(source), fmt::format("({}) >> 2u", at));
}

}  // namespace subbyte
