// h' = f(x + R h) (ONNX, RNN). The state is the first two vectors in turn.

fn advance(line: u32, d: u32, n: u32, step: u32, length: u32, lid: u32) {
  let size = hidden();
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

fn finish(line: u32, d: u32, n: u32, lid: u32) {
  for (var u = lid; u < hidden(); u += 256u) {
    store_last_hidden(d, n, u, state(line, times() & 1u, u));
  }
}
