// Groups of quantized weights: a scale and a zero point each. Precedes weights_affine or weights_codebook, which say what a
// code in a group stands for, and after it weights_q8, _q4, _q3 or _q2. The product z * scale is exact in f32 where scales
// are halves, of 11 significant bits; where they are floats that a weight arrived with (W_SCALE_BITS 32) it is not taken.
// Fetching is apart from unpacking so that a kernel can have many loads under way before it needs the first.

// One group: the word with its scale, and one or two words with its zero point.
struct RawGroup {
  scale_word: u32,
  scale_shift: u32,
  zero_low: u32,
  zero_high: u32,
  zero_shift: u32,
}

// Group g of row n of the weight. Past the end of the row it is the row's last: nothing here may be NaN.
fn fetch_group(n: u32, g_or_more: u32) -> RawGroup {
  let groups = scale_bytes() / (W_SCALE_BITS / 8u);
  let g = min(g_or_more, groups - 1u);
  let at = n * groups + g;
  var raw = RawGroup(0u, 0u, 0u, 0u, 0u);
  if (W_SCALE_BITS == 16u) {
    raw.scale_word = scale_word(at >> 1u);
    raw.scale_shift = (at & 1u) * 16u;
  } else {
    raw.scale_word = scale_word(at);
  }
  if (W_ZERO_BITS != 0u) {
    let bit = g * W_ZERO_BITS;
    let byte = n * zero_bytes() + (bit >> 3u);
    raw.zero_shift = (byte & 3u) * 8u + (bit & 7u);
    raw.zero_low = zero_word(byte >> 2u);
    if (8u % max(W_ZERO_BITS, 1u) != 0u) { // else none straddles two words
      raw.zero_high = zero_word((byte >> 2u) + 1u);
    }
  }
  return raw;
}

// (scale, offset) where scales are halves, else (scale, zero point).
fn unpack_group(raw: RawGroup) -> vec2<f32> {
  var scale = bitcast<f32>(raw.scale_word) * scale_factor();
  if (W_SCALE_BITS == 16u) {
    scale = unpack2x16float(raw.scale_word >> raw.scale_shift).x * scale_factor();
  }
  var zero = W_ZERO_DEFAULT;
  if (W_ZERO_BITS != 0u) {
    // In two shifts, because a shift by 32 is undefined.
    let bits = (raw.zero_low >> raw.zero_shift) | ((raw.zero_high << 1u) << (31u - raw.zero_shift));
    zero = f32(bits & ((1u << W_ZERO_BITS) - 1u)) * W_ZERO_STEP;
  }
  return vec2<f32>(scale, select(zero, -zero * scale, W_SCALE_BITS == 16u));
}

// The groups of a block's four octets: one and the same where W_GROUP >= 32.
struct RawGroups {
  first: RawGroup,
  second: RawGroup,
  third: RawGroup,
  fourth: RawGroup,
}

fn fetch_groups(n: u32, block: u32) -> RawGroups {
  let g = block * 32u / W_GROUP;
  let first = fetch_group(n, g);
  if (W_GROUP == 8u) {
    return RawGroups(first, fetch_group(n, g + 1u), fetch_group(n, g + 2u), fetch_group(n, g + 3u));
  }
  if (W_GROUP == 16u) {
    let second = fetch_group(n, g + 1u);
    return RawGroups(first, first, second, second);
  }
  return RawGroups(first, first, first, first);
}

fn drop_group(raw: RawGroups) -> RawGroups {
  if (W_GROUP >= 32u) {
    return raw;
  }
  return RawGroups(raw.second, raw.third, raw.fourth, raw.fourth);
}
