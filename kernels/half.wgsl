// IEEE halves as they are stored, two a word: what reads weights of 16 bits, in matrices or one by one, goes through this.

// Exact for every half. unpack2x16float may flush subnormal halves, which are whole multiples of 2^-24.
fn unpack_halves(word: u32) -> vec2<f32> {
  let magnitude = vec2<u32>(word & 0x7fffu, (word >> 16u) & 0x7fffu);
  let sign = vec2<u32>((word & 0x8000u) << 16u, word & 0x80000000u);
  let subnormal = bitcast<vec2<f32>>(
    bitcast<vec2<u32>>(vec2<f32>(magnitude) * 0x1p-24f) | sign,
  );
  return select(unpack2x16float(word), subnormal, magnitude < vec2<u32>(0x400u));
}
