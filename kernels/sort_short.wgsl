// The elements of each line in order of their keys, equal ones in order of their places: store(line, rank, place) for each rank
// below kept(). A workgroup takes a line of up to SIZE elements, a power of two, and exchanges pairs (bitonic sort: Batcher,
// Sorting networks and their applications, 1968).
// Workgroups: lines()

var<workgroup> keys: array<u32, SIZE>;
var<workgroup> places: array<u32, SIZE>;

fn exchange_pair(low: u32, high: u32, ascending: bool) {
  let a = keys[low];
  let b = keys[high];
  let i = places[low];
  let j = places[high];
  let is_after = a > b || (a == b && i > j);
  if (is_after == ascending) {
    keys[low] = b;
    keys[high] = a;
    places[low] = j;
    places[high] = i;
  }
}

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
  // What is missing to a power of two comes last.
  for (var i = lane; i < SIZE; i += 256u) {
    keys[i] = 0xffffffffu;
    places[i] = 0xffffffffu;
    if (i < length()) {
      keys[i] = load_key(line, i);
      places[i] = i;
    }
  }
  workgroupBarrier();
  for (var run = 2u; run <= SIZE; run *= 2u) {
    for (var distance = run / 2u; distance > 0u; distance /= 2u) {
      for (var pair = lane; pair < SIZE / 2u; pair += 256u) {
        let low = pair / distance * distance * 2u + pair % distance;
        exchange_pair(low, low + distance, (low & run) == 0u);
      }
      workgroupBarrier();
    }
  }
  for (var rank = lane; rank < kept(); rank += 256u) {
    store(line, rank, places[rank]);
  }
}
