// Joining tensors and picking from one.
#include "graph/infer/node_infer.h"

namespace subbyte {
namespace {

// The elements of the output, row by row of what lies before the axis.
std::optional<Content> concat_content(NodeInfer& c, std::size_t axis) {
  std::int64_t outer = 1;
  std::vector<std::int64_t> rows;  // by input: elements from the axis on
  for (std::size_t i = 0; i < c.node.inputs.size(); ++i) {
    const auto dims = c.content(i) == nullptr ? std::nullopt : small_dims(c.exprs, *c.shape(i));
    if (!dims) return std::nullopt;
    outer = 1;
    for (std::size_t k = 0; k < axis; ++k) outer *= (*dims)[k];
    rows.push_back(outer == 0 ? 0 : static_cast<std::int64_t>(c.content(i)->size()) / outer);
  }
  Content result;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto first = c.content(i)->begin() + o * rows[i];
      result.insert(result.end(), first, first + rows[i]);
    }
  }
  return result;
}

// Picks by constant indices, already in range.
Content gather_content(const Content& data, const std::vector<std::int64_t>& dims, std::size_t axis,
                       const std::vector<std::int64_t>& indices) {
  std::int64_t outer = 1, inner = 1;
  for (std::size_t k = 0; k < dims.size(); ++k) {
    if (k < axis) outer *= dims[k];
    if (k > axis) inner *= dims[k];
  }
  Content result;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int64_t index : indices) {
      const std::int64_t row = index < 0 ? index + dims[axis] : index;
      const auto first = data.begin() + (o * dims[axis] + row) * inner;
      result.insert(result.end(), first, first + inner);
    }
  }
  return result;
}

// The most rows among which a run may pick one that shape arithmetic follows.
constexpr std::int64_t kMostChoices = 16;

// The same by indices that a run knows, of which each must be in range.
Expected<std::optional<Content>> chosen_content(NodeInfer& c, const std::vector<std::int64_t>& dims,
                                                std::size_t axis) {
  const std::int64_t size = dims[axis];
  if (size < 1 || size > kMostChoices) return std::optional<Content>{};
  ExprPool& p = c.exprs;
  std::int64_t outer = 1, inner = 1;
  for (std::size_t k = 0; k < dims.size(); ++k) {
    if (k < axis) outer *= dims[k];
    if (k > axis) inner *= dims[k];
  }
  std::vector<Expr> rows;
  for (const Expr index : *c.content(1)) {
    SUBBYTE_CHECK_OK(
        c.require(p.mul(p.less(p.constant(-size - 1), index), p.less(index, p.constant(size))),
                  fmt::format("its index {} is out of range; it must be in [{}, {}]", p.text(index),
                              -size, size - 1)));
    rows.push_back(p.select(p.less(index, c.zero()), p.add(index, p.constant(size)), index));
  }
  Content result;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const Expr row : rows) {
      for (std::int64_t i = 0; i < inner; ++i) {
        const auto element = [&](std::int64_t k) {
          return (*c.content(0))[static_cast<std::size_t>((o * size + k) * inner + i)];
        };
        Expr chosen = element(size - 1);
        for (std::int64_t k = size - 1; k-- > 0;)
          chosen = p.select(p.equal(row, p.constant(k)), element(k), chosen);
        result.push_back(chosen);
      }
    }
  }
  return std::optional(std::move(result));
}

}  // namespace

Expected<void> infer_concat(NodeInfer& c) {
  SUBBYTE_TRY(const DType dtype, c.same_dtype(0, c.node.inputs.size()));
  c.set(0, dtype, std::nullopt);
  if (c.node.find("axis") == nullptr) return fail("its attribute 'axis' is missing");
  for (std::size_t i = 0; i < c.node.inputs.size(); ++i) {
    if (c.shape(i) == nullptr) return {};
  }
  Shape shape = *c.shape(0);
  SUBBYTE_TRY(const std::size_t axis, c.axis(c.node.int_or("axis", 0), shape.size()));
  for (std::size_t i = 1; i < c.node.inputs.size(); ++i) {
    const Shape& other = *c.shape(i);
    if (other.size() != shape.size()) {
      return fail("it joins shapes {} and {}; all must have one rank", c.text(*c.shape(0)),
                  c.text(other));
    }
    for (std::size_t k = 0; k < shape.size(); ++k) {
      if (k == axis) {
        shape[k] = c.exprs.add(shape[k], other[k]);
        continue;
      }
      SUBBYTE_TRY(
          shape[k],
          c.unify(shape[k], other[k],
                  fmt::format("it joins shapes {} and {} along axis {}; sizes {} and {} of axis {} "
                              "must be equal",
                              c.text(*c.shape(0)), c.text(other), axis, c.exprs.text(shape[k]),
                              c.exprs.text(other[k]), k)));
    }
  }
  std::optional<Content> content;
  if (small_dims(c.exprs, shape)) content = concat_content(c, axis);
  c.set(0, dtype, std::move(shape), std::move(content));
  return {};
}

Expected<void> infer_gather(NodeInfer& c) {
  const Shape* data = c.shape(0);
  const Shape* indices = c.shape(1);
  if (data == nullptr || indices == nullptr) {
    c.set(0, c.in(0).dtype, std::nullopt);
    return {};
  }
  SUBBYTE_TRY(const std::size_t axis, c.axis(c.node.int_or("axis", 0), data->size()));
  Shape shape(data->begin(), data->begin() + static_cast<std::ptrdiff_t>(axis));
  shape.insert(shape.end(), indices->begin(), indices->end());
  shape.insert(shape.end(), data->begin() + static_cast<std::ptrdiff_t>(axis) + 1, data->end());

  SUBBYTE_CHECK_OK(c.require_elements(std::span(*data).subspan(axis, 1), *indices));
  const auto picked = c.constants(1);
  const auto size = c.exprs.value((*data)[axis]);
  if (picked && size) {
    for (const std::int64_t index : *picked) {
      if (index < -*size || index >= *size) {
        return fail("its index {} is out of range; axis {} of shape {} has size {}", index, axis,
                    c.text(*data), *size);
      }
    }
  }
  std::optional<Content> content;
  const auto dims = small_dims(c.exprs, *data);
  if (c.content(0) != nullptr && dims && small_dims(c.exprs, shape)) {
    if (picked) {
      content = gather_content(*c.content(0), *dims, axis, *picked);
    } else if (c.content(1) != nullptr) {
      SUBBYTE_TRY(content, chosen_content(c, *dims, axis));
    }
  }
  c.set(0, c.in(0).dtype, std::move(shape), std::move(content));
  return {};
}

}  // namespace subbyte
