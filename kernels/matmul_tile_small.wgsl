// C in tiles of TILE by TILE, TILE (16 or 32) stated before this file: for grids too small to fill the device with
// larger tiles. The invocations not needed for 4 by 4 outputs each divide a tile's depth among them in slices, whose sums meet
// in workgroup memory. Batch b of what is stored is part b % parts() of the depth of batch b / parts(), and batches() counts
// parts (matmul_whole.wgsl, matmul_parts.wgsl).
// Workgroups: batches() * ceil(rows() / TILE) * ceil(chunk_cols() / TILE).

const TILE_K: u32 = 2048u / TILE; // 8 KiB a tile of each operand
const ROW_VECS: u32 = TILE_K / 4u;
const QUARTER: u32 = TILE / 4u; // an invocation's outputs are so many rows and columns apart
const SLICE_LANES: u32 = QUARTER * QUARTER;
const SLICES: u32 = 256u / SLICE_LANES;
const SLICE_VECS: u32 = ROW_VECS / SLICES;

// TILE rows of A, then of B, of ROW_VECS vec4 along k. The vec4 c of row r stands at c ^ (r & 7): neighbouring rows
// meet different banks. The slices' sums afterwards.
var<workgroup> tile_ab: array<vec4<f32>, 1024>;

// sum[j] + a . (row j of B, given by its k-th values), j in 0..3.
fn multiply(sum: vec4<f32>, a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
  return sum + a.x * b[0] + a.y * b[1] + a.z * b[2] + a.w * b[3];
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = tile_place(workgroup, workgroups);
  if (!place.inside) {
    return;
  }
  let m_first = place.row;
  let n_first = place.col;
  let b = place.batch / parts();
  let first_k = place.batch % parts() * part_depth();
  let end_k = min(depth(), first_k + part_depth());

  // What this invocation brings in: two vec4 of A, half a tile apart, and an octet of B.
  let a_row = select(lane / ROW_VECS, lane % (TILE / 2u), ROWS_ADJACENT);
  let a_vec = select(lane % ROW_VECS, lane / (TILE / 2u), ROWS_ADJACENT);
  let a_at = a_row * ROW_VECS + (a_vec ^ (a_row & 7u));
  let b_row = lane / (ROW_VECS / 2u);
  let b_octet = lane % (ROW_VECS / 2u);
  let b_at = 512u + b_row * ROW_VECS + ((b_octet * 2u) ^ (b_row & 7u));
  let b_n = min(n_first + b_row, chunk_cols() - 1u);

  // What it computes: rows m_first + ty + QUARTER i, columns n_first + tx + QUARTER j, over its slice of the depth.
  let slice = lane / SLICE_LANES;
  let tx = lane % QUARTER;
  let ty = lane % SLICE_LANES / QUARTER;
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var sum2 = vec4<f32>();
  var sum3 = vec4<f32>();

  // A tile is loaded into registers before the tile before is multiplied; one loop does both, so that the hooks are
  // compiled once.
  for (var k = first_k; ; k += TILE_K) {
    let is_done = k >= end_k;
    var next_a0 = vec4<f32>();
    var next_a1 = vec4<f32>();
    var next_b = RawOctet();
    if (!is_done) {
      next_a0 = load_tile_a(b, m_first + a_row, k + a_vec * 4u);
      next_a1 = load_tile_a(b, m_first + a_row + TILE / 2u, k + a_vec * 4u);
      next_b = fetch_octet(b, b_n, k / 8u + b_octet);
    }
    if (k > first_k) {
      for (var i = 0u; i < SLICE_VECS; i++) {
        let c = slice * SLICE_VECS + i;
        // Rows QUARTER apart differ in r & 7 where QUARTER is 4.
        let even_a = ty * ROW_VECS + (c ^ (ty & 7u));
        let odd_a = (ty + QUARTER) * ROW_VECS + (c ^ ((ty + QUARTER) & 7u));
        let even_b = 512u + tx * ROW_VECS + (c ^ (tx & 7u));
        let odd_b = 512u + (tx + QUARTER) * ROW_VECS + (c ^ ((tx + QUARTER) & 7u));
        let columns = transpose(mat4x4<f32>(
          tile_ab[even_b],
          tile_ab[odd_b],
          tile_ab[even_b + 2u * QUARTER * ROW_VECS],
          tile_ab[odd_b + 2u * QUARTER * ROW_VECS],
        ));
        sum0 = multiply(sum0, tile_ab[even_a], columns);
        sum1 = multiply(sum1, tile_ab[odd_a], columns);
        sum2 = multiply(sum2, tile_ab[even_a + 2u * QUARTER * ROW_VECS], columns);
        sum3 = multiply(sum3, tile_ab[odd_a + 2u * QUARTER * ROW_VECS], columns);
      }
    }
    workgroupBarrier();
    if (is_done) {
      break;
    }
    let octet = unpack_octet(next_b);
    tile_ab[a_at] = next_a0;
    tile_ab[a_at + 256u] = next_a1;
    tile_ab[b_at] = octet.low;
    tile_ab[b_at ^ 1u] = octet.high;
    workgroupBarrier();
  }

  // Output row i of an invocation is a vec4 over its columns j.
  let at = slice * SLICE_LANES * 4u + lane % SLICE_LANES;
  tile_ab[at] = sum0;
  tile_ab[at + SLICE_LANES] = sum1;
  tile_ab[at + 2u * SLICE_LANES] = sum2;
  tile_ab[at + 3u * SLICE_LANES] = sum3;
  workgroupBarrier();
  for (var output = lane; output < TILE * TILE; output += 256u) {
    let m = select(output / TILE, output % TILE, ROWS_ADJACENT);
    let n = select(output % TILE, output / TILE, ROWS_ADJACENT);
    if (m_first + m < rows() && n_first + n < chunk_cols()) {
      let source = (m / QUARTER) * SLICE_LANES + m % QUARTER * QUARTER + n % QUARTER;
      var sum = 0.0;
      for (var s = 0u; s < SLICES; s++) {
        sum += tile_ab[s * SLICE_LANES * 4u + source][n / QUARTER];
      }
      store(place.batch, m_first + m, first_col() + n_first + n, sum);
    }
  }
}
