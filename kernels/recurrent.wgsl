// What lstm, gru and rnn share. A workgroup walks through all times of a line, which is one direction of one element of the
// batch: line = d * batch() + n. Eight lanes sum what one unit of the state gets from the state before, each an eighth of the
// depth, so that a row of the weights is read by neighbours together; 32 units are summed at once. Each of the three gives
//   advance(line, d, n, step, length, lid)  computes the state after a step, and stores it
//   finish(line, d, n, lid)                 stores the state after all steps
// Workgroups: directions() * batch()

const LANES: u32 = 8u;
const UNITS: u32 = 32u;

var<workgroup> partial: array<f32, GATES * 256u>;

// The product of eight values of a row of the weights with those of the state.
fn row_product(d: u32, row: u32, octet: u32, x: Octet) -> f32 {
  let w = unpack_octet(fetch_octet(d, row, octet));
  return dot(w.low, x.low) + dot(w.high, x.high);
}

fn octets() -> u32 {
  return (hidden() + 7u) / 8u;
}

// What the lanes of unit `unit` of the 32 have summed for a gate, in their order.
fn sum_of_lanes(gate: u32, unit: u32) -> f32 {
  let first = gate * 256u + unit * LANES;
  var sum = partial[first];
  for (var lane = 1u; lane < LANES; lane++) {
    sum += partial[first + lane];
  }
  return sum;
}

// The place in time of a step; past the length of a sequence they are in order.
fn time_of(d: u32, step: u32, length: u32) -> u32 {
  return select(step, length - 1u - step, reversed(d) && step < length);
}

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
  let length = sequence_length(n);
  begin(line, d, n, lid);
  for (var step = 0u; step < times(); step++) {
    advance(line, d, n, step, length, lid);
  }
  finish(line, d, n, lid);
}
