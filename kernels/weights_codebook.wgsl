// Codes in a codebook: codebook_numbers() of the prologue gives the numbers of four codes.

fn dequantized(q: vec4<f32>, affine: vec2<f32>) -> vec4<f32> {
  return codebook_numbers(vec4<u32>(q)) * affine.x;
}
