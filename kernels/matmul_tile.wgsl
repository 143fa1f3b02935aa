// C in tiles of 64 rows by 64 columns, within WebGPU's default limits: each of 256 invocations computes 4 by 4.
// Workgroups: batches() * ceil(rows() / 64) * ceil(chunk_cols() / 64).

const TILE: u32 = 64u;
const TILE_K: u32 = 32u;

// 64 rows of 8 vec4 along k. The vec4 c of row r stands at c ^ (r & 7): neighbouring rows meet different banks, where
// padding would exceed 16 KiB.
var<workgroup> tile_a: array<vec4<f32>, 512>;
var<workgroup> tile_b: array<vec4<f32>, 512>;

// sum[j] + a . (row j of B, given by its k-th values), j in 0..3.
fn multiply(sum: vec4<f32>, a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
  return sum + a.x * b[0] + a.y * b[1] + a.z * b[2] + a.w * b[3];
}

fn store_row(b: u32, m: u32, n: u32, sums: vec4<f32>) {
  if (m >= rows()) {
    return;
  }
  if (n < chunk_cols()) {
    store(b, m, first_col() + n, sums.x);
  }
  if (n + 16u < chunk_cols()) {
    store(b, m, first_col() + n + 16u, sums.y);
  }
  if (n + 32u < chunk_cols()) {
    store(b, m, first_col() + n + 32u, sums.z);
  }
  if (n + 48u < chunk_cols()) {
    store(b, m, first_col() + n + 48u, sums.w);
  }
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
  let b = place.batch;

  // What this invocation brings in: two vec4 of A, 32 rows apart, and an octet of B.
  let a_row = select(lane / 8u, lane % 32u, ROWS_ADJACENT);
  let a_vec = select(lane % 8u, lane / 32u, ROWS_ADJACENT);
  let a_at = a_row * 8u + (a_vec ^ (a_row & 7u));
  let b_row = lane / 4u;
  let b_octet = lane % 4u;
  let b_at = b_row * 8u + ((b_octet * 2u) ^ (b_row & 7u));
  let b_n = min(n_first + b_row, chunk_cols() - 1u);

  // What it computes: rows m_first + ty + 16 i, columns n_first + tx + 16 j.
  let tx = select(lane % 16u, lane / 16u, ROWS_ADJACENT);
  let ty = select(lane / 16u, lane % 16u, ROWS_ADJACENT);
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var sum2 = vec4<f32>();
  var sum3 = vec4<f32>();

  // A tile is loaded into registers before the tile before is multiplied; one loop does both, so that the hooks are
  // compiled once.
  for (var k = 0u; ; k += TILE_K) {
    let is_done = k >= depth();
    var next_a0 = vec4<f32>();
    var next_a1 = vec4<f32>();
    var next_b = RawOctet();
    if (!is_done) {
      next_a0 = load_tile_a(b, m_first + a_row, k + a_vec * 4u);
      next_a1 = load_tile_a(b, m_first + a_row + 32u, k + a_vec * 4u);
      next_b = fetch_octet(b, b_n, k / 8u + b_octet);
    }
    if (k > 0u) {
      for (var c = 0u; c < 8u; c++) {
        let from_a = ty * 8u + (c ^ (ty & 7u));
        let from_b = tx * 8u + (c ^ (tx & 7u));
        let columns = transpose(mat4x4<f32>(
          tile_b[from_b],
          tile_b[from_b + 128u],
          tile_b[from_b + 256u],
          tile_b[from_b + 384u],
        ));
        sum0 = multiply(sum0, tile_a[from_a], columns);
        sum1 = multiply(sum1, tile_a[from_a + 128u], columns);
        sum2 = multiply(sum2, tile_a[from_a + 256u], columns);
        sum3 = multiply(sum3, tile_a[from_a + 384u], columns);
      }
    }
    workgroupBarrier();
    if (is_done) {
      break;
    }
    let octet = unpack_octet(next_b);
    tile_a[a_at] = next_a0;
    tile_a[a_at + 256u] = next_a1;
    tile_b[b_at] = octet.low;
    tile_b[b_at ^ 1u] = octet.high;
    workgroupBarrier();
  }

  store_row(b, m_first + ty, n_first + tx, sum0);
  store_row(b, m_first + ty + 16u, n_first + tx, sum1);
  store_row(b, m_first + ty + 32u, n_first + tx, sum2);
  store_row(b, m_first + ty + 48u, n_first + tx, sum3);
}
