// The state of a recurrence that workgroup memory does not hold: vector v of line l is hidden() words from (v * lines + l) *
// hidden() on, and begins as it is found there. In place of recurrent_workgroup.

fn state_index(line: u32, vector: u32, u: u32) -> u32 {
  return (vector * directions() * batch() + line) * hidden() + u;
}

fn state(line: u32, vector: u32, u: u32) -> f32 {
  return state_word(state_index(line, vector, u));
}

fn keep(line: u32, vector: u32, u: u32, value: f32) {
  keep_word(state_index(line, vector, u), value);
}

fn state_four(line: u32, vector: u32, u: u32) -> vec4<f32> {
  var four = vec4<f32>();
  for (var i = 0u; i < 4u; i++) {
    if (u + i < hidden()) {
      four[i] = state(line, vector, u + i);
    }
  }
  return four;
}

fn state_octet(line: u32, vector: u32, octet: u32) -> Octet {
  return Octet(state_four(line, vector, octet * 8u), state_four(line, vector, octet * 8u + 4u));
}

fn exchange() {
  storageBarrier();
  workgroupBarrier();
}

fn begin(line: u32, d: u32, n: u32, lid: u32) {
}
