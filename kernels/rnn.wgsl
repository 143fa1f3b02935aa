// h' = f(x + R h) (ONNX, RNN). The state is the first two vectors in turn.
// Workgroups: directions() * batch()

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lid: u32,
) {
  let line = workgroup.x + workgroup.y * workgroups.x;
  if (line >= directions() * batch()) {
    return;
  }
  let d = line / batch();
  let n = line % batch();
  let size = hidden();
  let length = sequence_length(n);
  begin(line, d, n, lid);
  for (var step = 0u; step < times(); step++) {
    let before = step & 1u;
    let time = time_of(d, step, length);
    for (var first = 0u; first < size; first += UNITS) {
      let unit = first + lid / LANES;
      var sum = 0.0f;
      if (unit < size) {
        for (var octet = lid % LANES; octet < octets(); octet += LANES) {
          sum += row_product(d, unit, octet, state_octet(line, before, octet));
        }
      }
      partial[lid] = sum;
      workgroupBarrier();
      let u = first + lid;
      if (lid < UNITS && u < size) {
        let next = activate_f(d, projected(d, time, n, u) + sum_of_lanes(0u, lid));
        keep(line, 1u - before, u, select(state(line, before, u), next, step < length));
        store(time, d, n, u, select(0.0f, next, step < length));
      }
      exchange();
    }
  }
  for (var u = lid; u < size; u += 256u) {
    store_last_hidden(d, n, u, state(line, times() & 1u, u));
  }
}
