// Weights as IEEE halves: two a word, the first in the low bits. After `half`.

struct RawOctet {
  words: vec4<u32>,
  k: u32,
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
