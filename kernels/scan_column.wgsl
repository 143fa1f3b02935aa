// The same results as scan.wgsl, one invocation a line: for short lines, or many whose elements at equal i are neighbours
// in memory.
// Workgroups: ceil(lines() / 64)

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let line = (workgroup.x + workgroup.y * workgroups.x) * 64u + lane;
  if (line >= lines()) {
    return;
  }
  var sum = init();
  for (var i = 0u; i < length(); i++) {
    let next = combine(sum, load(line, i));
    if (EXCLUSIVE) {
      store(line, i, sum);
    } else {
      store(line, i, next);
    }
    sum = next;
  }
}
