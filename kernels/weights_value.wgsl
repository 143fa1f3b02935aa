// One number of a quantized weight: what lookups and element-wise steps read. After the library files of the encoding.

// Value k of row n.
fn weight_value(n: u32, k: u32) -> f32 {
  let eight = unpack_octet(fetch_octet(0u, n, k / 8u));
  return select(eight.low, eight.high, vec4<bool>(k % 8u >= 4u))[k % 4u];
}
