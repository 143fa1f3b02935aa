#include "graph/infer/node_infer.h"

#include <algorithm>

#include "graph/arithmetic.h"
#include "graph/infer.h"
#include "graph/infer/substitute.h"

namespace subbyte {
namespace {

// Whether `e` is `size` wherever that is not negative: what is cut to a size has it.
bool is_where_not_negative(ExprPool& exprs, Expr e, Expr size) {
  if (exprs.lower(size) >= 0) return false;
  const Expr zero = exprs.constant(0);
  return Substitution(exprs, {{exprs.max(size, zero), size}, {exprs.less(size, zero), zero}})
             .of(e) == size;
}

}  // namespace

const Shape* NodeInfer::shape(std::size_t i) const {
  return has(i) && in(i).shape ? &*in(i).shape : nullptr;
}

const Content* NodeInfer::content(std::size_t i) const {
  return has(i) && in(i).content ? &*in(i).content : nullptr;
}

const Ratios* NodeInfer::ratios(std::size_t i) const {
  if (!has(i)) return nullptr;
  const auto& ratios = state_.ratios[node.inputs[i]];
  return ratios ? &*ratios : nullptr;
}

std::optional<std::vector<std::int64_t>> NodeInfer::constants(std::size_t i) const {
  const Content* elements = content(i);
  if (elements == nullptr) return std::nullopt;
  std::vector<std::int64_t> values;
  for (const Expr e : *elements) {
    const auto value = exprs.value(e);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

Expected<std::optional<std::vector<std::int64_t>>> NodeInfer::axes(std::size_t i) const {
  const Content* elements = content(i);
  auto values = constants(i);
  if (elements != nullptr && !values) {
    return fail("its axes must be known when converting, but they depend on an input of the model");
  }
  return values;
}

void NodeInfer::set(std::size_t output, DType dtype, std::optional<Shape> shape,
                    std::optional<Content> content) {
  if (!wants(output)) return;
  Value& value = graph_.values[node.outputs[output]];
  value.dtype = dtype;
  value.shape = std::move(shape);
  value.content = std::move(content);
}

void NodeInfer::set_ratios(std::size_t output, std::optional<Ratios> ratios) {
  if (wants(output)) state_.ratios[node.outputs[output]] = std::move(ratios);
}

Expected<void> NodeInfer::require(Expr condition, const std::string& message) {
  if (const auto known = exprs.value(condition)) {
    if (*known == 0) return fail("{}", message);
    return {};
  }
  if (state_.guard) condition = exprs.select(*state_.guard, condition, one());
  if (state_.constraints.insert(condition.index).second) {
    model_.constraints.push_back(
        {.condition = condition, .message = fmt::format("{}: {}", describe(graph_, id_), message)});
  }
  return {};
}

Expr NodeInfer::result_symbol(std::string name, std::int64_t lower, std::int64_t upper) {
  const auto is_other = [&](Expr taken) {
    const auto number = static_cast<std::size_t>(exprs.payload(taken));
    return exprs.symbols()[number].source.kind != SymbolSource::Kind::result;
  };
  // A dim_param may have this name already.
  for (auto taken = exprs.find_symbol(name); taken && is_other(*taken);
       taken = exprs.find_symbol(name)) {
    name += '_';
  }
  return exprs.symbol({.name = std::move(name),
                       .source = {.kind = SymbolSource::Kind::result},
                       .lower = lower,
                       .upper = upper});
}

Expected<Expr> NodeInfer::unify(Expr a, Expr b, const std::string& message) {
  SUBBYTE_CHECK_OK(require(exprs.equal(a, b), message));
  return exprs.value(b) ? b : a;
}

Expected<Expr> NodeInfer::broadcast(Expr a, Expr b, const std::string& message) {
  if (a == b || exprs.is(b, 1)) return a;
  if (exprs.is(a, 1)) return b;
  // No size is negative, so that one is itself where only a negative one is ruled out.
  if (exprs.max(a, zero()) == b) return b;
  if (exprs.max(b, zero()) == a) return a;
  if (is_where_not_negative(exprs, a, b)) return b;
  if (is_where_not_negative(exprs, b, a)) return a;
  const Expr equal = exprs.equal(a, b);
  if (exprs.value(a) || exprs.value(b)) {
    const Expr known = exprs.value(a) ? a : b;
    const Expr other = exprs.value(a) ? b : a;
    SUBBYTE_CHECK_OK(require(exprs.max(equal, exprs.equal(other, one())), message));
    return known;
  }
  BroadcastSizes& broadcasts = state_.broadcasts[state_.guard ? state_.guard->index : UINT32_MAX];
  const bool is_known = broadcasts.contains(a, b) || broadcasts.contains(b, a);
  if (!is_known) {
    const Expr is_one = exprs.max(exprs.equal(a, one()), exprs.equal(b, one()));
    SUBBYTE_CHECK_OK(require(exprs.max(equal, is_one), message));
  }
  return broadcasts.of(exprs, a, b);
}

Expected<void> NodeInfer::require_elements(std::span<const Expr> axes,
                                           std::span<const Expr> picked) {
  const Expr has_elements = exprs.less(zero(), exprs.product(axes));
  const Expr picks_none = exprs.equal(exprs.product(picked), zero());
  return require(
      exprs.max(has_elements, picks_none),
      fmt::format("its indices have shape {} and its data {}; an axis that they pick from "
                  "must have elements",
                  text(*shape(1)), text(*shape(0))));
}

Expected<Expr> NodeInfer::size(Expr e, std::string_view what) {
  SUBBYTE_CHECK_OK(
      require(exprs.less(exprs.constant(-1), e),
              fmt::format("{} is {}; a size must not be negative", what, exprs.text(e))));
  return e;
}

Expr NodeInfer::counted(Expr most) {
  return result_symbol(fmt::format("count({})", graph_.values[node.outputs[0]].name), 0,
                       exprs.upper(most));
}

Expected<std::size_t> NodeInfer::axis(std::int64_t axis, std::size_t rank) const {
  const auto count = static_cast<std::int64_t>(rank);
  if (axis < -count || axis >= count) {
    if (rank == 0) return fail("axis {} is out of range: a tensor of rank 0 has no axes", axis);
    return fail("axis {} is out of range; for a tensor of rank {} it must be in [{}, {}]", axis,
                rank, -count, count - 1);
  }
  return static_cast<std::size_t>(axis < 0 ? axis + count : axis);
}

Expected<std::vector<std::size_t>> NodeInfer::axes_of(std::span<const std::int64_t> axes,
                                                      std::size_t rank) const {
  std::vector<std::size_t> result;
  std::vector<char> seen(rank, 0);
  for (const std::int64_t a : axes) {
    SUBBYTE_TRY(const std::size_t normal, axis(a, rank));
    if (seen[normal] != 0) return fail("axis {} is given twice; each axis may be given once", a);
    seen[normal] = 1;
    result.push_back(normal);
  }
  return result;
}

Expected<DType> NodeInfer::same_dtype(std::size_t first, std::size_t last) const {
  DType dtype = DType::undefined;
  for (std::size_t i = first; i < std::min(last, node.inputs.size()); ++i) {
    if (!has(i) || in(i).dtype == DType::undefined) continue;
    if (dtype == DType::undefined) dtype = in(i).dtype;
    if (in(i).dtype != dtype) {
      return fail("its inputs are {} and {}; they must have one data type", dtype_name(dtype),
                  dtype_name(in(i).dtype));
    }
  }
  return dtype;
}

std::string NodeInfer::text(const Shape& shape) const {
  std::string result = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i != 0) result += ", ";
    result += exprs.text(shape[i]);
  }
  return result + "]";
}

Expected<Shape> broadcast_shapes(NodeInfer& c, const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  const std::size_t offset = longer.size() - shorter.size();
  Shape result = longer;
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    SUBBYTE_TRY(
        result[offset + i],
        c.broadcast(longer[offset + i], shorter[i],
                    fmt::format("shapes {} and {} do not broadcast; sizes {} and {} must be "
                                "equal, or one of them 1",
                                c.text(a), c.text(b), c.exprs.text(longer[offset + i]),
                                c.exprs.text(shorter[i]))));
  }
  return result;
}

