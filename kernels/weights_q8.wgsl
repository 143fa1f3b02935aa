// Weights of 8 bits: four values a word, the first in the lowest byte.

struct RawBlock {
  low: vec4<u32>,
  high: vec4<u32>,
  groups: RawGroups,
}

struct RawOctet {
  words: vec2<u32>,
  group: RawGroup,
}

fn unpack_words(words: vec2<u32>, affine: vec2<f32>) -> Octet {
  return Octet(
    dequantized(vec4<f32>(unpack4xU8(words.x)), affine),
    dequantized(vec4<f32>(unpack4xU8(words.y)), affine),
  );
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

fn fetch_block(b: u32, n: u32, block: u32) -> RawBlock {
  let at = weight_row(b, n) * row_words() + block * 8u;
  return RawBlock(four_words(at), four_words(at + 4u), fetch_groups(weight_row(b, n), block));
}

fn unpack_first(raw: RawBlock) -> Octet {
  return unpack_words(raw.low.xy, unpack_group(raw.groups.first));
}

fn drop_first(raw: RawBlock) -> RawBlock {
  return RawBlock(vec4<u32>(raw.low.zw, raw.high.xy), raw.high.zwzw, drop_group(raw.groups));
}

fn fetch_octet(b: u32, n: u32, octet: u32) -> RawOctet {
  let at = weight_row(b, n) * row_words() + octet * 2u;
  return RawOctet(
    vec2<u32>(weight_word(at), weight_word(at + 1u)),
    fetch_group(weight_row(b, n), octet * 8u / W_GROUP),
  );
}

fn unpack_octet(raw: RawOctet) -> Octet {
  return unpack_words(raw.words, unpack_group(raw.group));
}
