// Softmax, or its logarithm, of each row.
// Workgroups: ceil(rows() / R), R = cols() <= 64 ? 16 : cols() <= 256 ? 4 : 1.
// One pass gathers maximum and sum together (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax").
// A row that holds NaN, +infinity or nothing but -infinity gives NaN throughout, as ONNX Runtime does.

const LANES: u32 = 256u;
const LOWEST: f32 = -0x1.fffffep+127f;

struct Total {
  maximum: f32,
  sum: f32, // of exp(value - maximum)
}

var<workgroup> partial: array<Total, 256>;

// exp(from - to), exactly 1 where they are equal: WGSL lets exp(0) be off by 3 ULP, which would build up.
fn rescale(from_maximum: f32, to_maximum: f32) -> f32 {
  return select(exp(from_maximum - to_maximum), 1.0, from_maximum == to_maximum);
}

// Joins the first `present` of four values.
fn join_values(total: Total, values: vec4<f32>, present: u32) -> Total {
  let is_present = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(present);
  let candidates = select(vec4<f32>(LOWEST), values, is_present);
  let maximum = max(
    max(total.maximum, max(candidates.x, candidates.y)),
    max(candidates.z, candidates.w),
  );
  let terms = select(vec4<f32>(0.0), exp(values - maximum), is_present);
  var sum = (terms.x + terms.y) + (terms.z + terms.w);
  // NaN by bits: WGSL promises nothing about exp(NaN), nor about infinity - infinity.
  let bits = bitcast<vec4<u32>>(values);
  let is_special = (bits & vec4<u32>(0x7f800000u)) == vec4<u32>(0x7f800000u);
  if (any(is_present & is_special & (bits != vec4<u32>(0xff800000u)))) {
    sum = bitcast<f32>(bits.x | 0x7fffffffu);
  }
  return Total(maximum, total.sum * rescale(total.maximum, maximum) + sum);
}

fn join_totals(a: Total, b: Total) -> Total {
  let maximum = max(a.maximum, b.maximum);
  let sum = a.sum * rescale(a.maximum, maximum) + b.sum * rescale(b.maximum, maximum);
  return Total(maximum, sum);
}

fn finish(value: f32, total: Total) -> f32 {
  let shifted = value - total.maximum;
  if (LOG) {
    // A sum that is 0 or NaN, by bits: WGSL promises nothing about the logarithm of either.
    let bits = bitcast<u32>(total.sum);
    if ((bits & 0x7fffffffu) - 1u >= 0x7f800000u) {
      return bitcast<f32>(bits | 0x7fffffffu);
    }
    return shifted - log(total.sum);
  }
  return exp(shifted) / total.sum;
}

fn store_columns(r: u32, c: u32, team: u32, present: u32, values: vec4<f32>, total: Total) {
  if (present > 0u) {
    store(r, c, finish(values.x, total));
  }
  if (present > 1u) {
    store(r, c + team, finish(values.y, total));
  }
  if (present > 2u) {
    store(r, c + 2u * team, finish(values.z, total));
  }
  if (present > 3u) {
    store(r, c + 3u * team, finish(values.w, total));
  }
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let team = select(select(256u, 64u, cols() <= 256u), 16u, cols() <= 64u);
  let first = (workgroup.x + workgroup.y * workgroups.x) * (LANES / team);
  if (first >= rows()) {
    return;
  }
  let r = first + lane / team;
  let t = lane % team;
  let has_row = r < rows();

  // The first four columns of this invocation; all of them where the row has at most 1024.
  let present = select(0u, columns_present(t, team), has_row);
  let values = load_columns(r, t, team, present);
  var total = join_values(Total(LOWEST, 0.0), values, present);
  if (has_row) {
    for (var c = t + 4u * team; c < cols(); c += 4u * team) {
      let more = columns_present(c, team);
      total = join_values(total, load_columns(r, c, team, more), more);
    }
  }

  partial[lane] = total;
  workgroupBarrier();
  for (var half = team / 2u; half > 0u; half /= 2u) {
    if (t < half) {
      partial[lane] = join_totals(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }
  total = partial[lane - t];

  store_columns(r, t, team, present, values, total);
  if (has_row) {
    for (var c = t + 4u * team; c < cols(); c += 4u * team) {
      let more = columns_present(c, team);
      store_columns(r, c, team, more, load_columns(r, c, team, more), total);
    }
  }
}
