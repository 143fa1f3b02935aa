// element(i) for each i in 0 .. count() - 1.
// Workgroups: ceil(count() / 256).

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (workgroup.x + workgroup.y * workgroups.x) * 256u + lane;
  if (i < count()) {
    element(i);
  }
}
