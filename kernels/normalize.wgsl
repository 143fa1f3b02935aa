// (x - mean) / sqrt(variance + epsilon) of each row, or without CENTER x / sqrt(mean square + epsilon).
// Workgroups: ceil(rows() / R), R = cols() <= 64 ? 16 : cols() <= 256 ? 4 : 1.
// The variance is taken about the mean, in a second pass: the difference of two large squares would cancel.

const LANES: u32 = 256u;

var<workgroup> partial: array<f32, 256>;

fn store_columns(r: u32, c: u32, team: u32, present: u32, values: vec4<f32>) {
  if (present > 0u) {
    store(r, c, values.x);
  }
  if (present > 1u) {
    store(r, c + team, values.y);
  }
  if (present > 2u) {
    store(r, c + 2u * team, values.z);
  }
  if (present > 3u) {
    store(r, c + 3u * team, values.w);
  }
}

fn sum_of(values: vec4<f32>) -> f32 {
  return (values.x + values.y) + (values.z + values.w);
}

// The sum of (value - mean)^2 over the first `present` values.
fn square_sum(values: vec4<f32>, mean: f32, present: u32) -> f32 {
  let is_present = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(present);
  let deviations = select(vec4<f32>(0.0), values - mean, is_present);
  return sum_of(deviations * deviations);
}

// The sum of `value` over a team, for each of its members.
fn team_sum(value: f32, lane: u32, team: u32) -> f32 {
  let t = lane % team;
  partial[lane] = value;
  workgroupBarrier();
  for (var half = team / 2u; half > 0u; half /= 2u) {
    if (t < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  let sum = partial[lane - t];
  workgroupBarrier();
  return sum;
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

  var mean = 0.0;
  if (CENTER) {
    var sum = sum_of(values);
    if (has_row) {
      for (var c = t + 4u * team; c < cols(); c += 4u * team) {
        sum += sum_of(load_columns(r, c, team, columns_present(c, team)));
      }
    }
    mean = team_sum(sum, lane, team) / f32(cols());
  }

  var squares = square_sum(values, mean, present);
  if (has_row) {
    for (var c = t + 4u * team; c < cols(); c += 4u * team) {
      let more = columns_present(c, team);
      squares += square_sum(load_columns(r, c, team, more), mean, more);
    }
  }
  let variance = team_sum(squares, lane, team) / f32(cols());
  let inverse_deviation = 1.0 / sqrt(variance + epsilon());

  store_columns(r, t, team, present, (values - mean) * inverse_deviation);
  if (has_row) {
    for (var c = t + 4u * team; c < cols(); c += 4u * team) {
      let more = columns_present(c, team);
      let again = load_columns(r, c, team, more);
      store_columns(r, c, team, more, (again - mean) * inverse_deviation);
    }
    if (t == 0u) {
      store_statistics(r, mean, inverse_deviation);
    }
  }
}
