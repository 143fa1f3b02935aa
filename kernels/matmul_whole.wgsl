// A workgroup sums the whole depth of its tile.
fn parts() -> u32 {
  return 1u;
}

fn part_depth() -> u32 {
  return depth();
}
