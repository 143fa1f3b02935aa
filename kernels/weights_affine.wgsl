// Codes on an even grid: value = scale * (q - z) = q * scale + offset.

// scale * (q - z), which a float rounds once.
fn dequantized(q: vec4<f32>, affine: vec2<f32>) -> vec4<f32> {
  if (W_SCALE_BITS == 16u) {
    return q * affine.x + affine.y;
  }
  return (q - affine.y) * affine.x;
}
