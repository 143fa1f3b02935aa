// B from load_b(b, n, k) -> vec4<f32>, which gives zeros past the depth, in place of packed weights.

struct RawOctet {
  octet: Octet,
}

fn fetch_octet(b: u32, n: u32, octet: u32) -> RawOctet {
  return RawOctet(Octet(load_b(b, n, octet * 8u), load_b(b, n, octet * 8u + 4u)));
}

fn unpack_octet(raw: RawOctet) -> Octet {
  return raw.octet;
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
