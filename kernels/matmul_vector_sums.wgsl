// The shared part of the matrix-vector bodies: 32 columns by up to 4 rows of C for each workgroup of 256.
// Workgroups: batches() * ceil(chunk_cols() / 32) * ceil(rows() / 4).
// A team of 32 invocations works on 4 columns; each takes blocks of 32 values along k, so that a column at 4 bits is
// read 16 bytes an invocation, 512 a team. The blocks of a step are fetched before the step before it is multiplied.

const VECTOR_COLS: u32 = 32u; // columns a workgroup
const VECTOR_ROWS: u32 = 4u; // rows a workgroup
const STEP: u32 = 1024u; // values along k a step: a block for each invocation of a team

// A's part of a step: row, then block, then the 8 vec4 of a block, in an order that spreads a team's reads over all
// banks. The partial sums afterwards.
var<workgroup> staged: array<vec4<f32>, 1024>;

// What a workgroup and an invocation work on.
struct Place {
  b: u32,
  m: u32, // first row
  row_count: u32, // 1..4
  n: u32, // first column of the workgroup, from first_col()
  team: u32,
  t: u32, // within the team
}

// One vec4 over the rows for each of the team's four columns.
struct Sums {
  col0: vec4<f32>,
  col1: vec4<f32>,
  col2: vec4<f32>,
  col3: vec4<f32>,
}

struct RawBlocks {
  col0: RawBlock,
  col1: RawBlock,
  col2: RawBlock,
  col3: RawBlock,
}

fn workgroup_count() -> u32 {
  let col_groups = (chunk_cols() + VECTOR_COLS - 1u) / VECTOR_COLS;
  return batches() * col_groups * ((rows() + VECTOR_ROWS - 1u) / VECTOR_ROWS);
}

// Neighbouring workgroups take the same columns, for the sake of the cache.
fn place_of(group: u32, lane: u32) -> Place {
  let col_groups = (chunk_cols() + VECTOR_COLS - 1u) / VECTOR_COLS;
  let row_groups = (rows() + VECTOR_ROWS - 1u) / VECTOR_ROWS;
  let m = group % row_groups * VECTOR_ROWS;
  let rest = group / row_groups;
  return Place(
    rest / col_groups,
    m,
    min(rows() - m, VECTOR_ROWS),
    rest % col_groups * VECTOR_COLS,
    lane / 32u,
    lane % 32u,
  );
}

// Past the last block it is the last block again, which is then not multiplied.
fn fetch_blocks(place: Place, k: u32) -> RawBlocks {
  let block = min(k / 32u + place.t, (depth() - 1u) / 32u);
  let n = place.n + place.team * 4u;
  let last = chunk_cols() - 1u;
  return RawBlocks(
    fetch_block(place.b, min(n, last), block),
    fetch_block(place.b, min(n + 1u, last), block),
    fetch_block(place.b, min(n + 2u, last), block),
    fetch_block(place.b, min(n + 3u, last), block),
  );
}

fn stage_rows(place: Place, lane: u32, k: u32) {
  let block = lane / 8u;
  let at = block * 8u + ((lane ^ block) & 7u);
  for (var m = 0u; m < place.row_count; m++) {
    var values = vec4<f32>();
    if (k + lane * 4u < depth()) {
      values = load_a(place.b, place.m + m, k + lane * 4u);
    }
    staged[m * 256u + at] = values;
  }
}

// sum + w . a, one fused multiply-add a value where the compiler may.
fn multiply_octet(sum: f32, w: Octet, a: Octet) -> f32 {
  let low = sum + w.low.x * a.low.x + w.low.y * a.low.y + w.low.z * a.low.z + w.low.w * a.low.w;
  return low + w.high.x * a.high.x + w.high.y * a.high.y + w.high.z * a.high.z + w.high.w * a.high.w;
}

fn staged_octet(m: u32, t: u32, i: u32) -> Octet {
  let at = m * 256u + t * 8u;
  return Octet(staged[at + ((2u * i) ^ (t & 7u))], staged[at + ((2u * i + 1u) ^ (t & 7u))]);
}

// Adds the products of octet i of each block, the first left in it.
fn multiply_octets(sums: Sums, raw: RawBlocks, place: Place, i: u32) -> Sums {
  let w0 = unpack_first(raw.col0);
  let w1 = unpack_first(raw.col1);
  let w2 = unpack_first(raw.col2);
  let w3 = unpack_first(raw.col3);
  var s = sums;
  let a0 = staged_octet(0u, place.t, i);
  s.col0.x = multiply_octet(s.col0.x, w0, a0);
  s.col1.x = multiply_octet(s.col1.x, w1, a0);
  s.col2.x = multiply_octet(s.col2.x, w2, a0);
  s.col3.x = multiply_octet(s.col3.x, w3, a0);
  if (place.row_count > 1u) {
    let a1 = staged_octet(1u, place.t, i);
    s.col0.y = multiply_octet(s.col0.y, w0, a1);
    s.col1.y = multiply_octet(s.col1.y, w1, a1);
    s.col2.y = multiply_octet(s.col2.y, w2, a1);
    s.col3.y = multiply_octet(s.col3.y, w3, a1);
  }
  if (place.row_count > 2u) {
    let a2 = staged_octet(2u, place.t, i);
    s.col0.z = multiply_octet(s.col0.z, w0, a2);
    s.col1.z = multiply_octet(s.col1.z, w1, a2);
    s.col2.z = multiply_octet(s.col2.z, w2, a2);
    s.col3.z = multiply_octet(s.col3.z, w3, a2);
  }
  if (place.row_count > 3u) {
    let a3 = staged_octet(3u, place.t, i);
    s.col0.w = multiply_octet(s.col0.w, w0, a3);
    s.col1.w = multiply_octet(s.col1.w, w1, a3);
    s.col2.w = multiply_octet(s.col2.w, w2, a3);
    s.col3.w = multiply_octet(s.col3.w, w3, a3);
  }
  return s;
}

fn drop_octets(raw: RawBlocks) -> RawBlocks {
  return RawBlocks(
    drop_first(raw.col0),
    drop_first(raw.col1),
    drop_first(raw.col2),
    drop_first(raw.col3),
  );
}

// Each invocation's part of the team's sums. Ends with a barrier: `staged` is free.
// A step's blocks are fetched before the step before is multiplied; one loop does both, so that the hooks are compiled
// once.
fn multiply(place: Place, lane: u32) -> Sums {
  var sums = Sums();
  var raw = RawBlocks();
  for (var k = 0u; ; k += STEP) {
    let is_done = k >= depth();
    var next = raw;
    if (!is_done) {
      next = fetch_blocks(place, k);
    }
    if (k > 0u && k - STEP + place.t * 32u < depth()) {
      for (var i = 0u; i < 4u; i++) {
        sums = multiply_octets(sums, raw, place, i);
        raw = drop_octets(raw);
      }
    }
    workgroupBarrier();
    if (is_done) {
      break;
    }
    stage_rows(place, lane, k);
    workgroupBarrier();
    raw = next;
  }
  return sums;
}
