// Weights as IEEE halves: two a word, the first in the low bits.

struct RawOctet {
  words: vec4<u32>,
  k: u32,
}

// Exact for every half. unpack2x16float may flush subnormal halves, which are whole multiples of 2^-24.
fn unpack_halves(word: u32) -> vec2<f32> {
  let magnitude = vec2<u32>(word & 0x7fffu, (word >> 16u) & 0x7fffu);
  let sign = vec2<u32>((word & 0x8000u) << 16u, word & 0x80000000u);
  let subnormal = bitcast<vec2<f32>>(
    bitcast<vec2<u32>>(vec2<f32>(magnitude) * 0x1p-24f) | sign,
  );
  return select(unpack2x16float(word), subnormal, magnitude < vec2<u32>(0x400u));
}

fn unpack_words(words: vec4<u32>, k: u32) -> Octet {
  let low = vec4<f32>(unpack_halves(words.x), unpack_halves(words.y));
  let high = vec4<f32>(unpack_halves(words.z), unpack_halves(words.w));
  return Octet(within_depth(low, k), within_depth(high, k + 4u));
}

fn four_words(at: u32) -> vec4<u32> {
  if (W_ROWS_OF_VEC4) {
    return weight_vec4(at / 4u);
  }
  return vec4<u32>(
    weight_word(at),
    weight_word(at + 1u),
    weight_word(at + 2u),
    weight_word(at + 3u),
  );
}

fn fetch_octet(b: u32, n: u32, octet: u32) -> RawOctet {
  return RawOctet(four_words(weight_row(b, n) * row_words() + octet * 4u), octet * 8u);
}

fn unpack_octet(raw: RawOctet) -> Octet {
  return unpack_words(raw.words, raw.k);
}

// A block is where it stands, and each octet is fetched when it is due: four columns of 32 such values would not fit
// into registers.
struct RawBlock {
  b: u32,
  n: u32,
  octet: u32,
}

fn fetch_block(b: u32, n: u32, block: u32) -> RawBlock {
  return RawBlock(b, n, block * 4u);
}

fn unpack_first(raw: RawBlock) -> Octet {
  return unpack_octet(fetch_octet(raw.b, raw.n, raw.octet));
}

fn drop_first(raw: RawBlock) -> RawBlock {
  return RawBlock(raw.b, raw.n, raw.octet + 1u);
}
