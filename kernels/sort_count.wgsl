// How many keys of each block of 2048 have each of the 16 values of the four bits from shift() on: store_count(line, digit,
// block, count). One of the steps of a stable sort by digits (radix sort: Knuth, The art of computer programming, 5.2.5).
// Workgroups: lines() * blocks()

var<workgroup> counts: array<atomic<u32>, 16>;

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let w = workgroup.x + workgroup.y * workgroups.x;
  if (w >= lines() * blocks()) {
    return;
  }
  let line = w / blocks();
  let block = w % blocks();
  let end = min(block * 2048u + 2048u, length());
  for (var i = block * 2048u + lane; i < end; i += 128u) {
    atomicAdd(&counts[(key_at(line, i) >> shift()) & 15u], 1u);
  }
  workgroupBarrier();
  if (lane < 16u) {
    store_count(line, lane, block, atomicLoad(&counts[lane]));
  }
}
