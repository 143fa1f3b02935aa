#include "calibrate/panels.h"

#include <algorithm>

namespace subbyte::calibrate {
namespace {

// With so few rows a panel is read once or twice only: copying it first would cost more.
constexpr std::int64_t kRowsWorthPacking = 4;

// One panel and as many rows as one thread takes at a time.
struct Task {
  std::size_t product;
  std::int64_t first_column;
  std::int64_t first_row, rows;
};

std::int64_t rows_of(const Product& product) {
  std::int64_t rows = 0;
  for (const ProductRows& left : product.left) rows += left.rows;
  return rows;
}
std::int64_t rows_of(const MadeProduct& product) { return product.left.rows; }

// Rows are cut only where there are too few panels for all threads: each cut packs its panel again.
template <typename P>
std::vector<Task> cut(std::span<const P> products, std::int64_t threads, double& cost) {
  const std::int64_t width = panel_columns();
  std::int64_t panels = 0;
  for (const P& product : products) {
    panels += (product.columns + width - 1) / width;
    cost += static_cast<double>(product.depth) * static_cast<double>(product.columns) *
            static_cast<double>(rows_of(product));
  }
  constexpr std::int64_t kFewestRows = 24;
  const std::int64_t cuts =
      panels == 0 || threads == 1 ? 1 : std::max<std::int64_t>(1, 2 * threads / panels);
  std::vector<Task> tasks;
  for (std::size_t p = 0; p < products.size(); ++p) {
    const std::int64_t rows = rows_of(products[p]);
    const std::int64_t size =
        std::max(kFewestRows, (rows + cuts - 1) / cuts / kFewestRows * kFewestRows);
    for (std::int64_t column = 0; column < products[p].columns; column += width)
      for (std::int64_t row = 0; row < rows; row += size)
        tasks.push_back({p, column, row, std::min(size, rows - row)});
  }
  return tasks;
}

// The part of `left` that is in rows [first, first + count) of all.
void multiply_part(const ProductRows& left, std::int64_t first, std::int64_t count,
                   std::int64_t depth, const float* panel, std::int64_t panel_stride,
                   std::int64_t first_column, std::int64_t columns) {
  const std::int64_t begin = std::max<std::int64_t>(0, first);
  const std::int64_t end = std::min(left.rows, first + count);
  if (begin >= end) return;
  multiply_panel(left.a + begin * left.a_stride, left.a_stride, end - begin, depth, panel,
                 panel_stride, columns, left.c + begin * left.c_stride + first_column,
                 left.c_stride);
}

void run_task(const Product& product, const Task& task, Machine& machine) {
  const std::int64_t columns = std::min(panel_columns(), product.columns - task.first_column);
  PanelSource source = product.right;
  if (product.depth > 0) source.b += task.first_column * source.column_stride;
  const float* panel = source.b;
  std::int64_t stride = source.row_stride;
  std::optional<Scratch> packed;
  const bool direct =
      source.column_stride == 1 && columns == panel_columns() && task.rows < kRowsWorthPacking;
  if (!direct) {
    stride = panel_width(columns);
    packed.emplace(machine, product.depth * stride);
    pack_panel(source, product.depth, columns, packed->data());
    panel = packed->data();
  }
  std::int64_t first = task.first_row;
  for (const ProductRows& left : product.left) {
    multiply_part(left, first, task.rows, product.depth, panel, stride, task.first_column, columns);
    first -= left.rows;
  }
}

void run_task(const MadeProduct& product, const Task& task, Machine& machine) {
  const std::int64_t columns = std::min(panel_columns(), product.columns - task.first_column);
  const std::int64_t width = panel_width(columns);
  Scratch panel(machine, product.depth * width);
  product.fill(task.first_column, columns, panel.data());
  multiply_part(product.left, task.first_row, task.rows, product.depth, panel.data(), width,
                task.first_column, columns);
}

template <typename P>
void multiply_all(std::span<const P> products, Machine& machine) {
  double cost = 0;
  const std::vector<Task> tasks = cut(products, machine.threads(), cost);
  machine.share(static_cast<std::int64_t>(tasks.size()), cost / 16, [&](std::int64_t i) {
    const Task& task = tasks[static_cast<std::size_t>(i)];
    run_task(products[task.product], task, machine);
  });
}

}  // namespace

void multiply(std::span<const Product> products, Machine& machine) {
  multiply_all(products, machine);
}
void multiply(std::span<const MadeProduct> products, Machine& machine) {
  multiply_all(products, machine);
}

std::int64_t matrix_offset(const Dims& dims, const Dims& batch, std::int64_t index) {
  std::int64_t offset = 0, stride = dims[dims.size() - 1] * dims[dims.size() - 2];
  const std::size_t missing = batch.size() + 2 - dims.size();
  for (std::size_t i = batch.size(); i-- > missing;) {
    const std::int64_t dim = dims[i - missing];
    if (dim != 1) offset += index % batch[i] * stride;
    stride *= dim;
    index /= batch[i];
  }
  return offset;
}

}  // namespace subbyte::calibrate
