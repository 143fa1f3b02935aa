// Gates i, o, f, c (ONNX, LSTM):
//   i = f(x + R h + P c), f = f(x + R h + P c) or 1 - i, c' = f c + i g(x + R h), o = f(x + R h + P c'), h' = o h(c')

fn advance(line: u32, d: u32, n: u32, step: u32, length: u32, lid: u32) {
  let size = hidden();
  let before = step & 1u;
  let time = time_of(d, step, length);
  for (var first = 0u; first < size; first += UNITS) {
    let unit = first + lid / LANES;
    var sums = vec4<f32>();
    if (unit < size) {
      for (var octet = lid % LANES; octet < octets(); octet += LANES) {
        let x = state_octet(line, before, octet);
        sums.x += row_product(d, unit, octet, x);
        sums.y += row_product(d, size + unit, octet, x);
        sums.z += row_product(d, 2u * size + unit, octet, x);
        sums.w += row_product(d, 3u * size + unit, octet, x);
      }
    }
    partial[lid] = sums.x;
    partial[256u + lid] = sums.y;
    partial[512u + lid] = sums.z;
    partial[768u + lid] = sums.w;
    workgroupBarrier();
    let u = first + lid;
    if (lid < UNITS && u < size) {
      var hidden_state = state(line, before, u);
      var value = 0.0f;
      if (step < length) {
        let cell = state(line, 2u, u);
        let input = projected(d, time, n, u) + sum_of_lanes(0u, lid);
        let output = projected(d, time, n, size + u) + sum_of_lanes(1u, lid);
        let forget = projected(d, time, n, 2u * size + u) + sum_of_lanes(2u, lid);
        let candidate = projected(d, time, n, 3u * size + u) + sum_of_lanes(3u, lid);
        let i = activate_f(d, input + peephole(d, 0u, u) * cell);
        var f = 1.0f - i;
        if (!INPUT_FORGET) {
          f = activate_f(d, forget + peephole(d, 2u, u) * cell);
        }
        let c = f * cell + i * activate_g(d, candidate);
        let o = activate_f(d, output + peephole(d, 1u, u) * c);
        hidden_state = o * activate_h(d, c);
        value = hidden_state;
        keep(line, 2u, u, c);
      }
      keep(line, 1u - before, u, hidden_state);
      store(time, d, n, u, value);
    }
    exchange();
  }
}

fn finish(line: u32, d: u32, n: u32, lid: u32) {
  for (var u = lid; u < hidden(); u += 256u) {
    store_last_hidden(d, n, u, state(line, times() & 1u, u));
    store_last_cell(d, n, u, state(line, 2u, u));
  }
}
