// C in tiles of 128 rows by 128 columns: each of 256 invocations computes 8 by 8. For products that fill the device.
// Workgroups: batches() * ceil(rows() / 128) * ceil(chunk_cols() / 128).
// Needs maxComputeWorkgroupStorageSize 32768.

const TILE: u32 = 128u;
const TILE_K: u32 = 32u;
const ROW_VECS: u32 = 8u;

// 128 rows of 8 vec4 along k. The vec4 c of row r stands at c ^ (r & 7): neighbouring rows meet different banks, where
// padding would exceed 32 KiB.
var<workgroup> tile_a: array<vec4<f32>, 1024>;
var<workgroup> tile_b: array<vec4<f32>, 1024>;

// sum[j] + a . (row j of B, given by its k-th values), j in 0..3.
fn multiply(sum: vec4<f32>, a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
  return sum + a.x * b[0] + a.y * b[1] + a.z * b[2] + a.w * b[3];
}

fn store_four(b: u32, m: u32, n: u32, sums: vec4<f32>) {
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

fn store_row(b: u32, m: u32, n: u32, low: vec4<f32>, high: vec4<f32>) {
  if (m < rows()) {
    store_four(b, m, n, low);
    store_four(b, m, n + 64u, high);
  }
}

fn columns_at(at: u32) -> mat4x4<f32> {
  return transpose(mat4x4<f32>(
    tile_b[at],
    tile_b[at + 16u * ROW_VECS],
    tile_b[at + 32u * ROW_VECS],
    tile_b[at + 48u * ROW_VECS],
  ));
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

  // What this invocation brings in: four vec4 of A, 32 rows apart, and two octets of B, 64 rows apart.
  let a_row = select(lane / 8u, lane % 32u, ROWS_ADJACENT);
  let a_vec = select(lane % 8u, lane / 32u, ROWS_ADJACENT);
  let a_m = m_first + a_row;
  let a_at = a_row * ROW_VECS + (a_vec ^ (a_row & 7u));
  let b_octet = lane % 4u;
  let b_at = lane / 4u * ROW_VECS + ((b_octet * 2u) ^ ((lane / 4u) & 7u));
  let b_n0 = min(n_first + lane / 4u, chunk_cols() - 1u);
  let b_n1 = min(n_first + lane / 4u + 64u, chunk_cols() - 1u);

  // What it computes: rows m_first + ty + 16 i, columns n_first + tx + 16 j; row i in two vec4, j in 0..3 and 4..7.
  let tx = select(lane % 16u, lane / 16u, ROWS_ADJACENT);
  let ty = select(lane / 16u, lane % 16u, ROWS_ADJACENT);
  var low0 = vec4<f32>();
  var high0 = vec4<f32>();
  var low1 = vec4<f32>();
  var high1 = vec4<f32>();
  var low2 = vec4<f32>();
  var high2 = vec4<f32>();
  var low3 = vec4<f32>();
  var high3 = vec4<f32>();
  var low4 = vec4<f32>();
  var high4 = vec4<f32>();
  var low5 = vec4<f32>();
  var high5 = vec4<f32>();
  var low6 = vec4<f32>();
  var high6 = vec4<f32>();
  var low7 = vec4<f32>();
  var high7 = vec4<f32>();

  // A tile is loaded into registers before the tile before is multiplied; one loop does both, so that the hooks are
  // compiled once.
  for (var k = 0u; ; k += TILE_K) {
    let is_done = k >= depth();
    var next_a0 = vec4<f32>();
    var next_a1 = vec4<f32>();
    var next_a2 = vec4<f32>();
    var next_a3 = vec4<f32>();
    var next_b0 = RawOctet();
    var next_b1 = RawOctet();
    if (!is_done) {
      next_a0 = load_tile_a(b, a_m, k + a_vec * 4u);
      next_a1 = load_tile_a(b, a_m + 32u, k + a_vec * 4u);
      next_a2 = load_tile_a(b, a_m + 64u, k + a_vec * 4u);
      next_a3 = load_tile_a(b, a_m + 96u, k + a_vec * 4u);
      next_b0 = fetch_octet(b, b_n0, k / 8u + b_octet);
      next_b1 = fetch_octet(b, b_n1, k / 8u + b_octet);
    }
    if (k > 0u) {
      for (var c = 0u; c < 8u; c++) {
        let columns_low = columns_at(tx * ROW_VECS + (c ^ (tx & 7u)));
        let columns_high = columns_at((tx + 64u) * ROW_VECS + (c ^ (tx & 7u)));
        let row = ty * ROW_VECS + (c ^ (ty & 7u));
        let a0 = tile_a[row];
        low0 = multiply(low0, a0, columns_low);
        high0 = multiply(high0, a0, columns_high);
        let a1 = tile_a[row + 16u * ROW_VECS];
        low1 = multiply(low1, a1, columns_low);
        high1 = multiply(high1, a1, columns_high);
        let a2 = tile_a[row + 32u * ROW_VECS];
        low2 = multiply(low2, a2, columns_low);
        high2 = multiply(high2, a2, columns_high);
        let a3 = tile_a[row + 48u * ROW_VECS];
        low3 = multiply(low3, a3, columns_low);
        high3 = multiply(high3, a3, columns_high);
        let a4 = tile_a[row + 64u * ROW_VECS];
        low4 = multiply(low4, a4, columns_low);
        high4 = multiply(high4, a4, columns_high);
        let a5 = tile_a[row + 80u * ROW_VECS];
        low5 = multiply(low5, a5, columns_low);
        high5 = multiply(high5, a5, columns_high);
        let a6 = tile_a[row + 96u * ROW_VECS];
        low6 = multiply(low6, a6, columns_low);
        high6 = multiply(high6, a6, columns_high);
        let a7 = tile_a[row + 112u * ROW_VECS];
        low7 = multiply(low7, a7, columns_low);
        high7 = multiply(high7, a7, columns_high);
      }
    }
    workgroupBarrier();
    if (is_done) {
      break;
    }
    let octet0 = unpack_octet(next_b0);
    let octet1 = unpack_octet(next_b1);
    tile_a[a_at] = next_a0;
    tile_a[a_at + 32u * ROW_VECS] = next_a1;
    tile_a[a_at + 64u * ROW_VECS] = next_a2;
    tile_a[a_at + 96u * ROW_VECS] = next_a3;
    tile_b[b_at] = octet0.low;
    tile_b[b_at ^ 1u] = octet0.high;
    tile_b[b_at + 64u * ROW_VECS] = octet1.low;
    tile_b[(b_at + 64u * ROW_VECS) ^ 1u] = octet1.high;
    workgroupBarrier();
  }

  store_row(b, m_first + ty, n_first + tx, low0, high0);
  store_row(b, m_first + ty + 16u, n_first + tx, low1, high1);
  store_row(b, m_first + ty + 32u, n_first + tx, low2, high2);
  store_row(b, m_first + ty + 48u, n_first + tx, low3, high3);
  store_row(b, m_first + ty + 64u, n_first + tx, low4, high4);
  store_row(b, m_first + ty + 80u, n_first + tx, low5, high5);
  store_row(b, m_first + ty + 96u, n_first + tx, low6, high6);
  store_row(b, m_first + ty + 112u, n_first + tx, low7, high7);
}
