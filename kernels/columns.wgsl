// What the row kernels (softmax, normalize) read: up to four columns of a row, a team of invocations apart.
// Precedes their bodies.

// How many of the columns c, c + team, c + 2 team and c + 3 team there are.
fn columns_present(c: u32, team: u32) -> u32 {
  return select(0u, min(4u, (cols() - c + team - 1u) / team), c < cols());
}

fn load_columns(r: u32, c: u32, team: u32, present: u32) -> vec4<f32> {
  var values = vec4<f32>();
  if (present > 0u) {
    values.x = load(r, c);
  }
  if (present > 1u) {
    values.y = load(r, c + team);
  }
  if (present > 2u) {
    values.z = load(r, c + 2u * team);
  }
  if (present > 3u) {
    values.w = load(r, c + 3u * team);
  }
  return values;
}
