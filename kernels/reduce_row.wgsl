// finish(o, combine of load(o, r) over r in 0 .. inner() - 1) for each o in 0 .. outer() - 1; several invocations a result.
// Workgroups: ceil(outer() / R), R = inner() <= 64 ? 16 : inner() <= 256 ? 4 : 1.

const LANES: u32 = 256u;
// Summed apart before they join the total: keeps rounding errors in long rows near those of a pairwise sum.
const RUN: u32 = 16u;

var<workgroup> partial: array<T, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let team = select(select(256u, 64u, inner() <= 256u), 16u, inner() <= 64u);
  let first = (workgroup.x + workgroup.y * workgroups.x) * (LANES / team);
  if (first >= outer()) {
    return;
  }
  let o = first + lane / team;
  let t = lane % team;
  var total = init();
  if (o < outer()) {
    for (var start = t; start < inner(); start += team * RUN) {
      let end = min(start + team * RUN, inner());
      var run = init();
      for (var r = start; r < end; r += team) {
        run = combine(run, load(o, r));
      }
      total = combine(total, run);
    }
  }
  partial[lane] = total;
  workgroupBarrier();
  for (var half = team / 2u; half > 0u; half /= 2u) {
    if (t < half) {
      partial[lane] = combine(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }
  if (t == 0u && o < outer()) {
    finish(o, partial[lane]);
  }
}
