// Of the candidates of each line, from the best one on, keeps each that none kept before it overlaps: keep(line, how many before
// it, place), and their number by store_count(line, count). candidate(line, rank) is a place, or from FALLEN on one that fell;
// fall(line, rank) says so. passes(line, place) is false from some rank on; most() is the most that are kept. A workgroup takes
// a line, and a lane every 256th rank, whose falls it alone sees.
// Workgroups: lines()

const FALLEN: u32 = 0x80000000u;
const NONE: u32 = 0xffffffffu;

var<workgroup> least: atomic<u32>;
var<workgroup> chosen: u32;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let line = workgroup.x + workgroup.y * workgroups.x;
  if (line >= lines()) {
    return;
  }
  var kept = 0u;
  var from_rank = 0u;
  loop {
    if (lane == 0u) {
      atomicStore(&least, NONE);
    }
    workgroupBarrier();
    let first = from_rank + (lane + 256u - from_rank % 256u) % 256u;
    for (var rank = first; rank < length(); rank += 256u) {
      if (candidate(line, rank) < FALLEN) {
        atomicMin(&least, rank);
        break;
      }
    }
    workgroupBarrier();
    if (lane == 0u) {
      chosen = NONE;
      let rank = atomicLoad(&least);
      if (rank != NONE && kept < most()) {
        if (passes(line, candidate(line, rank))) {
          chosen = rank;
        }
      }
    }
    let best = workgroupUniformLoad(&chosen);
    if (best == NONE) {
      break;
    }
    let place = candidate(line, best);
    for (var rank = first; rank < length(); rank += 256u) {
      let other = candidate(line, rank);
      if (rank > best && other < FALLEN) {
        if (overlaps(line, place, other)) {
          fall(line, rank);
        }
      }
    }
    workgroupBarrier();
    if (lane == 0u) {
      keep(line, kept, place);
    }
    kept += 1u;
    from_rank = best + 1u;
  }
  if (lane == 0u) {
    store_count(line, kept);
  }
}
