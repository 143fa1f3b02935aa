// Scales and zero points of a weight, packed: an invocation for each word of either part. After quantize_values has run.
// Hooks: rows(), depth(), load_group(index) as stored there, store_scale(index, word), store_zero(index, word).
// Sizes: Q_GROUP, Q_ZERO_BITS (0 where no zero points are stored).

fn scale_half(index: u32, count: u32) -> u32 {
  if (index >= count) {
    return 0u;
  }
  return load_group(index) & 0xffffu;
}

// Byte `index` of the zero points: a row starts on a byte, and 0 bits fill its last.
fn zero_byte(index: u32, groups: u32) -> u32 {
  let row_bytes = (groups * Q_ZERO_BITS + 7u) / 8u;
  let row = index / row_bytes;
  if (row >= rows()) {
    return 0u;
  }
  var byte = 0u;
  for (var bit = 0u; bit < 8u; bit++) {
    let at = index % row_bytes * 8u + bit;
    let group = at / max(Q_ZERO_BITS, 1u);
    if (group < groups) {
      let zero = load_group(row * groups + group) >> 16u;
      byte |= ((zero >> (at % max(Q_ZERO_BITS, 1u))) & 1u) << bit;
    }
  }
  return byte;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let groups = (depth() + Q_GROUP - 1u) / Q_GROUP;
  let count = rows() * groups;
  let scale_words = (count + 1u) / 2u;
  let index = (workgroup.x + workgroup.y * workgroups.x) * 64u + local;
  if (index < scale_words) {
    let second = scale_half(index * 2u + 1u, count);
    store_scale(index, scale_half(index * 2u, count) | (second << 16u));
    return;
  }
  if (Q_ZERO_BITS == 0u) {
    return;
  }
  let word = index - scale_words;
  let zero_words = (rows() * ((groups * Q_ZERO_BITS + 7u) / 8u) + 3u) / 4u;
  if (word < zero_words) {
    var bytes = 0u;
    for (var i = 0u; i < 4u; i++) {
      bytes |= zero_byte(word * 4u + i, groups) << (8u * i);
    }
    store_zero(word, bytes);
  }
}
