// What the tiled products share. `TILE` is the rows and columns of a tile.

struct TilePlace {
  inside: bool, // whether there is such a tile
  batch: u32,
  row: u32, // the first
  col: u32, // the first, within the chunk
}

fn tile_place(workgroup: vec3<u32>, workgroups: vec3<u32>) -> TilePlace {
  let row_tiles = (rows() + TILE - 1u) / TILE;
  let col_tiles = (chunk_cols() + TILE - 1u) / TILE;
  let tile = workgroup.x + workgroup.y * workgroups.x;
  return TilePlace(
    tile < batches() * row_tiles * col_tiles,
    tile / (row_tiles * col_tiles),
    tile % row_tiles * TILE,
    tile / row_tiles % col_tiles * TILE,
  );
}

// Zeros past the end of a row; past the last row that again.
fn load_tile_a(b: u32, m: u32, k: u32) -> vec4<f32> {
  if (k >= depth()) {
    return vec4<f32>();
  }
  return load_a(b, min(m, rows() - 1u), k);
}
