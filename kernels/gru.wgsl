// Gates z, r, h (ONNX, GRU):
//   z = f(x + R h), r = f(x + R h), h' = (1 - z) g(x + R (r h)) + z h, or with LINEAR_BEFORE_RESET (1 - z) g(x + r (R h)) + z h
// where each product with R has its bias. The first takes two walks over the units: all of r is there before the second. The
// state is the first vector, r h the second and z the third; or, with LINEAR_BEFORE_RESET, the state is the first two in turn.

fn advance(line: u32, d: u32, n: u32, step: u32, length: u32, lid: u32) {
  let size = hidden();
  let before = select(0u, step & 1u, LINEAR_BEFORE_RESET);
  let time = time_of(d, step, length);
  for (var first = 0u; first < size; first += UNITS) {
    let unit = first + lid / LANES;
    var sums = vec3<f32>();
    if (unit < size) {
      for (var octet = lid % LANES; octet < octets(); octet += LANES) {
        let x = state_octet(line, before, octet);
        sums.x += row_product(d, unit, octet, x);
        sums.y += row_product(d, size + unit, octet, x);
        if (LINEAR_BEFORE_RESET) {
          sums.z += row_product(d, 2u * size + unit, octet, x);
        }
      }
    }
    partial[lid] = sums.x;
    partial[256u + lid] = sums.y;
    partial[512u + lid] = sums.z;
    workgroupBarrier();
    let u = first + lid;
    if (lid < UNITS && u < size) {
      let h = state(line, before, u);
      let z = activate_f(d, projected(d, time, n, u) + sum_of_lanes(0u, lid) + recurrent_bias(d, u));
      let r = activate_f(d, projected(d, time, n, size + u) + sum_of_lanes(1u, lid) + recurrent_bias(d, size + u));
      if (LINEAR_BEFORE_RESET) {
        let from_state = sum_of_lanes(2u, lid) + recurrent_bias(d, 2u * size + u);
        let candidate = activate_g(d, projected(d, time, n, 2u * size + u) + r * from_state);
        let next = (1.0f - z) * candidate + z * h;
        keep(line, 1u - before, u, select(h, next, step < length));
        store(time, d, n, u, select(0.0f, next, step < length));
      } else {
        keep(line, 1u, u, r * h);
        keep(line, 2u, u, z);
      }
    }
    exchange();
  }
  if (!LINEAR_BEFORE_RESET) {
    for (var first = 0u; first < size; first += UNITS) {
      let unit = first + lid / LANES;
      var sum = 0.0f;
      if (unit < size) {
        for (var octet = lid % LANES; octet < octets(); octet += LANES) {
          sum += row_product(d, 2u * size + unit, octet, state_octet(line, 1u, octet));
        }
      }
      partial[lid] = sum;
      workgroupBarrier();
      let u = first + lid;
      if (lid < UNITS && u < size) {
        let h = state(line, 0u, u);
        let z = state(line, 2u, u);
        let row = 2u * size + u;
        let candidate = activate_g(d, projected(d, time, n, row) + sum_of_lanes(0u, lid) + recurrent_bias(d, row));
        let next = (1.0f - z) * candidate + z * h;
        keep(line, 0u, u, select(h, next, step < length));
        store(time, d, n, u, select(0.0f, next, step < length));
      }
      exchange();
    }
  }
}

fn finish(line: u32, d: u32, n: u32, lid: u32) {
  let last = select(0u, times() & 1u, LINEAR_BEFORE_RESET);
  for (var u = lid; u < hidden(); u += 256u) {
    store_last_hidden(d, n, u, state(line, last, u));
  }
}
