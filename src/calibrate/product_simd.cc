#include "calibrate/product_simd.h"

#include <algorithm>
#include <array>

#include "calibrate/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "calibrate/product_simd.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace subbyte::calibrate::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, 16>;
using V = hn::Vec<Floats>;
constexpr std::int64_t kLanes = hn::MaxLanes(Floats());

// Rows of a tile, so that its sums, two vectors each, and what they are made of fit the registers:
// 32 with AVX-512 and NEON, 16 elsewhere, of which an engine of WebAssembly keeps some for itself.
constexpr int kTileRows = kLanes == 16 || HWY_ARCH_ARM_A64 ? 12 : HWY_ARCH_WASM ? 4 : 6;

template <int kRows, int kVectors>
HWY_INLINE void store_tile(const V (&sums)[kRows][kVectors], std::int64_t columns, float* c,
                           std::int64_t c_stride) {
  const Floats d;
  if (columns == kVectors * kLanes) {
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, c + r * c_stride + v * kLanes);
    return;
  }
  HWY_ALIGN std::array<float, kVectors * kLanes> row;
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::Store(sums[r][v], d, row.data() + v * kLanes);
    std::copy_n(row.data(), columns, c + r * c_stride);
  }
}

// All of a tile's sums stay in registers from the first k to the last.
template <int kRows, int kVectors>
HWY_INLINE void multiply_tile(const float* HWY_RESTRICT a, std::int64_t a_stride,
                              std::int64_t depth, const float* HWY_RESTRICT panel,
                              std::int64_t panel_stride, std::int64_t columns,
                              float* HWY_RESTRICT c, std::int64_t c_stride) {
  const Floats d;
  V sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::Zero(d);
  for (std::int64_t k = 0; k < depth; ++k) {
    V b[kVectors];
    for (int v = 0; v < kVectors; ++v) b[v] = hn::LoadU(d, panel + k * panel_stride + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const V x = hn::Set(d, a[r * a_stride + k]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::Add(sums[r][v], hn::Mul(x, b[v]));
    }
  }
  store_tile<kRows, kVectors>(sums, columns, c, c_stride);
}

template <int kVectors>
void multiply_rows(const float* a, std::int64_t a_stride, std::int64_t rows, std::int64_t depth,
                   const float* panel, std::int64_t panel_stride, std::int64_t columns, float* c,
                   std::int64_t c_stride) {
  std::int64_t r = 0;
  const auto tiles = [&](auto rows_of_tile) HWY_ATTR {
    constexpr int kRows = decltype(rows_of_tile)::value;
    for (; r + kRows <= rows; r += kRows) {
      multiply_tile<kRows, kVectors>(a + r * a_stride, a_stride, depth, panel, panel_stride,
                                     columns, c + r * c_stride, c_stride);
    }
  };
  tiles(std::integral_constant<int, kTileRows>());
  if constexpr (kTileRows > 6) tiles(std::integral_constant<int, 6>());
  tiles(std::integral_constant<int, 3>());
  tiles(std::integral_constant<int, 1>());
}

void MultiplyPanel(const float* a, std::int64_t a_stride, std::int64_t rows, std::int64_t depth,
                   const float* panel, std::int64_t panel_stride, std::int64_t columns, float* c,
                   std::int64_t c_stride) {
  if (columns > kLanes) {
    multiply_rows<2>(a, a_stride, rows, depth, panel, panel_stride, columns, c, c_stride);
  } else {
    multiply_rows<1>(a, a_stride, rows, depth, panel, panel_stride, columns, c, c_stride);
  }
}

std::int64_t PanelColumns() { return 2 * kLanes; }

std::int64_t PanelWidth(std::int64_t columns) { return columns > kLanes ? 2 * kLanes : kLanes; }

// Columns that lie one after the other in memory (a transposed operand): a few of each are read
// before the next, so that the writes of a row meet in the cache.
void pack_columns(const PanelSource& source, std::int64_t depth, std::int64_t columns,
                  std::int64_t width, float* panel) {
  constexpr std::int64_t kBlock = 16;
  for (std::int64_t first = 0; first < depth; first += kBlock) {
    const std::int64_t end = std::min(depth, first + kBlock);
    for (std::int64_t n = 0; n < columns; ++n) {
      const float* const column = source.b + n * source.column_stride;
      for (std::int64_t k = first; k < end; ++k)
        panel[k * width + n] = column[k * source.row_stride];
    }
  }
}

void PackPanel(const PanelSource& source, std::int64_t depth, std::int64_t columns, float* panel) {
  const std::int64_t width = PanelWidth(columns);
  if (source.column_stride != 1) {
    pack_columns(source, depth, columns, width, panel);
  } else {
    for (std::int64_t k = 0; k < depth; ++k)
      std::copy_n(source.b + k * source.row_stride, columns, panel + k * width);
  }
  if (columns == width) return;
  for (std::int64_t k = 0; k < depth; ++k)
    std::fill(panel + k * width + columns, panel + (k + 1) * width, 0.0f);
}

}  // namespace
}  // namespace subbyte::calibrate::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace subbyte::calibrate {

HWY_EXPORT(MultiplyPanel);
HWY_EXPORT(PanelColumns);
HWY_EXPORT(PanelWidth);
HWY_EXPORT(PackPanel);

std::int64_t panel_columns() { return HWY_DYNAMIC_DISPATCH(PanelColumns)(); }
std::int64_t panel_width(std::int64_t columns) { return HWY_DYNAMIC_DISPATCH(PanelWidth)(columns); }
void pack_panel(const PanelSource& source, std::int64_t depth, std::int64_t columns, float* panel) {
  HWY_DYNAMIC_DISPATCH(PackPanel)(source, depth, columns, panel);
}
void multiply_panel(const float* a, std::int64_t a_stride, std::int64_t rows, std::int64_t depth,
                    const float* panel, std::int64_t panel_stride, std::int64_t columns, float* c,
                    std::int64_t c_stride) {
  HWY_DYNAMIC_DISPATCH(MultiplyPanel)
  (a, a_stride, rows, depth, panel, panel_stride, columns, c, c_stride);
}

}  // namespace subbyte::calibrate
#endif  // HWY_ONCE
