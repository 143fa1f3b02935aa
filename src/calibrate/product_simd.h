// A matrix times a panel: a few columns of another matrix. Everything that multiplies comes down to
// it.
#pragma once

#include <cstdint>

namespace subbyte::calibrate {

// The most columns that a panel has: two vectors of the machine.
std::int64_t panel_columns();
// Floats that a panel of so many columns takes: rows are padded to whole vectors.
std::int64_t panel_width(std::int64_t columns);

// The right operand: element [k, n] is b[k * row_stride + n * column_stride], k below depth.
struct PanelSource {
  const float* b;
  std::int64_t row_stride, column_stride;
};

// Packs `columns` columns, at most panel_columns(): panel[k * panel_width(columns) + n], aligned to
// 64 bytes.
void pack_panel(const PanelSource& source, std::int64_t depth, std::int64_t columns, float* panel);

// c[r * c_stride + n] = the sum of a[r * a_stride + k] * panel[k * panel_stride + n] over k, added
// up in order of k from 0 on, each product and each sum rounded. A panel that was not packed, its
// stride that of its matrix, must have panel_columns() columns.
void multiply_panel(const float* a, std::int64_t a_stride, std::int64_t rows, std::int64_t depth,
                    const float* panel, std::int64_t panel_stride, std::int64_t columns, float* c,
                    std::int64_t c_stride);

}  // namespace subbyte::calibrate
