// AffineGrid, CenterCropPad, Col2Im, and determinants and inverses of small matrices.
#include "graph/ops.h"
#include "passes/spell/spell.h"
#include "reference/element.h"

namespace subbyte {
namespace {

tl::unexpected<Error> refused(std::string_view reason) {
  return fail_as(ErrorKind::unsupported, "{}", reason);
}

// The coordinates along one axis of the grid, from -1 to 1, as a vector of floats.
ValueId coordinates(Speller& s, ValueId size, bool corners) {
  const DType dtype = s.dtype();
  const ValueId places =
      s.range("places", s.add(Op::Squeeze, "count", {size, s.int64s("count_axis", {0})}));
  const ValueId twice = s.add(Op::Mul, "twice", {places, s.int64s("two", {2})});
  // Between corners there is one step less; centers lie half a step inside.
  const ValueId steps = corners ? s.add(Op::Max, "steps",
                                        {s.add(Op::Sub, "between", {size, s.int64s("less", {1})}),
                                         s.int64s("least", {1})})
                                : size;
  const ValueId way = corners ? twice : s.add(Op::Add, "centers", {twice, s.int64s("half", {1})});
  const ValueId part =
      s.add(Op::Div, "way", {s.cast("way_in", way, dtype), s.cast("steps_in", steps, dtype)});
  return s.add(Op::Sub, "coordinates", {part, s.number("start", 1)});
}

ValueId column_of(Speller& s, ValueId theta, std::int64_t column, const Numbers& axes) {
  const ValueId one =
      s.slice("column", theta, 2, s.int64s("from", {column}), s.int64s("to", {column + 1}));
  const ValueId vector = s.add(Op::Squeeze, "vector", {one, s.int64s("vector_axis", {2})});
  return s.add(Op::Unsqueeze, "factor", {vector, s.int64s("factor_axes", axes)});
}

}  // namespace

// Inputs are theta [N, 2, 3] or [N, 3, 4], and the size [N, C, (D,) H, W] of the image.
Expected<bool> spell_affine_grid(Speller& s) {
  if (!s.rank()) return false;
  const auto dims = *s.rank() == 3 ? s.known_size(s.input(0), 1) : std::nullopt;
  if (!dims || (*dims != 2 && *dims != 3))
    return refused("its theta is not known to be [N, 2, 3] or [N, 3, 4]");
  const bool corners = s.node().int_or("align_corners", 0) != 0;
  const ValueId size = s.cast("size", s.input(1), DType::int64);
  const Numbers grid_axes = axes_between(1, static_cast<std::size_t>(*dims) + 1);
  ValueId sum = column_of(s, s.input(0), *dims, grid_axes);
  // The first column is that of the last axis.
  for (std::int64_t i = 0; i < *dims; ++i) {
    const std::int64_t axis = *dims - 1 - i;
    const ValueId count = s.slice("size_of_axis", size, 0, s.int64s("axis_from", {2 + axis}),
                                  s.int64s("axis_to", {3 + axis}));
    Numbers others;
    for (std::int64_t other = 0; other < *dims + 2; ++other)
      if (other != axis + 1) others.push_back(other);
    const ValueId places = s.add(Op::Unsqueeze, "axis",
                                 {coordinates(s, count, corners), s.int64s("other_axes", others)});
    sum = s.add(Op::Add, "sum",
                {sum, s.add(Op::Mul, "part", {column_of(s, s.input(0), i, grid_axes), places})});
  }
  s.finish(0, sum);
  return true;
}

// Each axis that is too long is cut, each that is too short padded with 0, the same on both sides.
Expected<bool> spell_center_crop_pad(Speller& s) {
  if (!s.rank()) return false;
  Numbers axes = axes_between(0, *s.rank());
  const auto rank = static_cast<std::int64_t>(*s.rank());
  if (const auto given = s.node().ints("axes")) axes.assign(given->begin(), given->end());
  for (std::int64_t& axis : axes) {
    if (axis < -rank || axis >= rank)
      return fail("its axis {} is out of range for rank {}", axis, rank);
    if (axis < 0) axis += rank;
  }
  const ValueId target = s.cast("target", s.input(1), DType::int64);
  std::vector<Size> given;
  for (const std::int64_t axis : axes)
    given.push_back(s.size(s.input(0), static_cast<std::size_t>(axis)));
  const ValueId sizes = s.sizes("sizes", given);
  const ValueId zero = s.int64s("zero", {0}), two = s.int64s("two", {2});
  const ValueId list = s.int64s("axes", axes);
  const auto excess = [&](ValueId a, ValueId b) {
    return s.add(Op::Max, "excess", {s.add(Op::Sub, "difference", {a, b}), zero});
  };
  const ValueId start = s.add(Op::Div, "start", {excess(sizes, target), two});
  const ValueId kept = s.add(Op::Min, "kept", {sizes, target});
  const ValueId cut = s.add(Op::Slice, "cut",
                            {s.input(0), start, s.add(Op::Add, "end", {start, kept}), list,
                             s.int64s("steps", Numbers(axes.size(), 1))});
  const ValueId missing = excess(target, sizes);
  const ValueId before = s.add(Op::Div, "before", {missing, two});
  const ValueId pads =
      s.add(Op::Concat, "pads", {before, s.add(Op::Sub, "after", {missing, before})},
            {integer("axis", 0)});
  s.finish(Op::Pad, {cut, pads, s.number("value", 0), list}, {{"mode", std::string("constant")}});
  return true;
}

// What blocks of an image hold goes back to where they were, summed where they overlap: a
// transposed convolution whose kernels each have a single one. The image is as large as its input
// says, a run's included: what no block reaches is filled, and pads are cut off, as negative ones.
Expected<bool> spell_col2im(Speller& s) {
  const auto block = s.numbers(s.input(2));
  if (!s.rank() || !s.rank(s.input(1))) return false;
  if (!block) return refused("its block_shape is not known when converting");
  const std::size_t dims = block->size();
  const auto given = s.known_sizes(s.input(1));
  if (*s.rank() != 3 || dims == 0 || given != Numbers{static_cast<std::int64_t>(dims)})
    return fail(
        "its input has rank {} and its block_shape {} elements; there must be 3, and as many as "
        "its image_shape has",
        *s.rank(), dims);
  const auto list = [&](const char* name, std::size_t count, std::int64_t otherwise) {
    const auto numbers = s.node().ints(name);
    return numbers && numbers->size() == count ? Numbers(numbers->begin(), numbers->end())
                                               : Numbers(count, otherwise);
  };
  const Numbers strides = list("strides", dims, 1), dilations = list("dilations", dims, 1),
                pads = list("pads", 2 * dims, 0);
  const auto image = s.numbers(s.input(1));
  std::int64_t elements = 1;
  Numbers spans, both_pads;
  for (std::size_t i = 0; i < dims; ++i) {
    constexpr std::int64_t kMost = std::int64_t{1} << 31;
    const auto is_size = [](std::int64_t size) { return size >= 1 && size <= kMost; };
    const auto is_pad = [](std::int64_t pad) { return pad >= 0 && pad <= kMost; };
    if (!is_size(strides[i]) || !is_size(dilations[i]) || (image && !is_size((*image)[i])) ||
        !is_size((*block)[i]) || (*block)[i] > 4096 || elements > 4096)
      return refused(
          "its blocks, strides or dilations are not positive, or a block is larger than 4096");
    if (!is_pad(pads[i]) || !is_pad(pads[dims + i])) return refused("its pads are negative");
    elements *= (*block)[i];
    spans.push_back(dilations[i] * ((*block)[i] - 1) + 1);
    both_pads.push_back(pads[i] + pads[dims + i]);
    if (image && (*image)[i] + both_pads[i] < spans[i])
      return fail("its block does not fit into its image along axis {}", i);
  }
  if (elements > 4096) return refused("its block is larger than 4096 elements");
  const auto width = s.known_size(s.input(0), 1);
  if (!width || *width % elements != 0)
    return refused(
        "the number of its channels is not known when converting, or no multiple of a block");
  const Size batch = s.size(s.input(0), 0), channels = size_of(*width / elements);

  const ValueId size = s.cast("size", s.input(1), DType::int64);
  const ValueId padded = s.add(Op::Add, "padded", {size, s.int64s("both_pads", both_pads)});
  const ValueId room = s.add(Op::Sub, "room", {padded, s.int64s("spans", spans)});
  const ValueId step = s.int64s("strides", strides);
  const ValueId steps = s.add(Op::Div, "steps", {room, step});
  const ValueId counts = s.add(Op::Add, "counts", {steps, s.int64s("first", {1})});
  const ValueId shape = s.add(Op::Concat, "blocks_shape",
                              {s.sizes("apart", {batch * channels, size_of(elements)}), counts},
                              {integer("axis", 0)});
  const ValueId blocks = s.add(Op::Reshape, "blocks", {s.input(0), shape});
  std::vector<double> ones(static_cast<std::size_t>(elements * elements));
  for (std::int64_t i = 0; i < elements; ++i) ones[static_cast<std::size_t>(i * elements + i)] = 1;
  Numbers kernel{elements, 1};
  kernel.insert(kernel.end(), block->begin(), block->end());
  ValueId summed =
      s.add(Op::ConvTranspose, "image",
            {blocks, s.defined("kernels", reference::tensor_from(s.dtype(), kernel, ones))},
            {{"strides", strides}, {"dilations", dilations}});
  const ValueId axes = s.int64s("axes", axes_between(2, dims + 2));
  const ValueId over = s.add(Op::Sub, "over", {room, s.add(Op::Mul, "reached", {steps, step})});
  Numbers before, after;
  for (std::size_t i = 0; i < dims; ++i) {
    before.push_back(-pads[i]);
    after.push_back(pads[dims + i]);
  }
  const ValueId filling =
      s.add(Op::Concat, "filling",
            {s.int64s("before", before), s.add(Op::Sub, "after", {over, s.int64s("cut", after)})},
            {integer("axis", 0)});
  summed = s.add(Op::Pad, "filled", {summed, filling, s.number("value", 0), axes},
                 {{"mode", std::string("constant")}});
  const ValueId result = s.add(Op::Concat, "images_shape",
                               {s.sizes("images", {batch, channels}), size}, {integer("axis", 0)});
  s.finish(0, s.add(Op::Reshape, "images", {summed, result}));
  return true;
}

namespace {

// A matrix as its elements, each a tensor of the batch.
class Matrix {
 public:
  Matrix(Speller& speller, ValueId x, std::int64_t n) : s(speller), n_(n) {
    const auto rank = static_cast<std::int64_t>(s.known_rank(x));
    const Numbers ones(static_cast<std::size_t>(n), 1);
    for (const ValueId row : s.split("row", x, rank - 2, ones))
      for (const ValueId element : s.split("element", row, rank - 1, ones))
        elements_.push_back(element);
  }

