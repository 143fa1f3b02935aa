// Concat, Expand, Gather, Slice, Split and Transpose, of any dtype: copies of what lies apart.
#include <algorithm>
#include <cstring>

#include "calibrate/forms.h"
#include "calibrate/strided.h"
#include "reference/view.h"

namespace subbyte::calibrate {
namespace {

using reference::View;

template <std::size_t size>
void copy_elements(const std::byte* from, std::int64_t step, std::int64_t count, std::byte* to) {
  for (std::int64_t i = 0; i < count; ++i)
    std::memcpy(to + i * static_cast<std::int64_t>(size),
                from + i * step * static_cast<std::int64_t>(size), size);
}

using Copy = void (*)(const std::byte*, std::int64_t, std::int64_t, std::byte*);

Copy copy_of_size(std::size_t size) {
  switch (size) {
    case 1:
      return copy_elements<1>;
    case 2:
      return copy_elements<2>;
    case 4:
      return copy_elements<4>;
    case 8:
      return copy_elements<8>;
    default:
      return nullptr;
  }
}

// The last two axes exchanged, as of keys: by squares, so that lines of both sides are used whole.
template <std::size_t size>
void transpose_square(const std::byte* from, std::int64_t row_step, std::int64_t column_step,
                      std::int64_t rows, std::int64_t columns, std::byte* to) {
  constexpr std::int64_t kSide = 16, kSize = static_cast<std::int64_t>(size);
  for (std::int64_t first = 0; first < columns; first += kSide) {
    const std::int64_t end = std::min(columns, first + kSide);
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = first; c < end; ++c)
        std::memcpy(to + (r * columns + c) * kSize, from + (r * row_step + c * column_step) * kSize,
                    size);
  }
}

// A view whose elements lie closer along the axis before the last: matrices that are transposed.
bool copy_transposed(const Walk& walk, const std::byte* from, std::byte* to, std::size_t size,
                     Machine& machine) {
  const std::size_t rank = walk.dims.size();
  if (size != 4 || rank < 2 || walk.step(0) <= 1) return false;
  const std::int64_t row_step = walk.strides[0][rank - 2];
  if (row_step != 1) return false;
  const std::int64_t columns = walk.dims[rank - 1], all_rows = walk.dims[rank - 2];
  Walk matrices;
  matrices.dims.assign(walk.dims.begin(), walk.dims.end() - 2);
  matrices.strides = {Dims(walk.strides[0].begin(), walk.strides[0].end() - 2)};
  // A block of rows at a time; matrices are the axes before them.
  constexpr std::int64_t kRows = 64;
  const std::int64_t blocks = (all_rows + kRows - 1) / kRows;
  const std::int64_t count = reference::product(matrices.dims, 0, matrices.dims.size());
  const double elements =
      static_cast<double>(count) * static_cast<double>(all_rows) * static_cast<double>(columns);
  machine.share(count * blocks, elements, [&](std::int64_t task) {
    const std::int64_t row = task % blocks * kRows, rows = std::min(kRows, all_rows - row);
    std::int64_t rest = task / blocks, offset = row * row_step;
    for (std::size_t axis = matrices.dims.size(); axis-- > 0;) {
      offset += rest % matrices.dims[axis] * matrices.strides[0][axis];
      rest /= matrices.dims[axis];
    }
    transpose_square<4>(from + offset * 4, row_step, walk.step(0), rows, columns,
                        to + (task / blocks * all_rows + row) * columns * 4);
  });
  return true;
}

bool can_copy(const Tensor& tensor) { return copy_of_size(dtype_size(tensor.dtype)) != nullptr; }

}  // namespace

Expected<Made> copy_view(const Call& call, const Tensor& source, const View& view,
                         Machine& machine) {
  SUBBYTE_TRY(Made made, make(call, machine, source.dtype, view.dims));
  if (made.tensor.data.empty()) return made;
  const std::size_t size = dtype_size(source.dtype);
  const auto bytes = static_cast<std::int64_t>(size);
  const std::byte* const from = source.data.data() + view.offset * bytes;
  const Walk walk = make_walk(view.dims, {view.strides});
  if (copy_transposed(walk, from, made.bytes, size, machine)) return made;
  const std::int64_t step = walk.step(0);
  const Copy copy = copy_of_size(size);
  for_pieces(walk, 0.5, machine,
             [&](std::span<const std::int64_t> offsets, std::int64_t first, std::int64_t count) {
               const std::byte* const piece = from + offsets[0] * bytes;
               std::byte* const to = made.bytes + first * bytes;
               if (step == 1) {
                 std::memcpy(to, piece, static_cast<std::size_t>(count * bytes));
               } else {
                 copy(piece, step, count, to);
               }
             });
  return made;
}

