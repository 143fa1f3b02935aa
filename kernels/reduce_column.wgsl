// The same results as reduce_row.wgsl, one invocation each: for few values a result, or many results whose values at
// equal r are neighbours in memory.
// Workgroups: ceil(outer() / 64).

// Summed apart before they join the total: keeps rounding errors in long columns low.
const RUN: u32 = 32u;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = (workgroup.x + workgroup.y * workgroups.x) * 64u + lane;
  if (o >= outer()) {
    return;
  }
  var total = init();
  for (var start = 0u; start < inner(); start += RUN) {
    let end = min(start + RUN, inner());
    var run = init();
    for (var r = start; r < end; r++) {
      run = combine(run, load(o, r));
    }
    total = combine(total, run);
  }
  finish(o, total);
}
