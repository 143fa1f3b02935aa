#include "plan/forms.h"

namespace subbyte {

namespace {

// Thresholds measured on an H100 (bench/gpu/kernels_bench.mjs), at 4 to 32 bits and K, N of 384 to
// 4096.

// Up to so many rows of A, reading B once for every four of them beats tiles.
constexpr std::int64_t kFewRows = 4;
// The same where K is long: few small tiles would each walk all of it.
constexpr std::int64_t kFewRowsLongDepth = 32;
constexpr std::int64_t kLongDepth = 1024;
// Bytes of kernels/matmul_vector_subgroup.wgsl in workgroup memory: what its sums take, and a
// counter.
constexpr std::int64_t kTicketedStorage = 16384 + 16;
// The workgroups from which on a tile of that size keeps the GPU busy.
constexpr std::int64_t kFullGrid128 = 192, kFullGrid64 = 128, kFullGrid32 = 192;
// Columns below which no number of rows that is common makes the largest tile the best.
constexpr std::int64_t kLargeTileCols = 2048;
// Columns below which products with neighbouring rows take no tile.
constexpr std::int64_t kTileCols = 8;
constexpr const char* kTile16 = "const TILE: u32 = 16u;";
constexpr const char* kTile32 = "const TILE: u32 = 32u;";
// Tiles of 16 that leave a GPU idle for as long as they walk a long depth: each part of it is then
// summed by workgroups of its own.
constexpr std::int64_t kFewTiles = 24;
// Of kernels/matmul_parts.wgsl.
constexpr std::int64_t kPartDepth = 384;
// Results below which one invocation each leaves a GPU idle.
constexpr std::int64_t kManyResults = 2048;

Expr ceil_div(ExprPool& e, Expr a, std::int64_t b) { return e.ceil_div(a, e.constant(b)); }

Expr at_least(ExprPool& e, Expr a, std::int64_t b) { return e.less(e.constant(b - 1), a); }

}  // namespace

KernelForm elementwise_form() { return {{"elementwise"}, {}, {}, {}, {}}; }

Expr elementwise_workgroups(ExprPool& exprs, Expr count) { return ceil_div(exprs, count, 256); }

std::optional<DepthParts> depth_parts(ExprPool& e, Expr batches, Expr rows, Expr cols, Expr depth,
                                      bool rows_adjacent) {
  const auto known = e.value(depth);
  if (!known || *known < kLongDepth) return std::nullopt;
  const auto columns = e.value(cols);
  if (rows_adjacent && columns && *columns < kTileCols) return std::nullopt;
  const bool has_few_rows = !rows_adjacent || e.value(rows);
  const std::int64_t least_rows = has_few_rows ? kFewRowsLongDepth + 1 : 1;
  if (columns && (*columns + 15) / 16 * ((least_rows + 15) / 16) > kFewTiles) return std::nullopt;
  const Expr tiles = e.mul(batches, e.mul(ceil_div(e, cols, 16), ceil_div(e, rows, 16)));
  Expr when = e.less(tiles, e.constant(kFewTiles + 1));
  // Few rows have forms of their own, but for an image of unknown size.
  if (has_few_rows) when = e.mul(when, at_least(e, rows, least_rows));
  if (e.value(when) == 0) return std::nullopt;
  const Expr parts = ceil_div(e, depth, kPartDepth);
  const KernelForm form{{"matmul_parts", "matmul_tiles", "matmul_tile_small"}, {}, {}, kTile16, {}};
  return DepthParts{parts, {form, when, e.mul(tiles, parts)}};
}

std::vector<SizedForm> product_forms(ExprPool& e, Expr batches, Expr rows, Expr cols, Expr depth,
                                     bool rows_adjacent) {
  const Expr always = e.constant(1);
  const auto grid = [&](std::int64_t tile) {
    return e.mul(batches, e.mul(ceil_div(e, cols, tile), ceil_div(e, rows, tile)));
  };
  const Expr few_rows =
      e.select(at_least(e, depth, kLongDepth), e.constant(kFewRowsLongDepth), e.constant(kFewRows));
  const Expr few = e.less(rows, e.add(few_rows, e.constant(1)));
  const Expr vector_groups = e.mul(batches, e.mul(ceil_div(e, cols, 32), ceil_div(e, rows, 4)));
  const Expr large = e.mul(at_least(e, cols, kLargeTileCols), at_least(e, grid(128), kFullGrid128));
  // Of products with few columns a tile would be mostly empty, and of A in its memory's order there
  // is nothing to share.
  if (const auto known = e.value(cols); rows_adjacent && known && *known < kTileCols) {
    return {{{{"matmul_element"}, {}, {}, {}, {}},
             always,
             ceil_div(e, e.mul(batches, e.mul(rows, cols)), 256)}};
  }
  std::vector<SizedForm> forms{
      // WebGPU on a CPU, where workgroup memory and barriers cost more than they save.
      {{{"sums_float", "matmul_direct"}, {}, {}, {}, {{"isFallbackAdapter", 1}}},
       always,
       ceil_div(e, grid(4), 64)},
      {{{"matmul_vector_sums", "matmul_vector_subgroup"},
        {"subgroups"},
        {"subgroups"},
        {},
        {{"maxComputeWorkgroupStorageSize", kTicketedStorage}}},
       few,
       vector_groups},
      {{{"matmul_vector_sums", "matmul_vector"}, {}, {}, {}, {}}, few, vector_groups},
      {{{"matmul_tiles", "matmul_tile_large"},
        {},
        {},
        {},
        {{"maxComputeWorkgroupStorageSize", 32768}}},
       large,
       grid(128)},
      {{{"matmul_tiles", "matmul_tile"}, {}, {}, {}, {}},
       at_least(e, grid(64), kFullGrid64),
       grid(64)},
      {{{"matmul_tiles", "matmul_whole", "matmul_tile_small"}, {}, {}, kTile32, {}},
       at_least(e, grid(32), kFullGrid32),
       grid(32)},
      {{{"matmul_tiles", "matmul_whole", "matmul_tile_small"}, {}, {}, kTile16, {}},
       always,
       grid(16)},
  };
  // Every form is time to compile: an image has more than a few places or is known to have few, and
  // between tiles of 64 and of 16 nothing is missed much.
  if (rows_adjacent) {
    std::erase_if(forms, [&](const SizedForm& sized) {
      return (sized.when == few && !e.value(rows)) || sized.form.constants == kTile32;
    });
  }
  return forms;
}

std::vector<SizedForm> integer_product_forms(ExprPool& e, Expr batches, Expr rows, Expr cols) {
  const Expr tiles = e.mul(batches, e.mul(ceil_div(e, cols, 4), ceil_div(e, rows, 4)));
  return {
      {{{"sums_integer", "matmul_direct"}, {}, {}, {}, {}}, e.constant(1), ceil_div(e, tiles, 64)}};
}

Expr row_workgroups(ExprPool& e, Expr rows, Expr cols) {
  // Short rows share a workgroup.
  const Expr together =
      e.select(e.less(cols, e.constant(65)), e.constant(16),
               e.select(e.less(cols, e.constant(257)), e.constant(4), e.constant(1)));
  return e.ceil_div(rows, together);
}

std::vector<SizedForm> reduce_forms(ExprPool& e, Expr outer, Expr inner, bool strided) {
  // An invocation a result keeps reads of neighbouring results together, where there are enough of
  // them.
  const Expr few = e.less(inner, e.constant(9));
  const Expr side_by_side = e.mul(e.less(inner, e.constant(513)), at_least(e, outer, kManyResults));
  return {
      {{{"reduce_column"}, {}, {}, {}, {}},
       strided ? e.max(few, side_by_side) : few,
       ceil_div(e, outer, 64)},
      {{{"reduce_row"}, {}, {}, {}, {}}, e.constant(1), row_workgroups(e, outer, inner)},
  };
}

std::vector<SizedForm> scan_forms(ExprPool& e, Expr lines, Expr length, Expr segments,
                                  bool strided) {
  const Expr few = e.less(length, e.constant(33));
  const Expr side_by_side =
      e.mul(e.less(length, e.constant(513)), at_least(e, lines, kManyResults));
  return {
      {{{"scan_column"}, {}, {}, {}, {}},
       strided ? e.max(few, side_by_side) : few,
       ceil_div(e, lines, 64)},
      {{{"scan"}, {}, {}, {}, {}}, e.constant(1), e.mul(lines, segments)},
  };
}

}  // namespace subbyte
