#include "calibrate/strided.h"

#include <algorithm>

#include "reference/view.h"

namespace subbyte::calibrate {
namespace {

// Elements that one thread takes at a time: as many as its cache holds of several operands.
constexpr std::int64_t kPiece = 1 << 13;

}  // namespace

Walk make_walk(std::span<const std::int64_t> dims, std::vector<Dims> strides) {
  Walk walk;
  walk.strides.resize(strides.size());
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] == 1) continue;
    bool joins = !walk.dims.empty();
    for (std::size_t o = 0; joins && o < strides.size(); ++o)
      joins = walk.strides[o].back() == strides[o][axis] * dims[axis];
    if (joins) {
      walk.dims.back() *= dims[axis];
    } else {
      walk.dims.push_back(dims[axis]);
    }
    for (std::size_t o = 0; o < strides.size(); ++o) {
      if (joins) walk.strides[o].pop_back();
      walk.strides[o].push_back(strides[o][axis]);
    }
  }
  if (walk.dims.empty()) {
    walk.dims.push_back(1);
    for (Dims& s : walk.strides) s.push_back(1);
  }
  return walk;
}

Dims broadcast_strides(std::span<const std::int64_t> dims, std::span<const std::int64_t> to) {
  const Dims own = reference::strides_of(dims);
  Dims strides(to.size(), 0);
  const std::size_t missing = to.size() - dims.size();
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (dims[i] != 1) strides[missing + i] = own[i];
  return strides;
}

void for_pieces(const Walk& walk, double cost, Machine& machine, const Visit& visit) {
  const std::int64_t row = walk.row(), rows = walk.rows();
  if (row == 0 || rows == 0) return;
  // Short rows go together, long ones are cut.
  const std::int64_t together = std::clamp<std::int64_t>(kPiece / row, 1, rows);
  const std::int64_t cuts = (row + kPiece - 1) / kPiece;
  const std::int64_t groups = (rows + together - 1) / together;
  const std::size_t outer = walk.dims.size() - 1;
  const double elements = static_cast<double>(rows) * static_cast<double>(row);
  machine.share(groups * cuts, elements * cost, [&](std::int64_t task) {
    const std::int64_t first = task % cuts * kPiece, count = std::min(kPiece, row - first);
    const std::int64_t begin = task / cuts * together, end = std::min(rows, begin + together);
    Dims at(outer), offsets(walk.strides.size());
    std::int64_t rest = begin;
    for (std::size_t axis = outer; axis-- > 0;) {
      at[axis] = rest % walk.dims[axis];
      rest /= walk.dims[axis];
    }
    for (std::size_t o = 0; o < offsets.size(); ++o) {
      offsets[o] = first * walk.step(o);
      for (std::size_t axis = 0; axis < outer; ++axis)
        offsets[o] += at[axis] * walk.strides[o][axis];
    }
    for (std::int64_t r = begin; r < end; ++r) {
      visit(offsets, r * row + first, count);
      for (std::size_t axis = outer; axis-- > 0;) {
        const bool wraps = ++at[axis] == walk.dims[axis];
        for (std::size_t o = 0; o < offsets.size(); ++o)
          offsets[o] += walk.strides[o][axis] * (wraps ? 1 - walk.dims[axis] : 1);
        if (!wraps) break;
        at[axis] = 0;
      }
    }
  });
}

}  // namespace subbyte::calibrate
