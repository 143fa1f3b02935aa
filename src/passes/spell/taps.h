// Bilinear interpolation at computed places of an image: the four elements around each place.
#pragma once

#include <vector>

#include "passes/spell/spell.h"

namespace subbyte {

// A coordinate along one axis: the elements before and after it (int32), and what each weighs
// (float32).
struct Neighbours {
  ValueId low, high, low_weight, high_weight;
};

// Of coordinates in [0, size - 1], which the caller sees to.
Neighbours neighbours_inside(Speller& s, ValueId at, ValueId last);
// Of any coordinates: an element outside weighs nothing, as if zeros lay around the image.
Neighbours neighbours_padded(Speller& s, ValueId at, ValueId last);
void hide_neighbours(Speller& s, Neighbours& neighbours, ValueId shown);

// A size as a float32 or an int32 of rank 0.
ValueId size_number(Speller& s, std::string_view what, ValueId of, std::size_t axis, DType dtype);

// The four elements, each times its weight, in the dtype of `planes` [C, images * height * width];
// `image` says which image a place is in (int32). Results are [C, ...places].
std::vector<ValueId> weighted_taps(Speller& s, ValueId planes, ValueId image, ValueId height,
                                   ValueId width, const Neighbours& y, const Neighbours& x);

}  // namespace subbyte
