#include "graph/infer/window.h"

#include "base/text.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

// Windows beyond this have no use, and sums of products of such numbers stay far inside 64 bits.
constexpr std::int64_t kMost = INT32_MAX;

enum class Padding { explicit_pads, same_upper, same_lower, valid };

// What the attributes of a node say, one element for each spatial axis; pads are begin and end.
struct Attributes {
  Padding padding = Padding::explicit_pads;
  std::vector<Expr> kernel;
  std::vector<std::int64_t> strides, dilations, pads_begin, pads_end;

  std::size_t rank() const { return kernel.size(); }
};

Expected<Padding> padding_of(const Node& node) {
  const std::string_view name = node.string_or("auto_pad", "NOTSET");
  if (name == "NOTSET" || name.empty()) return Padding::explicit_pads;
  if (name == "SAME_UPPER") return Padding::same_upper;
  if (name == "SAME_LOWER") return Padding::same_lower;
  if (name == "VALID") return Padding::valid;
  return fail("its auto_pad is {}; it must be 'NOTSET', 'SAME_UPPER', 'SAME_LOWER' or 'VALID'",
              quoted(name));
}

// A list with `count` elements in [least, kMost], all `otherwise` where the node has none.
Expected<std::vector<std::int64_t>> list_of(const Node& node, std::string_view name,
                                            std::size_t count, std::int64_t least,
                                            std::int64_t otherwise) {
  const auto given = node.ints(name);
  if (!given) return std::vector<std::int64_t>(count, otherwise);
  if (given->size() != count) {
    return fail("its {} has {} elements; for its {} spatial axes it must have {}", name,
                given->size(), name == "pads" ? count / 2 : count, count);
  }
  for (const std::int64_t element : *given) {
    if (element < least || element > kMost) {
      return fail("an element of its {} is {}; it must be in [{}, {}]", name, element, least,
                  kMost);
    }
  }
  return std::vector<std::int64_t>(given->begin(), given->end());
}

// kernel_shape, or what the weights [outputs, inputs, kernel...] are; both must agree.
Expected<std::vector<Expr>> kernel_of(ExprPool& exprs, const Node& node, std::size_t rank,
                                      std::span<const Expr> weights) {
  std::vector<Expr> kernel(weights.begin() + (weights.empty() ? 0 : 2), weights.end());
  if (!node.ints("kernel_shape")) {
    if (kernel.empty()) return fail("its attribute 'kernel_shape' is missing");
    for (const Expr size : kernel) {
      if (const auto known = exprs.value(size); known && (*known < 1 || *known > kMost)) {
        return fail("a size of its kernel is {}; it must be in [1, {}]", *known, kMost);
      }
    }
    return kernel;
  }
  SUBBYTE_TRY(const auto given, list_of(node, "kernel_shape", rank, 1, 1));
  for (std::size_t i = 0; i < rank; ++i) {
    const Expr size = exprs.constant(given[i]);
    if (kernel.size() <= i) {
      kernel.push_back(size);
    } else if (exprs.is(exprs.equal(kernel[i], size), 0)) {
      return fail("its kernel_shape says {} for spatial axis {} where its weights have {}",
                  given[i], i, exprs.text(kernel[i]));
    }
    kernel[i] = size;
  }
  return kernel;
}

Expected<Attributes> attributes_of(ExprPool& exprs, const Node& node, std::span<const Expr> input,
                                   std::span<const Expr> weights) {
  if (input.size() < 3) {
    return fail("its input has rank {}; it must have at least 3: batch, channels, spatial axes",
                input.size());
  }
  if (!weights.empty() && weights.size() != input.size()) {
    return fail("its input has rank {} and its weights {}; they must have one rank", input.size(),
                weights.size());
  }
  const std::size_t rank = input.size() - 2;
  Attributes result;
  SUBBYTE_TRY(result.padding, padding_of(node));
  SUBBYTE_TRY(result.kernel, kernel_of(exprs, node, rank, weights));
  SUBBYTE_TRY(result.strides, list_of(node, "strides", rank, 1, 1));
  SUBBYTE_TRY(result.dilations, list_of(node, "dilations", rank, 1, 1));
  SUBBYTE_TRY(const auto pads, list_of(node, "pads", 2 * rank, 0, 0));
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(rank);
  result.pads_begin.assign(pads.begin(), middle);
  result.pads_end.assign(middle, pads.end());
  if (result.padding != Padding::explicit_pads) {
    result.pads_begin.assign(rank, 0);
    result.pads_end.assign(rank, 0);
  }
  return result;
}

std::vector<Expr> constants(ExprPool& exprs, std::span<const std::int64_t> values) {
  std::vector<Expr> result;
  for (const std::int64_t value : values) result.push_back(exprs.constant(value));
  return result;
}

// Positions from the first to the last element of the window, both included.
Expr span_of(ExprPool& p, const Attributes& a, std::size_t axis) {
  const Expr one = p.constant(1);
  return p.add(p.mul(p.constant(a.dilations[axis]), p.sub(a.kernel[axis], one)), one);
}

