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

struct RawBlock {
  first: RawOctet,
  second: RawOctet,
  third: RawOctet,
  fourth: RawOctet,
}

fn fetch_block(b: u32, n: u32, block: u32) -> RawBlock {
  let octet = block * 4u;
  return RawBlock(
    fetch_octet(b, n, octet),
    fetch_octet(b, n, octet + 1u),
    fetch_octet(b, n, octet + 2u),
    fetch_octet(b, n, octet + 3u),
  );
}

fn unpack_first(raw: RawBlock) -> Octet {
  return unpack_octet(raw.first);
}

fn drop_first(raw: RawBlock) -> RawBlock {
  return RawBlock(raw.second, raw.third, raw.fourth, raw.fourth);
}