namespace {

Result copied(const Call& call, const Expected<View>& view, Machine& machine) {
  if (!view) return tl::unexpected(view.error());
  SUBBYTE_TRY(Made made, copy_view(call, call.input(0), *view, machine));
  return std::move(made).done();
}

}  // namespace

Result transpose_form(const Call& call, Machine& machine) {
  if (!can_copy(call.input(0))) return Outputs();
  return copied(call, reference::transpose_view(call), machine);
}

Result slice_form(const Call& call, Machine& machine) {
  if (!can_copy(call.input(0))) return Outputs();
  return copied(call, reference::slice_view(call), machine);
}

Result expand_form(const Call& call, Machine& machine) {
  const Tensor& input = call.input(0);
  if (!can_copy(input)) return Outputs();
  SUBBYTE_TRY(const Dims shape, integer_list(call, 1));
  SUBBYTE_TRY(const Dims dims, broadcast_dims(call, input.dims, shape));
  if (dims == input.dims) return Outputs{input};
  return copied(call, View{dims, broadcast_strides(input.dims, dims), 0}, machine);
}

Result split_form(const Call& call, Machine& machine) {
  if (!can_copy(call.input(0))) return Outputs();
  SUBBYTE_TRY(const std::vector<View> views, reference::split_views(call));
  Outputs outputs;
  for (const View& view : views) {
    SUBBYTE_TRY(Made made, copy_view(call, call.input(0), view, machine));
    outputs.push_back(std::move(made.tensor));
  }
  return outputs;
}

Result concat_form(const Call& call, Machine& machine) {
  const Tensor& first = call.input(0);
  if (!can_copy(first) || call.node.find("axis") == nullptr) return Outputs();
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, first.dims.size()));
  Dims dims = first.dims;
  dims[axis] = 0;
  for (const Tensor* input : call.inputs) {
    Dims expected = first.dims;
    if (input->dims.size() == expected.size()) expected[axis] = input->dims[axis];
    if (input->dtype != first.dtype || input->dims != expected ||
        __builtin_add_overflow(dims[axis], input->dims[axis], &dims[axis]))
      return Outputs();
  }
  SUBBYTE_TRY(Made made, make(call, machine, first.dtype, dims));
  if (made.tensor.data.empty()) return std::move(made).done();
  const std::int64_t outer = reference::product(dims, 0, axis);
  const auto stride = static_cast<std::int64_t>(made.tensor.data.size()) / outer;
  const double cost = static_cast<double>(made.tensor.data.size()) / 8;
  machine.share(outer, cost, [&](std::int64_t o) {
    std::byte* to = made.bytes + o * stride;
    for (const Tensor* input : call.inputs) {
      const std::size_t run = input->data.size() / static_cast<std::size_t>(outer);
      if (run == 0) continue;
      std::memcpy(to, input->data.data() + static_cast<std::size_t>(o) * run, run);
      to += run;
    }
  });
  return std::move(made).done();
}

Result gather_form(const Call& call, Machine& machine) {
  const Tensor& data = call.input(0);
  const Tensor& indices = call.input(1);
  if (!can_copy(data) || !is_integer(indices.dtype)) return Outputs();
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, data.dims.size()));
  Dims positions = *integer_values(indices);
  const std::int64_t length = data.dims[axis];
  for (std::int64_t& position : positions) {
    if (position < -length || position >= length) return Outputs();
    if (position < 0) position += length;
  }
  Dims dims(data.dims.begin(), data.dims.begin() + static_cast<std::ptrdiff_t>(axis));
  dims.insert(dims.end(), indices.dims.begin(), indices.dims.end());
  dims.insert(dims.end(), data.dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
              data.dims.end());
  SUBBYTE_TRY(Made made, make(call, machine, data.dtype, std::move(dims)));
  if (made.tensor.data.empty()) return std::move(made).done();
  const auto size = static_cast<std::int64_t>(dtype_size(data.dtype));
  const std::int64_t run = reference::product(data.dims, axis + 1, data.dims.size()) * size;
  const std::int64_t outer = reference::product(data.dims, 0, axis);
  const auto count = static_cast<std::int64_t>(positions.size());
  // One thread takes a few runs of some size.
  const std::int64_t together = std::clamp<std::int64_t>((1 << 14) / run, 1, count);
  const std::int64_t pieces = (count + together - 1) / together;
  machine.share(outer * pieces, static_cast<double>(made.tensor.data.size()) / 8,
                [&](std::int64_t task) {
                  const std::int64_t o = task / pieces, first = task % pieces * together;
                  for (std::int64_t i = first; i < std::min(count, first + together); ++i) {
                    const std::int64_t row = o * length + positions[static_cast<std::size_t>(i)];
                    std::memcpy(made.bytes + (o * count + i) * run, data.data.data() + row * run,
                                static_cast<std::size_t>(run));
                  }
                });
  return std::move(made).done();
}

}  // namespace subbyte::calibrate