  // By the elements of the first of these rows (Laplace).
  ValueId determinant(const Numbers& rows, const Numbers& columns) {
    if (rows.size() == 1) return at(rows[0], columns[0]);
    ValueId sum = kNone;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      Numbers others = columns;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
      const ValueId part = s.add(
          Op::Mul, "part",
          {at(rows[0], columns[i]), determinant(Numbers(rows.begin() + 1, rows.end()), others)});
      sum = sum == kNone ? part : s.add(i % 2 == 0 ? Op::Add : Op::Sub, "sum", {sum, part});
    }
    return sum;
  }

  ValueId cofactor(std::int64_t row, std::int64_t column) {
    Numbers rows = all(), columns = all();
    rows.erase(rows.begin() + row);
    columns.erase(columns.begin() + column);
    const ValueId minor = determinant(rows, columns);
    return (row + column) % 2 == 0 ? minor : s.add(Op::Neg, "cofactor", {minor});
  }

  Numbers all() const { return axes_between(0, static_cast<std::size_t>(n_)); }

 private:
  ValueId at(std::int64_t row, std::int64_t column) const {
    return elements_[static_cast<std::size_t>(row * n_ + column)];
  }

  Speller& s;
  std::int64_t n_;
  std::vector<ValueId> elements_;
};

// Expansions grow with the factorial of the size.
constexpr std::int64_t kLargestMatrix = 4;

Expected<std::int64_t> matrix_size(Speller& s) {
  const std::size_t rank = s.known_rank(s.input(0));
  if (rank < 2) return fail("its input has rank {}; it must be at least 2", rank);
  const auto rows = s.known_size(s.input(0), rank - 2),
             columns = s.known_size(s.input(0), rank - 1);
  if (!rows || !columns) return refused("the size of its matrices is not known when converting");
  if (*rows != *columns || *rows < 1)
    return fail("its matrices are {} by {}; they must be square", *rows, *columns);
  if (*rows > kLargestMatrix) return refused("its matrices are larger than 4 by 4");
  return *rows;
}

}  // namespace

