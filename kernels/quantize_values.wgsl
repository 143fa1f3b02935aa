// Codes of a weight, packed: an invocation for each group. After `quantize`.
// Hooks: rows(), depth(), weight_bits(row, k) -> u32 (bits of the f32), store_word(index, word), store_group(index, scale
// bits | stored zero point << 16). Sizes: Q_GROUP values a group, a multiple of 32 / Q_BITS or of 32 at 3 bits.

fn quantize_group(row: u32, first: u32, count: u32, row_words: u32) -> GroupScale {
  var least = 0;
  var most = 0;
  for (var i = 0u; i < count; i++) {
    let x = ordered(normalized(weight_bits(row, first + i)));
    least = min(least, x);
    most = max(most, x);
  }
  let group = cover(least, most);
  let scale = half_value_of(group.scale);
  let zero = zero_of(group);
  // Codes enter a word from below; at 3 bits one may straddle two.
  var at = row * row_words + first * Q_BITS / 32u;
  var word = 0u;
  var filled = 0u;
  for (var i = 0u; i < count; i++) {
    let code = code_of(normalized(weight_bits(row, first + i)), scale, zero);
    word |= code << filled;
    filled += Q_BITS;
    if (filled >= 32u) {
      store_word(at, word);
      at += 1u;
      filled -= 32u;
      word = code >> (Q_BITS - filled);
    }
  }
  if (filled > 0u) {
    store_word(at, word);
  }
  return group;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let groups = (depth() + Q_GROUP - 1u) / Q_GROUP;
  let index = (workgroup.x + workgroup.y * workgroups.x) * 64u + local;
  if (index >= rows() * groups) {
    return;
  }
  let row = index / groups;
  let first = index % groups * Q_GROUP;
  let row_words = (depth() * Q_BITS + 31u) / 32u;
  let group = quantize_group(row, first, min(Q_GROUP, depth() - first), row_words);
  store_group(index, group.scale | (group.zero << 16u));
}
