// A tensor read through strides: what Expand, Slice, Split, Tile and Transpose have in common.
#pragma once

#include "reference/call.h"

namespace subbyte::reference {

// Element [i0, i1, ...] is element offset + sum(i * strides) of the source. A stride is 0 where an
// axis repeats, negative where it runs backwards.
struct View {
  Dims dims;
  Dims strides;
  std::int64_t offset = 0;
};

// Row-major strides.
Dims strides_of(std::span<const std::int64_t> dims);

// The elements of the view as a tensor of their own. The view stays inside the source.
Expected<Tensor> materialize(const Call& call, const Tensor& source, const View& view);

// What these operators read of their input, on the inputs of a call: the shape of the output, or of
// each output of Split.
Expected<View> slice_view(const Call& call);
Expected<std::vector<View>> split_views(const Call& call);
Expected<View> transpose_view(const Call& call);

}  // namespace subbyte::reference