Expected<void> broadcast_into(NodeInfer& c, const Shape& from, const Shape& to,
                              std::string_view what) {
  if (from.size() > to.size()) {
    return fail("{} of shape {} does not broadcast to {}; it has more dimensions", what,
                c.text(from), c.text(to));
  }
  const std::size_t offset = to.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const Expr target = to[offset + i];
    const Expr fits = c.exprs.max(c.exprs.equal(from[i], c.one()), c.exprs.equal(from[i], target));
    SUBBYTE_CHECK_OK(c.require(
        fits, fmt::format("{} of shape {} does not broadcast to {}; size {} must be {} or 1", what,
                          c.text(from), c.text(to), c.exprs.text(from[i]), c.exprs.text(target))));
  }
  return {};
}

std::optional<std::vector<std::int64_t>> small_dims(const ExprPool& exprs, const Shape& shape) {
  std::vector<std::int64_t> dims;
  std::int64_t count = 1;
  bool is_empty = false;
  for (const Expr e : shape) {
    const auto value = exprs.value(e);
    if (!value || *value < 0) return std::nullopt;
    dims.push_back(*value);
    is_empty = is_empty || *value == 0;
  }
  for (const std::int64_t dim : dims) {
    if (is_empty) break;
    if (dim > kMaxContent || (count *= dim) > kMaxContent) return std::nullopt;
  }
  return dims;
}

std::vector<std::int64_t> broadcast_strides(const std::vector<std::int64_t>& dims,
                                            std::size_t rank) {
  std::vector<std::int64_t> strides(rank, 0);
  std::int64_t stride = 1;
  for (std::size_t i = 0; i < dims.size() && i < rank; ++i) {
    const std::int64_t dim = dims[dims.size() - 1 - i];
    if (dim != 1) strides[rank - 1 - i] = stride;
    stride = saturating_mul(stride, dim);
  }
  return strides;
}

}  // namespace subbyte
