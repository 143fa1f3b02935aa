// Convolutions as products: rows are places of the output, columns its channels, and the depth runs
// over the kernel's places and, fastest, the input's channels. Nothing is laid out for it: load_a
// finds each element of the input where it lies.
#include <fmt/format.h>

#include "base/text.h"
#include "graph/infer/window.h"
#include "plan/index_code.h"
#include "plan/product.h"
#include "quantize/weight_order.h"

namespace subbyte {

namespace {

// What Conv and ConvTranspose have in common. Shapes are [N, channels, spatial...].
struct Convolution {
  std::vector<Expr> in, out;  // spatial sizes
  std::vector<Expr> kernel, strides, dilations;
  std::vector<Expr> pads_begin;
  bool padded = true;  // a window may reach outside the input
  bool transposed = false;
  std::int64_t groups = 1;
  Expr images, channels_in;  // channels_in: of one group
};

bool all_are(ExprPool& exprs, const std::vector<Expr>& sizes, std::int64_t value) {
  for (const Expr size : sizes) {
    if (!exprs.is(size, value)) return false;
  }
  return true;
}

std::vector<Expr> spatial(const std::vector<Expr>& shape) {
  return {shape.begin() + 2, shape.end()};
}

std::string times(Scope& scope, ExprPool& exprs, const std::string& index, Expr factor,
                  const std::string& text) {
  if (index == "0u" || exprs.is(factor, 1)) return index;
  return scope.let(fmt::format("{} * {}", index, text));
}

// Where the window of output place `o` has element `tap`: positions in the input, and the
// conditions under which there is an input element.
struct Place {
  std::vector<std::string> position;
  std::vector<std::string> inside;
};

Place place_of(const Convolution& c, StepCode& code, Scope& scope,
               const std::vector<std::string>& o, const std::vector<std::string>& tap) {
  ExprPool& exprs = code.exprs();
  Place place;
  for (std::size_t d = 0; d < c.in.size(); ++d) {
    const std::string along =
        times(scope, exprs, tap[d], c.dilations[d], code.fixed_size(c.dilations[d]));
    const std::string stride = code.fixed_size(c.strides[d]);
    const bool no_pad = exprs.is(c.pads_begin[d], 0);
    std::string at;
    if (!c.transposed) {
      at = times(scope, exprs, o[d], c.strides[d], stride);
      if (along != "0u") at = fmt::format("{} + {}", at, along);
      if (!no_pad) at = fmt::format("{} - {}", at, code.fixed_size(c.pads_begin[d]));
      at = scope.let(at);
    } else {
      // u32 wraps: what is before the input lies beyond its end.
      at = no_pad ? o[d] : fmt::format("{} + {}", o[d], code.fixed_size(c.pads_begin[d]));
      if (along != "0u") at = fmt::format("{} - {}", at, along);
      at = scope.let(at);
      place.inside.push_back(fmt::format("{} < 0x80000000u", at));
      if (!exprs.is(c.strides[d], 1)) {
        place.inside.push_back(fmt::format("{} % {} == 0u", at, stride));
        at = scope.let(fmt::format("{} / {}", at, stride));
      }
    }
    if (c.padded) place.inside.push_back(fmt::format("{} < {}", at, code.size(c.in[d])));
    place.position.push_back(at);
  }
  return place;
}

// load_a: element k of the window at output place m, of the group and image b. Four channels of one
// place of the kernel at once where the channels allow it.
Expected<void> declare_input(Lowering& lowering, StepCode& code, const Convolution& c,
                             ValueId input) {
  ExprPool& exprs = lowering.exprs();
  const Expr taps = exprs.product(c.kernel);
  // Where output and input places are one to one they need not be taken apart.
  const bool pointwise =
      !c.padded && !c.transposed && exprs.is(taps, 1) && all_are(exprs, c.strides, 1);

  Scope read;
  {
    Frame frame{
        {{"image", c.images}, {"channel", exprs.mul(exprs.constant(c.groups), c.channels_in)}}};
    std::string arguments = "image: u32, channel: u32";
    if (pointwise) {
      frame.coordinates.push_back({"p0", exprs.product(c.in)});
      arguments += ", p0: u32";
    } else {
      for (std::size_t d = 0; d < c.in.size(); ++d) {
        frame.coordinates.push_back({fmt::format("p{}", d), c.in[d]});
        arguments += fmt::format(", p{}: u32", d);
      }
    }
    Evaluator evaluator(lowering.model, lowering.schedule, lowering.placement, code, read);
    SUBBYTE_TRY(const Typed element, evaluator.value(input, frame));
    code.declare(read.function(fmt::format("input_at({}) -> f32", arguments), element.text));
  }

  const bool four = exprs.divisor(c.channels_in) % 4 == 0;
  Scope scope;
  std::string tap = "0u", channel = "k";
  if (exprs.is(c.channels_in, 1) || exprs.is(c.channels_in, 0)) {
    tap = "k";
    channel = "0u";
  } else if (!exprs.is(taps, 1)) {
    tap = scope.let(fmt::format("k / {}", code.fixed_size(c.channels_in)));
    channel = scope.let(fmt::format("k % {}", code.fixed_size(c.channels_in)));
  }
  std::string image = "b";
  if (c.groups > 1) {
    image = scope.let(fmt::format("b / {}", code.size(exprs.constant(c.groups))));
    const std::string group = scope.let(fmt::format("b % {}", code.size(exprs.constant(c.groups))));
    channel = scope.let(fmt::format("{} * {} + {}", group, code.size(c.channels_in), channel));
  }
  Place place{{"m"}, {}};
  if (!pointwise) {
    const auto o = split_index(code, scope, "m", c.out);
    // Kernel sizes, strides and dilations are literals, so that dividing by them costs little.
    place = place_of(c, code, scope, o, split_index(code, scope, tap, c.kernel, true));
  }
  const std::string result = four ? "vec4<f32>" : "f32";
  if (!place.inside.empty()) {
    scope.line(
        fmt::format("if (!({})) {{ return {}(); }}", fmt::join(place.inside, " && "), result));
  }
  const auto at = [&](const std::string& which) {
    return fmt::format("input_at({}, {}, {})", image, which, fmt::join(place.position, ", "));
  };
  if (four) {
    code.declare(
        scope.function("load_a(b: u32, m: u32, k: u32) -> vec4<f32>",
                       fmt::format("vec4<f32>({}, {}, {}, {})", at(channel), at(channel + " + 1u"),
                                   at(channel + " + 2u"), at(channel + " + 3u"))));
    return {};
  }
  code.declare(scope.function("load_a_element(b: u32, m: u32, k: u32) -> f32", at(channel)));
  const std::string end = code.size(exprs.mul(taps, c.channels_in));
  std::string text =
      "fn load_a(b: u32, m: u32, k: u32) -> vec4<f32> {\n  var four = vec4<f32>();\n";
  for (int i = 0; i < 4; ++i) {
    text += fmt::format(
        "  if (k + {0}u < {1}) {{ four[{0}u] = load_a_element(b, m, k + {0}u); }}\n", i, end);
  }
  code.declare(text + "  return four;\n}\n");
  return {};
}

std::optional<WeightId> stored_in(Lowering& lowering, ValueId weight, const AxisOrder& order) {
  const auto it = lowering.placement.weights.find(weight);
  if (it == lowering.placement.weights.end()) return std::nullopt;
  const StoredWeight& stored = lowering.plan.weights[it->second];
  if (std::holds_alternative<IntegerEncoding>(stored.encoding)) return std::nullopt;
  if (stored.order != order) return std::nullopt;
  return it->second;
}

// load_b for weights that are not stored as the product reads them: computed ones, and those of
// grouped transposed convolutions. `path` leads to [groups, columns, depth].
Expected<void> declare_weights(Lowering& lowering, StepCode& code, ValueId weight, const Product& p,
                               const std::vector<ViewStep>& path) {
  ExprPool& exprs = lowering.exprs();
  const std::string group = p.groups == 1 ? "0u" : fmt::format("(b % {}u)", p.groups);
  const Frame frame{{{group, exprs.constant(p.groups)}, {"n", p.cols}, {"k", p.depth}}};
  return declare_operand(lowering, code, weight, frame, path, p.depth, "load_b");
}

void add_bias(Lowering& lowering, const Node& node, Product& p) {
  if (!node.has_input(2)) return;
  const auto& out = lowering.shape(node.outputs[0]);
  std::vector<Expr> channels(out.size() - 1, lowering.exprs().constant(1));
  channels[0] = out[1];
  p.addend = node.inputs[2];
  p.addend_path = {reshaped(std::move(channels)), expanded(out)};
}

// An image of one place is a row: images are then the rows of one product.
bool is_one_place(ExprPool& exprs, const Convolution& c) {
  return c.groups == 1 && !c.padded && all_are(exprs, c.in, 1) && all_are(exprs, c.kernel, 1);
}

// The rows and columns of C in the result's order, [images, groups, columns, places].
void lay_out(ExprPool& exprs, const Convolution& c, Product& p) {
  p.groups = c.groups;
  if (is_one_place(exprs, c)) {
    p.batches = exprs.constant(1);
    p.rows = c.images;
    p.result = Frame{{{"m", p.rows}, {"n", p.cols}}};
    return;
  }
  p.batches = exprs.mul(c.images, exprs.constant(c.groups));
  p.rows_adjacent = true;
  p.result = Frame{{{"b", p.batches}, {"n", p.cols}, {"m", p.rows}}};
}

Expected<void> declare_a(Lowering& lowering, StepCode& code, const Convolution& c, const Product& p,
                         ValueId input) {
  if (!is_one_place(lowering.exprs(), c)) return declare_input(lowering, code, c, input);
  const Frame frame{{{"b", p.batches}, {"m", p.rows}, {"k", p.depth}}};
  return declare_operand(lowering, code, input, frame, {reshaped({p.rows, p.depth})}, p.depth,
                         "load_a");
}

// `Window` or `TransposedWindow`, of which shape inference has seen all sizes.
template <typename AnyWindow>
Convolution convolution_of(Lowering& lowering, const Node& node, const AnyWindow& window) {
  const auto& x = lowering.shape(node.inputs[0]);
  Convolution c;
  c.in = spatial(x);
  c.out = spatial(lowering.shape(node.outputs[0]));
  c.groups = node.int_or("group", 1);
  c.images = x[0];
  c.channels_in = lowering.exprs().floor_div(x[1], lowering.exprs().constant(c.groups));
  c.kernel = window.kernel;
  c.strides = window.strides;
  c.dilations = window.dilations;
  c.pads_begin = window.pads_begin;
  return c;
}

}  // namespace

Expected<void> lower_conv(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  ExprPool& exprs = lowering.exprs();
  SUBBYTE_TRY(const auto window, window_of(exprs, lowering.graph(), node));
  if (!window) return fail("the window of {} is not known", quoted(node.name));
  Convolution c = convolution_of(lowering, node, *window);
  c.padded = !all_are(exprs, window->pads_begin, 0) || !all_are(exprs, window->pads_end, 0);

  const ValueId weight = node.inputs[1];
  const std::vector<Expr> shape = lowering.shape(weight);
  Product p;
  p.rows = exprs.product(c.out);
  p.cols = exprs.floor_div(shape[0], exprs.constant(c.groups));
  p.depth = exprs.mul(exprs.product(c.kernel), c.channels_in);
  p.weight = stored_in(lowering, weight, conv_weight_order(shape.size()));
  lay_out(exprs, c, p);
  add_bias(lowering, node, p);
  sum_integers(lowering, node, p);

  StepCode code(exprs, lowering.plan, true);
  SUBBYTE_CHECK_OK(declare_a(lowering, code, c, p, node.inputs[0]));
  if (!p.weight) {
    note_read_by_elements(lowering, kernel, weight);
    ViewStep channels_last = permuted({0});
    for (std::size_t axis = 2; axis < shape.size(); ++axis)
      channels_last.permutation.push_back(static_cast<std::int64_t>(axis));
    channels_last.permutation.push_back(1);
    SUBBYTE_CHECK_OK(declare_weights(lowering, code, weight, p, {channels_last}));
  }
  return add_product(lowering, kernel, code, p);
}

Expected<void> lower_conv_transpose(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  ExprPool& exprs = lowering.exprs();
  SUBBYTE_TRY(const auto window, transposed_window_of(exprs, lowering.graph(), node));
  if (!window) return fail("the window of {} is not known", quoted(node.name));
  Convolution c = convolution_of(lowering, node, *window);
  c.transposed = true;

  const ValueId weight = node.inputs[1];
  const std::vector<Expr> shape = lowering.shape(weight);
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto& constant = lowering.graph().values[weight].constant;
  Product p;
  p.cols = shape[1];
  p.depth = exprs.mul(exprs.product(c.kernel), c.channels_in);
  std::vector<ViewStep> path;  // of the weight
  if (constant && is_pixel_shuffle(node, constant->dims)) {
    // Each place of the input makes a block of the output of its own.
    std::vector<Expr> blocks{c.images, shape[1]};
    ViewStep order = permuted({0, 1});
    for (std::size_t d = 0; d < c.in.size(); ++d) {
      blocks.insert(blocks.end(), {c.in[d], c.kernel[d]});
      order.permutation.push_back(static_cast<std::int64_t>(2 * d + 3));
    }
    for (std::size_t d = 0; d < c.in.size(); ++d)
      order.permutation.push_back(static_cast<std::int64_t>(2 * d + 2));
    p.result_path = {reshaped(std::move(blocks)), order};
    p.cols = exprs.mul(shape[1], exprs.product(c.kernel));
    p.depth = c.channels_in;
    c.kernel.assign(c.in.size(), exprs.constant(1));
    c.strides = c.kernel;
    c.out = c.in;
    c.transposed = c.padded = false;
    ViewStep rows_first = permuted({});
    for (std::int64_t axis = 1; axis < rank; ++axis) rows_first.permutation.push_back(axis);
    rows_first.permutation.push_back(0);
    path = {rows_first};
  } else {
    std::vector<Expr> grouped = shape;
    grouped[0] = c.channels_in;
    grouped.insert(grouped.begin(), exprs.constant(c.groups));
    ViewStep order = permuted({0, 2});
    for (std::int64_t axis = 3; axis <= rank; ++axis) order.permutation.push_back(axis);
    order.permutation.push_back(1);
    path = {reshaped(std::move(grouped)), order};
  }
  const bool as_stored = c.groups == 1 || exprs.is(c.channels_in, 1);
  if (constant && as_stored) {
    p.weight = stored_in(lowering, weight, conv_transpose_weight_order(node, constant->dims));
  }
  p.rows = exprs.product(c.out);
  lay_out(exprs, c, p);
  add_bias(lowering, node, p);

  StepCode code(exprs, lowering.plan, true);
  SUBBYTE_CHECK_OK(declare_a(lowering, code, c, p, node.inputs[0]));
  if (!p.weight) {
    note_read_by_elements(lowering, kernel, weight);
    SUBBYTE_CHECK_OK(declare_weights(lowering, code, weight, p, path));
  }
  return add_product(lowering, kernel, code, p);
}

}  // namespace subbyte
