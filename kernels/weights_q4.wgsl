// Weights of 4 bits: eight values a word, the first in the lowest bits.

struct RawBlock {
  words: vec4<u32>,
  groups: RawGroups,
}

struct RawOctet {
  word: u32,
  group: RawGroup,
}

fn unpack_word(word: u32, affine: vec2<f32>) -> Octet {
  let even = dequantized(vec4<f32>(unpack4xU8(word & 0x0f0f0f0fu)), affine);
  let odd = dequantized(vec4<f32>(unpack4xU8((word >> 4u) & 0x0f0f0f0fu)), affine);
  return Octet(vec4<f32>(even.x, odd.x, even.y, odd.y), vec4<f32>(even.z, odd.z, even.w, odd.w));
}

fn fetch_block(b: u32, n: u32, block: u32) -> RawBlock {
  let at = weight_row(b, n) * row_words() + block * 4u;
  if (W_ROWS_OF_VEC4) {
    return RawBlock(weight_vec4(at / 4u), fetch_groups(weight_row(b, n), block));
  }
  let words = vec4<u32>(
    weight_word(at),
    weight_word(at + 1u),
    weight_word(at + 2u),
    weight_word(at + 3u),
  );
  return RawBlock(words, fetch_groups(weight_row(b, n), block));
}

fn unpack_first(raw: RawBlock) -> Octet {
  return unpack_word(raw.words.x, unpack_group(raw.groups.first));
}

fn drop_first(raw: RawBlock) -> RawBlock {
  return RawBlock(raw.words.yzww, drop_group(raw.groups));
}

fn fetch_octet(b: u32, n: u32, octet: u32) -> RawOctet {
  return RawOctet(weight_word(weight_row(b, n) * row_words() + octet), fetch_group(weight_row(b, n), octet * 8u / W_GROUP));
}

fn unpack_octet(raw: RawOctet) -> Octet {
  return unpack_word(raw.word, unpack_group(raw.group));
}