Expected<Expr> fitting_windows(ExprPool& p, const Attributes& a, std::size_t axis, Expr size,
                               bool ceil_mode) {
  const Expr one = p.constant(1), stride = p.constant(a.strides[axis]);
  const Expr begin = p.constant(a.pads_begin[axis]), end = p.constant(a.pads_end[axis]);
  const Expr span = span_of(p, a, axis);
  const Expr room = p.sub(p.add(size, p.add(begin, end)), span);
  // Of a known size nothing but an empty one may be too small.
  if (p.value(size).value_or(0) > 0 && p.upper(room) < 0) {
    return fail(
        "its window covers {} positions of spatial axis {}, where the input with its padding has "
        "{}; make the input or the pads larger",
        p.text(span), axis, p.text(p.add(size, p.add(begin, end))));
  }
  if (!ceil_mode) return p.add(p.floor_div(room, stride), one);
  // Windows that would start in the padding at the end are left out.
  const Expr last_start = p.sub(p.add(size, begin), one);
  return p.add(p.min(p.ceil_div(room, stride), p.floor_div(last_start, stride)), one);
}

}  // namespace

Expected<Window> window_of(ExprPool& exprs, const Node& node, std::span<const Expr> input,
                           std::span<const Expr> weights) {
  SUBBYTE_TRY(const Attributes a, attributes_of(exprs, node, input, weights));
  Window w{.kernel = a.kernel,
           .strides = constants(exprs, a.strides),
           .dilations = constants(exprs, a.dilations),
           .pads_begin = constants(exprs, a.pads_begin),
           .pads_end = constants(exprs, a.pads_end),
           .out = {}};
  const bool same = a.padding == Padding::same_upper || a.padding == Padding::same_lower;
  // SAME_* rounds up anyway.
  const bool ceil_mode = node.int_or("ceil_mode", 0) != 0;
  for (std::size_t axis = 0; axis < a.rank(); ++axis) {
    const Expr size = input[axis + 2];
    if (!same) {
      SUBBYTE_TRY(const Expr out, fitting_windows(exprs, a, axis, size, ceil_mode));
      w.out.push_back(out);
      continue;
    }
    const Expr out = exprs.ceil_div(size, w.strides[axis]);
    const Expr covered = exprs.add(exprs.mul(exprs.sub(out, exprs.constant(1)), w.strides[axis]),
                                   span_of(exprs, a, axis));
    const Expr total = exprs.max(exprs.sub(covered, size), exprs.constant(0));
    const Expr half = exprs.floor_div(total, exprs.constant(2));
    const Expr rest = exprs.sub(total, half);
    w.pads_begin[axis] = a.padding == Padding::same_upper ? half : rest;
    w.pads_end[axis] = a.padding == Padding::same_upper ? rest : half;
    w.out.push_back(out);
  }
  return w;
}

Expected<TransposedWindow> transposed_window_of(ExprPool& exprs, const Node& node,
                                                std::span<const Expr> input,
                                                std::span<const Expr> weights) {
  SUBBYTE_TRY(const Attributes a, attributes_of(exprs, node, input, weights));
  const std::size_t rank = a.rank();
  SUBBYTE_TRY(const auto extra, list_of(node, "output_padding", rank, 0, 0));
  const bool has_shape = node.ints("output_shape").has_value();
  SUBBYTE_TRY(const auto out_shape, list_of(node, "output_shape", rank, 1, 1));
  TransposedWindow w{.kernel = a.kernel,
                     .strides = constants(exprs, a.strides),
                     .dilations = constants(exprs, a.dilations),
                     .pads_begin = constants(exprs, a.pads_begin),
                     .out = {}};
  const bool same = a.padding == Padding::same_upper || a.padding == Padding::same_lower;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const Expr size = input[axis + 2], stride = w.strides[axis];
    // The size without any padding taken off.
    const Expr full = exprs.add(exprs.mul(exprs.sub(size, exprs.constant(1)), stride),
                                exprs.add(exprs.constant(extra[axis]), span_of(exprs, a, axis)));
    if (!same && !has_shape) {
      w.out.push_back(exprs.sub(full, exprs.constant(a.pads_begin[axis] + a.pads_end[axis])));
      continue;
    }
    const Expr out = has_shape ? exprs.constant(out_shape[axis]) : exprs.mul(size, stride);
    const Expr total = exprs.max(exprs.sub(full, out), exprs.constant(0));
    const Expr half = exprs.floor_div(total, exprs.constant(2));
    w.pads_begin[axis] = a.padding == Padding::same_upper ? half : exprs.sub(total, half);
    w.out.push_back(out);
  }
  return w;
}

namespace {

// Of no weights at all the functions above would think as of a pool.
Expected<void> check_scalar(const std::vector<Expr>& input, const std::vector<Expr>& weights) {
  if (!weights.empty()) return {};
  return fail("its input has rank {} and its weights 0; they must have one rank", input.size());
}

}  // namespace

Expected<std::optional<Window>> window_of(ExprPool& exprs, const Graph& graph, const Node& node) {
  const auto& input = graph.values[node.inputs[0]].shape;
  if (!input) return std::nullopt;
  if (node.op != Op::Conv && node.op != Op::ConvInteger) {
    SUBBYTE_TRY(Window window, window_of(exprs, node, *input, {}));
    return window;
  }
  const auto& weights = graph.values[node.inputs[1]].shape;
  if (!weights) return std::nullopt;
  SUBBYTE_CHECK_OK(check_scalar(*input, *weights));
  SUBBYTE_TRY(Window window, window_of(exprs, node, *input, *weights));
  return window;
}

Expected<std::optional<TransposedWindow>> transposed_window_of(ExprPool& exprs, const Graph& graph,
                                                               const Node& node) {
  const auto& input = graph.values[node.inputs[0]].shape;
  const auto& weights = graph.values[node.inputs[1]].shape;
  if (!input || !weights) return std::nullopt;
  SUBBYTE_CHECK_OK(check_scalar(*input, *weights));
  SUBBYTE_TRY(TransposedWindow window, transposed_window_of(exprs, node, *input, *weights));
  return window;
}

}  // namespace subbyte
