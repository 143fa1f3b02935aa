// C without workgroup memory: each of 64 invocations computes 4 rows by 4 columns from what it loads itself. For very
// small products, for sums of whole numbers, and for WebGPU on a CPU, where workgroup memory is slow to use and slower still
// to compile. Follows sums_float or sums_integer.
// Workgroups: ceil(batches() * ceil(rows() / 4) * ceil(chunk_cols() / 4) / 64).

// sums over the columns += a . each of w0..w3
fn multiply(sums: Sums, a: vec4<f32>, w0: vec4<f32>, w1: vec4<f32>, w2: vec4<f32>, w3: vec4<f32>) -> Sums {
  return with_products(sums, vec4<f32>(dot(a, w0), dot(a, w1), dot(a, w2), dot(a, w3)));
}

fn store_row(b: u32, m: u32, n: u32, sums: Sums) {
  store_sum(b, m, first_col() + n, sums.x);
  if (n + 1u < chunk_cols()) {
    store_sum(b, m, first_col() + n + 1u, sums.y);
  }
  if (n + 2u < chunk_cols()) {
    store_sum(b, m, first_col() + n + 2u, sums.z);
  }
  if (n + 3u < chunk_cols()) {
    store_sum(b, m, first_col() + n + 3u, sums.w);
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row_tiles = (rows() + 3u) / 4u;
  let col_tiles = (chunk_cols() + 3u) / 4u;
  let tile = (workgroup.x + workgroup.y * workgroups.x) * 64u + lane;
  if (tile >= batches() * row_tiles * col_tiles) {
    return;
  }
  let n = tile % col_tiles * 4u;
  let m = tile / col_tiles % row_tiles * 4u;
  let b = tile / (col_tiles * row_tiles);
  let last = chunk_cols() - 1u;

  var sums0 = Sums();
  var sums1 = Sums();
  var sums2 = Sums();
  var sums3 = Sums();
  for (var k = 0u; k < depth(); k += 8u) {
    let w0 = unpack_octet(fetch_octet(b, n, k / 8u));
    let w1 = unpack_octet(fetch_octet(b, min(n + 1u, last), k / 8u));
    let w2 = unpack_octet(fetch_octet(b, min(n + 2u, last), k / 8u));
    let w3 = unpack_octet(fetch_octet(b, min(n + 3u, last), k / 8u));
    for (var half = 0u; half < 2u; half++) {
      let at = k + half * 4u;
      if (at >= depth()) {
        break;
      }
      let v0 = select(w0.low, w0.high, half == 1u);
      let v1 = select(w1.low, w1.high, half == 1u);
      let v2 = select(w2.low, w2.high, half == 1u);
      let v3 = select(w3.low, w3.high, half == 1u);
      sums0 = multiply(sums0, load_a(b, m, at), v0, v1, v2, v3);
      if (m + 1u < rows()) {
        sums1 = multiply(sums1, load_a(b, m + 1u, at), v0, v1, v2, v3);
      }
      if (m + 2u < rows()) {
        sums2 = multiply(sums2, load_a(b, m + 2u, at), v0, v1, v2, v3);
      }
      if (m + 3u < rows()) {
        sums3 = multiply(sums3, load_a(b, m + 3u, at), v0, v1, v2, v3);
      }
    }
  }

  store_row(b, m, n, sums0);
  if (m + 1u < rows()) {
    store_row(b, m + 1u, n, sums1);
  }
  if (m + 2u < rows()) {
    store_row(b, m + 2u, n, sums2);
  }
  if (m + 3u < rows()) {
    store_row(b, m + 3u, n, sums3);
  }
}
