// C for few rows of A, after matmul_vector_sums.wgsl: partial sums meet by shuffles within subgroups of 4 to 128.
// Needs the feature `subgroups` and `enable subgroups;` at the head of the module.

var<workgroup> tickets: atomic<u32>;

// Numbers the workgroup's invocations so that a subgroup's are consecutive. WGSL relates local_invocation_index to
// subgroups in no way, so each subgroup draws a number. Which one it draws changes nothing in the results.
fn subgroup_order(local_index: u32, subgroup_lane: u32, subgroup_size: u32) -> u32 {
  if (local_index == 0u) {
    atomicStore(&tickets, 0u);
  }
  workgroupBarrier();
  var ticket = 0u;
  if (subgroup_lane == 0u) {
    ticket = atomicAdd(&tickets, 1u);
  }
  return subgroupBroadcastFirst(ticket) * subgroup_size + subgroup_lane;
}

// The sum over the invocations that a team and a subgroup share, all of 4, 8, 16 or 32.
fn common_sum(value: vec4<f32>, subgroup_size: u32) -> vec4<f32> {
  var sum = value;
  sum += subgroupShuffleXor(sum, 1u);
  sum += subgroupShuffleXor(sum, 2u);
  let by4 = subgroupShuffleXor(sum, 4u);
  sum += select(vec4<f32>(), by4, subgroup_size > 4u);
  let by8 = subgroupShuffleXor(sum, 8u);
  sum += select(vec4<f32>(), by8, subgroup_size > 8u);
  let by16 = subgroupShuffleXor(sum, 16u);
  sum += select(vec4<f32>(), by16, subgroup_size > 16u);
  return sum;
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local_index: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
  @builtin(subgroup_size) subgroup_size: u32,
) {
  let group = workgroup.x + workgroup.y * workgroups.x;
  if (group >= workgroup_count()) {
    return;
  }
  let lane = subgroup_order(local_index, subgroup_lane, subgroup_size);
  let place = place_of(group, lane);
  let sums = multiply(place, lane);

  // 1, 2, 4 or 8 sums a column remain.
  let shared_lanes = min(subgroup_size, 32u);
  let parts = 32u / shared_lanes;
  let col0 = common_sum(sums.col0, subgroup_size);
  let col1 = common_sum(sums.col1, subgroup_size);
  let col2 = common_sum(sums.col2, subgroup_size);
  let col3 = common_sum(sums.col3, subgroup_size);
  if (place.t % shared_lanes == 0u) {
    let at = place.team * 4u * parts + place.t / shared_lanes;
    staged[at] = col0;
    staged[at + parts] = col1;
    staged[at + 2u * parts] = col2;
    staged[at + 3u * parts] = col3;
  }
  workgroupBarrier();
  let n = lane % 32u;
  let m = lane / 32u;
  if (m < place.row_count && place.n + n < chunk_cols()) {
    var sum = 0.0;
    for (var i = 0u; i < parts; i++) {
      sum += staged[n * parts + i][m];
    }
    store(place.b, place.m + m, first_col() + place.n + n, sum);
  }
}