Expected<bool> spell_det(Speller& s) {
  if (!s.rank()) return false;
  SUBBYTE_TRY(const std::int64_t n, matrix_size(s));
  Matrix matrix(s, s.input(0), n);
  const auto rank = static_cast<std::int64_t>(*s.rank());
  s.finish(Op::Squeeze, {matrix.determinant(matrix.all(), matrix.all()),
                         s.int64s("axes", {rank - 2, rank - 1})});
  return true;
}

// The transposed cofactors over the determinant.
Expected<bool> spell_inverse(Speller& s) {
  if (!s.rank()) return false;
  SUBBYTE_TRY(const std::int64_t n, matrix_size(s));
  const auto rank = static_cast<std::int64_t>(*s.rank());
  Matrix matrix(s, s.input(0), n);
  const ValueId determinant = matrix.determinant(matrix.all(), matrix.all());
  if (n == 1) {
    s.finish(Op::Reciprocal, {determinant});
    return true;
  }
  std::vector<ValueId> rows;
  for (std::int64_t row = 0; row < n; ++row) {
    std::vector<ValueId> elements;
    for (std::int64_t column = 0; column < n; ++column)
      elements.push_back(matrix.cofactor(column, row));
    rows.push_back(s.add(Op::Concat, "row", elements, {integer("axis", rank - 1)}));
  }
  s.finish(Op::Div,
           {s.add(Op::Concat, "adjugate", rows, {integer("axis", rank - 2)}), determinant});
  return true;
}

}  // namespace subbyte
