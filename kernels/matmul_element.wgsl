// C, one value an invocation, neighbours along the rows: for products of few columns whose rows are neighbours in memory
// (depthwise and narrow grouped convolutions, convolutions to one channel).
// Workgroups: ceil(batches() * chunk_cols() * rows() / 256).

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = (workgroup.x + workgroup.y * workgroups.x) * 256u + lane;
  if (at >= batches() * chunk_cols() * rows()) {
    return;
  }
  let m = at % rows();
  let n = at / rows() % chunk_cols();
  let b = at / (rows() * chunk_cols());
  var sum = 0.0;
  for (var k = 0u; k < depth(); k += 8u) {
    let w = unpack_octet(fetch_octet(b, n, k / 8u));
    sum += dot(load_a(b, m, k), w.low);
    if (k + 4u < depth()) {
      sum += dot(load_a(b, m, k + 4u), w.high);
    }
  }
  store(b, m, first_col() + n, sum);
}
