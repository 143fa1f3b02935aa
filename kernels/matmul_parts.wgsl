// The depth is divided among parts(), workgroups of their own: batch b of the sums is part b % parts() of batch b / parts().

// Whole tiles of the depth.
fn part_depth() -> u32 {
  return 384u;
}
