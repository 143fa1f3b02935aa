// The state of a recurrence in workgroup memory: three vectors of hidden() elements, each with zeros up to STATE, a multiple
// of 8. Before `recurrent` and lstm, gru or rnn.

var<workgroup> memory: array<f32, 3u * STATE>;

fn state(line: u32, vector: u32, u: u32) -> f32 {
  return memory[vector * STATE + u];
}

fn keep(line: u32, vector: u32, u: u32, value: f32) {
  memory[vector * STATE + u] = value;
}

fn state_octet(line: u32, vector: u32, octet: u32) -> Octet {
  let i = vector * STATE + octet * 8u;
  return Octet(
    vec4<f32>(memory[i], memory[i + 1u], memory[i + 2u], memory[i + 3u]),
    vec4<f32>(memory[i + 4u], memory[i + 5u], memory[i + 6u], memory[i + 7u]),
  );
}

// What was kept before it is seen by all after it, sums too.
fn exchange() {
  workgroupBarrier();
}

// The vectors begin with the first states: the hidden one as the first vector, an LSTM's cell as the third.
fn begin(line: u32, d: u32, n: u32, lid: u32) {
  for (var u = lid; u < hidden(); u += 256u) {
    memory[u] = initial_hidden(d, n, u);
    memory[2u * STATE + u] = initial_cell(d, n, u);
  }
  workgroupBarrier();
}
