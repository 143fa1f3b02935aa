// Eight values along k: the unit in which the matrix kernels read B. First of the library files.

struct Octet {
  low: vec4<f32>,
  high: vec4<f32>,
}

// v, which stands at k .. k + 3, with zeros past the depth.
fn within_depth(v: vec4<f32>, k: u32) -> vec4<f32> {
  return select(vec4<f32>(), v, vec4<u32>(k) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(depth()));
}
