// A constant as it is stored: what quantize decides, what plan, emit and the check read.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>

#include "graph/graph.h"
#include "quantize/format.h"
#include "quantize/group_search.h"

namespace subbyte {

struct PackedMatrix;  // quantize/codec.h

// The constant's own elements, encoded when it is packed; `search` finds an affine encoding's
// scales.
struct ElementsOfConstant {
  ScaleSearch search = ScaleSearch::none;
  friend bool operator==(const ElementsOfConstant&, const ElementsOfConstant&) = default;
};

// The numbers as calibration chose them (quantize/fit): those of a bias differ from the constant's
// own by what it corrects.
struct ChosenNumbers {
  std::shared_ptr<const PackedMatrix> matrix;
  friend bool operator==(const ChosenNumbers&, const ChosenNumbers&) = default;
};

// The codes, scales and zero points that the constant arrived with (graph/grid.h), as they are.
struct CodesOfGrid {
  friend bool operator==(const CodesOfGrid&, const CodesOfGrid&) = default;
};

// Where the packed numbers come from.
using StoredSource = std::variant<ElementsOfConstant, ChosenNumbers, CodesOfGrid>;

// A matrix of rows by k in some encoding.
struct StoredWeight {
  ValueId value = kNone;
  Encoding encoding;
  std::int64_t rows = 1;
  std::int64_t k = 0;
  AxisOrder order;
  RowLayout layout = {};
  StoredSource source = {};
};

// Of all parts, with the padding between them.
inline std::int64_t stored_bytes(const StoredWeight& stored) {
  return stored_bytes(stored.layout, stored.rows);
}

}  // namespace subbyte
