// Weights of 3 bits: eight values in three bytes, lowest first. A block of 32 is three words, a group at least a block.

struct RawBlock {
  words: vec3<u32>,
  groups: RawGroups,
}

struct RawOctet {
  low: u32,
  high: u32,
  shift: u32,
  group: RawGroup,
}

// The eight values in the low 24 bits.
fn unpack_bits(bits: u32, affine: vec2<f32>) -> Octet {
  let low = (vec4<u32>(bits) >> vec4<u32>(0u, 3u, 6u, 9u)) & vec4<u32>(7u);
  let high = (vec4<u32>(bits) >> vec4<u32>(12u, 15u, 18u, 21u)) & vec4<u32>(7u);
  return Octet(dequantized(vec4<f32>(low), affine), dequantized(vec4<f32>(high), affine));
}

fn fetch_block(b: u32, n: u32, block: u32) -> RawBlock {
  let at = weight_row(b, n) * row_words() + block * 3u;
  let words = vec3<u32>(weight_word(at), weight_word(at + 1u), weight_word(at + 2u));
  return RawBlock(words, fetch_groups(weight_row(b, n), block));
}

fn unpack_first(raw: RawBlock) -> Octet {
  return unpack_bits(raw.words.x, unpack_group(raw.groups.first));
}

fn drop_first(raw: RawBlock) -> RawBlock {
  let words = vec3<u32>(
    (raw.words.x >> 24u) | (raw.words.y << 8u),
    (raw.words.y >> 24u) | (raw.words.z << 8u),
    raw.words.z >> 24u,
  );
  return RawBlock(words, drop_group(raw.groups));
}

fn fetch_octet(b: u32, n: u32, octet: u32) -> RawOctet {
  let byte = octet * 3u;
  let at = weight_row(b, n) * row_words() + byte / 4u;
  return RawOctet(
    weight_word(at),
    weight_word(at + 1u),
    byte % 4u * 8u,
    fetch_group(weight_row(b, n), octet * 8u / W_GROUP),
  );
}

fn unpack_octet(raw: RawOctet) -> Octet {
  // In two shifts, because a shift by 32 is undefined.
  let bits = (raw.low >> raw.shift) | ((raw.high << 1u) << (31u - raw.shift));
  return unpack_bits(bits, unpack_group(raw.group));
}
