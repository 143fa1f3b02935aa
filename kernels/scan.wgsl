// store(line, i, combine of load(line, r) over r <= i, or r < i with EXCLUSIVE) for each i in 0 .. length() - 1 of each
// line in 0 .. lines() - 1. A workgroup takes a segment of segment() elements of a line, which carry(line, which segment)
// precedes.
// Workgroups: lines() * ceil(length() / segment())
// The order of the sums is that of the indices within a lane, then of the lanes, then of what came before: it depends on
// the sizes only.

const LANES: u32 = 256u;
// Neighbours that one lane sums.
const EACH: u32 = 8u;

var<workgroup> partial: array<T, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let w = workgroup.x + workgroup.y * workgroups.x;
  let segments = (length() - 1u) / segment() + 1u;
  let line = w / segments;
  let s = w % segments;
  if (line >= lines()) {
    return;
  }
  var before = carry(line, s);
  let end = min(s * segment() + segment(), length());
  for (var start = s * segment(); start < end; start += LANES * EACH) {
    let first = start + lane * EACH;
    var sums: array<T, 8>;
    var sum = init();
    for (var k = 0u; k < EACH; k++) {
      if (first + k < end) {
        sum = combine(sum, load(line, first + k));
      }
      sums[k] = sum;
    }
    partial[lane] = sum;
    workgroupBarrier();
    for (var distance = 1u; distance < LANES; distance *= 2u) {
      var joined = partial[lane];
      if (lane >= distance) {
        joined = combine(partial[lane - distance], joined);
      }
      workgroupBarrier();
      partial[lane] = joined;
      workgroupBarrier();
    }
    var base = before;
    if (lane > 0u) {
      base = combine(before, partial[lane - 1u]);
    }
    for (var k = 0u; k < EACH; k++) {
      if (first + k < end) {
        var value = combine(base, sums[k]);
        if (EXCLUSIVE) {
          value = base;
          if (k > 0u) {
            value = combine(base, sums[k - 1u]);
          }
        }
        store(line, first + k, value);
      }
    }
    before = combine(before, partial[LANES - 1u]);
    workgroupBarrier();
  }
}
