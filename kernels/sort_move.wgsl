// Moves each element of a block of 2048 to where its digit begins, those of one digit in their order: put(line, to, from).
// first_of(line, digit, block) is where the block's first of that digit goes. Sixteen neighbours are a lane's.
// Workgroups: lines() * blocks()

// By digit and lane: how many there are, then how many there are before.
var<workgroup> counts: array<u32, 2048>;
// Of sixteen lanes together.
var<workgroup> totals: array<u32, 128>;

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let w = workgroup.x + workgroup.y * workgroups.x;
  if (w >= lines() * blocks()) {
    return;
  }
  let line = w / blocks();
  let block = w % blocks();
  let first = block * 2048u + lane * 16u;
  let end = min(first + 16u, length());
  for (var i = first; i < end; i++) {
    counts[((key_at(line, i) >> shift()) & 15u) * 128u + lane] += 1u;
  }
  workgroupBarrier();
  var total = 0u;
  for (var i = lane * 16u; i < lane * 16u + 16u; i++) {
    total += counts[i];
  }
  totals[lane] = total;
  workgroupBarrier();
  var before = 0u;
  for (var i = lane / 8u * 8u; i < lane; i++) {
    before += totals[i];
  }
  for (var i = lane * 16u; i < lane * 16u + 16u; i++) {
    let count = counts[i];
    counts[i] = before;
    before += count;
  }
  workgroupBarrier();
  for (var i = first; i < end; i++) {
    let digit = (key_at(line, i) >> shift()) & 15u;
    let at = digit * 128u + lane;
    put(line, first_of(line, digit, block) + counts[at], i);
    counts[at] += 1u;
  }
}
