// Pools: one result for each place of the window.
#include <fmt/format.h>

#include "graph/infer/window.h"
#include "graph/ops.h"
#include "plan/index_code.h"
#include "plan/reduce_code.h"
#include "plan/scalar_wgsl.h"

namespace subbyte {

namespace {

const std::string kLoad = "load(o: u32, r: u32) -> T";

struct Pool {
  Window window;
  std::vector<Expr> in, out;  // batch times channels, then the spatial axes
  Expr outer, inner;
  bool padded = false;     // a window may reach beyond the input
  bool overhangs = false;  // and beyond its padding
  bool indices = false;
};

Expected<Pool> pool_of(Lowering& lowering, const Node& node) {
  ExprPool& exprs = lowering.exprs();
  SUBBYTE_TRY(auto window, window_of(exprs, lowering.graph(), node));
  if (!window) return fail("{}: the shape of its input is not known", node.op_type);
  const std::vector<Expr> shape = lowering.shape(node.inputs[0]);
  Pool pool{std::move(*window), {exprs.mul(shape[0], shape[1])}, {}, {}, {}};
  pool.out = pool.in;
  pool.overhangs = node.int_or("ceil_mode", 0) != 0;
  pool.padded = pool.overhangs;
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) {
    pool.in.push_back(shape[i + 2]);
    pool.out.push_back(pool.window.out[i]);
    pool.padded = pool.padded || !exprs.is(pool.window.pads_begin[i], 0) ||
                  !exprs.is(pool.window.pads_end[i], 0);
  }
  pool.outer = exprs.product(pool.out);
  pool.inner = exprs.product(pool.window.kernel);
  pool.indices = node.outputs.size() > 1 && node.outputs[1] != kNone &&
                 lowering.placement.tensors.contains(node.outputs[1]);
  return pool;
}

// Where element `r` of window `o` lies in the input: a position along each of Pool::in, modulo 2^32
// where it is in the padding.
std::vector<std::string> positions(StepCode& code, Scope& scope, const Pool& pool,
                                   const std::string& r) {
  auto at = split_index(code, scope, "o", pool.out);
  const auto element = split_index(code, scope, r, pool.window.kernel);
  for (std::size_t i = 0; i < element.size(); ++i) {
    std::string text = at[i + 1] == "0u" ? "" : code.scaled(at[i + 1], pool.window.strides[i]);
    if (element[i] != "0u") {
      if (!text.empty()) text += " + ";
      text += code.scaled(element[i], pool.window.dilations[i]);
    }
    if (text.empty()) text = "0u";
    if (!code.exprs().is(pool.window.pads_begin[i], 0)) {
      text += " - " + code.size(pool.window.pads_begin[i]);
    }
    at[i + 1] = scope.let(text);
  }
  return at;
}

// True where an element lies outside of the input.
std::string is_padding(StepCode& code, const Pool& pool, const std::vector<std::string>& at) {
  std::vector<std::string> terms;
  for (std::size_t i = 1; i < at.size(); ++i) {
    terms.push_back(fmt::format("{} >= {}", at[i], code.size(pool.in[i])));
  }
  return fmt::format("{}", fmt::join(terms, " || "));
}

// True where it lies outside of the padding too, which only a window that overhangs the end does.
std::string is_beyond(StepCode& code, const Pool& pool, const std::vector<std::string>& at) {
  std::vector<std::string> terms;
  for (std::size_t i = 1; i < at.size(); ++i) {
    ExprPool& exprs = code.exprs();
    const Expr begin = pool.window.pads_begin[i - 1];
    const Expr size = exprs.add(begin, exprs.add(pool.in[i], pool.window.pads_end[i - 1]));
    terms.push_back(fmt::format("{} + {} >= {}", at[i], code.size(begin), code.size(size)));
  }
  return fmt::format("{}", fmt::join(terms, " || "));
}

Expected<Typed> element(Lowering& lowering, StepCode& code, Scope& loads, const Node& node,
                        const Pool& pool, const std::vector<std::string>& at) {
  Frame frame;
  for (std::size_t i = 0; i < at.size(); ++i) frame.coordinates.push_back({at[i], pool.in[i]});
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, loads);
  return reader.value(node.inputs[0], frame);
}

