// C for few rows of A, after matmul_vector_sums.wgsl: partial sums meet in workgroup memory.

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup.x + workgroup.y * workgroups.x;
  if (group >= workgroup_count()) {
    return;
  }
  let place = place_of(group, lane);
  let sums = multiply(place, lane);

  // 32 columns of 32 partial sums; 8 invocations a column add 4 each, then one adds those 8.
  let at = place.team * 128u + place.t;
  staged[at] = sums.col0;
  staged[at + 32u] = sums.col1;
  staged[at + 64u] = sums.col2;
  staged[at + 96u] = sums.col3;
  workgroupBarrier();
  let start = lane / 8u * 32u + lane % 8u;
  let quarter = (staged[start] + staged[start + 8u]) + (staged[start + 16u] + staged[start + 24u]);
  workgroupBarrier();
  staged[lane] = quarter;
  workgroupBarrier();
  let n = lane % 32u;
  let m = lane / 32u;
  if (m < place.row_count && place.n + n < chunk_cols()) {
    var sum = 0.0;
    for (var i = 0u; i < 8u; i++) {
      sum += staged[n * 8u + i][m];
    }
    store(place.b, place.m + m, first_col() + place.n + n, sum);
  }
}
