// Weights as f32, a word each.

struct RawOctet {
  low: vec4<u32>,
  high: vec4<u32>,
  k: u32,
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
  let at = weight_row(b, n) * row_words() + octet * 8u;
  return RawOctet(four_words(at), four_words(at + 4u), octet * 8u);
}

fn unpack_octet(raw: RawOctet) -> Octet {
  return Octet(
    within_depth(bitcast<vec4<f32>>(raw.low), raw.k),
    within_depth(bitcast<vec4<f32>>(raw.high), raw.k + 4u),
  );
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
