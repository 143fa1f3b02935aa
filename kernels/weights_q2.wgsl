// Weights of 2 bits: sixteen values a word, the first in the lowest bits. A block of 32 is two words.

struct RawBlock {
  words: vec2<u32>,
  groups: RawGroups,
}

struct RawOctet {
  bits: u32,
  shift: u32,
  group: RawGroup,
}

// The eight values in the low 16 bits.
fn unpack_bits(bits: u32, affine: vec2<f32>) -> Octet {
  let low = (vec4<u32>(bits) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(3u);
  let high = (vec4<u32>(bits) >> vec4<u32>(8u, 10u, 12u, 14u)) & vec4<u32>(3u);
  return Octet(dequantized(vec4<f32>(low), affine), dequantized(vec4<f32>(high), affine));
}

fn fetch_block(b: u32, n: u32, block: u32) -> RawBlock {
  let at = weight_row(b, n) * row_words() + block * 2u;
  let words = vec2<u32>(weight_word(at), weight_word(at + 1u));
  return RawBlock(words, fetch_groups(weight_row(b, n), block));
}

fn unpack_first(raw: RawBlock) -> Octet {
  return unpack_bits(raw.words.x, unpack_group(raw.groups.first));
}

fn drop_first(raw: RawBlock) -> RawBlock {
  let words = vec2<u32>((raw.words.x >> 16u) | (raw.words.y << 16u), raw.words.y >> 16u);
  return RawBlock(words, drop_group(raw.groups));
}

fn fetch_octet(b: u32, n: u32, octet: u32) -> RawOctet {
  return RawOctet(
    weight_word(weight_row(b, n) * row_words() + octet / 2u),
    octet % 2u * 16u,
    fetch_group(weight_row(b, n), octet * 8u / W_GROUP),
  );
}

fn unpack_octet(raw: RawOctet) -> Octet {
  return unpack_bits(raw.bits >> raw.shift, unpack_group(raw.group));
}