// The statement that stores where the maximum was found, in the whole input: row-major, or with the
// spatial axes in reverse.
void store_indices(Lowering& lowering, StepCode& code, Scope& stores, const Node& node,
                   const Pool& pool) {
  ExprPool& exprs = lowering.exprs();
  const std::string found =
      stores.let(fmt::format("select(acc.index, 0u, acc.index == {})", kNoIndex));
  const auto at = positions(code, stores, pool, found);
  const bool reversed = node.int_or("storage_order", 0) != 0;
  std::vector<Expr> strides(at.size(), exprs.constant(1));
  Expr stride = exprs.constant(1);
  for (std::size_t i = 1; i < at.size(); ++i) {
    const std::size_t axis = reversed ? i : at.size() - i;
    strides[axis] = stride;
    stride = exprs.mul(stride, pool.in[axis]);
  }
  strides[0] = stride;
  std::vector<std::string> terms;
  for (std::size_t i = 0; i < at.size(); ++i) terms.push_back(code.scaled(at[i], strides[i]));
  std::erase(terms, "");
  const std::string index = stores.let(fmt::format("i32({})", fmt::join(terms, " + ")));
  Evaluator place(lowering.model, lowering.schedule, lowering.placement, code, stores);
  stores.line(
      store_result(lowering, code, place, node.outputs[1], Frame{{{"o", pool.outer}}}, {}, index));
}

// How the elements of a window become one: load's value {0}, its value in the padding ("" where
// that is init()), and the result.
struct Joining {
  Accumulator accumulator;
  std::string load;
  std::string padding;
  std::string finish;
};

Joining joining(const Node& node, const Pool& pool, GpuType type, DType dtype) {
  const std::string t(wgsl_name(type));
  if (node.op == Op::MaxPool) {
    return {{t, lowest_literal(dtype), extreme(true, type, "a", "b")}, "{0}", "", "acc"};
  }
  const Accumulator sum{t, t + "(0)", "a + b"};
  if (node.op == Op::LpPool) {
    const std::int64_t p = node.int_or("p", 2);
    if (p == 1) return {sum, "abs({0})", "", "acc"};
    if (p == 2) return {sum, "{0} * {0}", "", "sqrt(acc)"};
    const float power = static_cast<float>(p);
    return {sum, fmt::format("pow_f32(abs({{0}}), {})", f32_literal(power)), "",
            fmt::format("pow_f32(acc, {})", f32_literal(1.0f / power))};
  }
  const bool counts_padding = node.int_or("count_include_pad", 0) != 0;
  if (!pool.padded || (counts_padding && !pool.overhangs)) {
    return {sum, "{0}", "", "acc / f32(inner())"};
  }
  return {{"vec2<f32>", "vec2<f32>()", "a + b"},
          "vec2<f32>({0}, 1.0f)",
          counts_padding ? "vec2<f32>(0.0f, 1.0f)" : "",
          "acc.x / acc.y"};
}

}  // namespace

Expected<void> lower_pool(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  SUBBYTE_TRY(const Pool pool, pool_of(lowering, node));
  const GpuType type = lowering.type(node.inputs[0]);
  const DType dtype = lowering.graph().values[node.inputs[0]].dtype;
  Joining how = joining(node, pool, type, dtype);

  StepCode code(lowering.exprs(), lowering.plan);
  if (pool.indices) {
    declare_best(code, dtype, false, false, pool.outer, pool.inner);
    how.load = "T({0}, r)";
    how.finish = "acc.value";
  } else {
    declare_accumulator(code, how.accumulator, pool.outer, pool.inner);
  }
  Scope loads;
  const auto at = positions(code, loads, pool, "r");
  if (!how.padding.empty()) {
    loads.line(fmt::format("if ({}) {{ return init(); }}", is_beyond(code, pool, at)));
  }
  if (pool.padded) {
    loads.line(fmt::format("if ({}) {{ return {}; }}", is_padding(code, pool, at),
                           how.padding.empty() ? "init()" : how.padding));
  }
  SUBBYTE_TRY(const Typed x, element(lowering, code, loads, node, pool, at));
  code.declare(loads.function(kLoad, fmt::format(fmt::runtime(how.load), x.text)));

  Scope stores;
  if (pool.indices) store_indices(lowering, code, stores, node, pool);
  return finish_reduction(lowering, kernel, code, stores, {how.finish, type}, pool.outer,
                          pool.inner, true);
}

}  // namespace subbyte
