// A constant as it is stored: what quantize decides, what plan, emit and the check read.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "quantize/format.h"
#include "quantize/group_search.h"

namespace subbyte {

struct PackedMatrix;  // quantize/codec.h
struct StoredWeight;

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

// The rows of several matrices of one encoding and k, one under the other, or several vectors, one
// behind the other; each has a source of its own. The parts of each are aligned.
struct JoinedWeights {
  std::shared_ptr<const std::vector<StoredWeight>> members;
  friend bool operator==(const JoinedWeights&, const JoinedWeights&) = default;
};

// Where the packed numbers come from.
using StoredSource = std::variant<ElementsOfConstant, ChosenNumbers, CodesOfGrid, JoinedWeights>;

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

// Those that are joined in it; of one that is no JoinedWeights itself alone.
std::span<const StoredWeight> members_of(const StoredWeight& stored);
// The bytes of a row of a part.
using RowPart = std::int64_t RowLayout::*;
// Where a member begins in a part, and, for one past the last, where the part ends.
std::int64_t member_offset(const StoredWeight& stored, std::size_t member, RowPart part);
std::int64_t part_bytes(const StoredWeight& stored, RowPart part);
// Of all parts, with the padding between them.
std::int64_t stored_bytes(const StoredWeight& stored);

}  // namespace subbyte
