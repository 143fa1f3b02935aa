// Small constants and narrow tables that hold points, boxes, colours and what maps them: too few
// numbers to tell from trained ones by a formula, and nothing is lost where they are not packed.
#pragma once

#include "graph/graph.h"

namespace subbyte {

// Of a point, of a box.
inline constexpr std::int64_t kMostCoordinates = 4;

// Whether a matrix, or the kernel of a convolution, is as small as those that turn, move and
// project points or change colours; one of four rows and columns where it keeps the fourth.
bool is_map_of_coordinates(const Tensor& matrix);

// Whether a small matrix has nothing but sixteenths, many of them 0: it adds and halves what boxes
// are given by.
bool is_sum_of_few(const Tensor& matrix);

// Whether a table is one of points or boxes, [.., places, up to 4], or [1, up to 4, many places],
// and none of features.
bool is_table_of_boxes(const Tensor& table);

}  // namespace subbyte
