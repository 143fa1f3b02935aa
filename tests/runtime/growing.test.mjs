// Sizes that change from run to run: what they make on the GPU, what they read and write, and that no bit depends on the
// memory that runs of other sizes share with them.
import assert from 'node:assert/strict';
import { deviceTest, makeModule, mapKernel, planBuilder, random } from './support.mjs';

const WIDTH = 64;

/** A cache of rows: `present` is `past` and one row more, `y` the sum of its rows weighted by their numbers. */
function cachePlan() {
  const b = planBuilder();
  b.symbol('past', 0, { axis: 0 });
  const rows = ['+', 'past', 1];
  const count = ['*', rows, WIDTH];
  const past = b.tensor(['*', 'past', WIDTH], -1, 0);
  const row = b.tensor(WIDTH, -1, 0);
  const present = b.tensor(count, 0, 2);
  const y = b.tensor(WIDTH, 1, 2);
  b.input('past', 'float32', ['past', WIDTH], past);
  b.input('row', 'float32', [1, WIDTH], row);
  b.output('present', 'float32', [rows, WIDTH], { tensor: present });
  b.output('y', 'float32', [WIDTH], { tensor: y });
  const concat = `
struct Params { count: u32, before: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> past: array<f32>;
@group(0) @binding(2) var<storage, read_write> row: array<f32>;
@group(0) @binding(3) var<storage, read_write> present: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) at: vec3<u32>) {
  let i = at.x;
  if (i >= p.count) { return; }
  if (i < p.before) { present[i] = past[i]; } else { present[i] = row[i - p.before]; }
}`;
  const product = `
@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<storage, read_write> present: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(${WIDTH}) fn main(@builtin(local_invocation_index) j: u32) {
  var sum = 0.0;
  for (var r = 0u; r < rows; r++) { sum += f32(r + 1u) * present[r * ${WIDTH}u + j]; }
  y[j] = sum;
}`;
  b.step(
    'concat',
    [count, ['*', 'past', WIDTH]],
    [{ tensor: past }, { tensor: row }, { tensor: present }],
    [{ pipeline: b.pipeline('pttt', concat), workgroups: rows }],
  );
  b.step(
    'product',
    [rows],
    [{ tensor: present }, { tensor: y }],
    [{ pipeline: b.pipeline('ptt', product), workgroups: 1 }],
  );
  return b.plan;
}

const rowOf = (i) => ({ data: new Float32Array(WIDTH).fill((i % 7) - 3), dims: [1, WIDTH] });
const noRows = { data: new Float32Array(0), dims: [0, WIDTH] };

deviceTest('a cache that grows makes nothing within a class of sizes', async ({ device, log }) => {
  const { load } = await makeModule(cachePlan());
  const model = await load({ device, internal: { poison: true } });
  const made = () => [log.buffersMade, log.bindGroups, log.pipelines].join();
  let past = noRows;
  let expected = 0;
  let noisy = 0;
  for (let i = 0; i < 1000; ++i) {
    const before = made();
    const arenas = log.count['subbyte arena'];
    const { present, y } = await model.run({ past, row: rowOf(i) }, { keep: ['present'] });
    expected += (i + 1) * ((i % 7) - 3);
    assert.deepEqual(y.data, new Float32Array(WIDTH).fill(expected), `run ${i}`);
    // All that a class needs is made in its first run.
    const first = log.count['subbyte arena'] !== arenas;
    if (made() !== before) assert.ok((++noisy, first), `run ${i} made something`);
    past.dispose?.();
    past = present;
  }
  assert.equal(log.pipelines, 2);
  // A class of sizes is a quarter of a size: some 25 from 1 row to 1000.
  const classes = log.count['subbyte arena'];
  assert.ok(classes <= 28, `${classes} classes`);
  assert.equal(noisy, classes);
  assert.equal(log.count['subbyte parameters'], classes);
  assert.ok(log.count['subbyte kept output'] <= 2 * classes);
  assert.ok(log.count['subbyte staging'] <= 2, `${log.count['subbyte staging']} staging buffers`);
  assert.ok(log.bindGroups <= 5 * classes, `${log.bindGroups} bind groups`);
  const held = log.liveBytes;
  assert.ok(held < 8 * 1000 * WIDTH * 4, `${held} bytes are alive`);
  const last = await past.read();
  assert.deepEqual([last.dims, last.data[0], last.data.at(-1)], [[1000, WIDTH], -3, (999 % 7) - 3]);
  past.dispose();
  model.dispose();
  assert.equal(log.liveBytes, 0);
});

deviceTest('what grows from the first run on finds room', async ({ device, log }) => {
  const { load } = await makeModule(cachePlan());
  const model = await load({ device, internal: { poison: true } });
  const run = (rows) =>
    model.run({
      past: { data: new Float32Array(rows * WIDTH), dims: [rows, WIDTH] },
      row: rowOf(0),
    });
  await run(200);
  const { buffersMade, bindGroups } = log;
  for (let rows = 201; rows < 230; ++rows) await run(rows);
  assert.deepEqual([log.buffersMade, log.bindGroups], [buffersMade, bindGroups]);
  assert.equal(log.count['subbyte arena'], 1);
});

/** A chain over [L, 64] that also has [L, L], [H, W] and sizes that fall where L rises; two forms, by parity. */
function mixedPlan() {
  const b = planBuilder();
  b.symbol('L', 0, { axis: 0 });
  b.symbol('H', 1, { axis: 0 });
  b.symbol('W', 1, { axis: 1 });
  const rest = ['max', ['+', 300, ['*', 'L', -2]], 1];
  const sizes = { x: ['*', 'L', 8], image: ['*', 'H', 'W'], scores: ['*', 'L', 'L'], rest };
  const x = b.tensor(sizes.x, -1, 3);
  const image = b.tensor(sizes.image, -1, 2);
  const scores = b.tensor(sizes.scores, 0, 4);
  const fallen = b.tensor(rest, 1, 4);
  const joined = b.tensor(sizes.image, 2, 4);
  const y = b.tensor(sizes.x, 3, 4);
  b.input('x', 'float32', ['L', 8], x);
  b.input('image', 'float32', ['H', 'W'], image);
  b.output('scores', 'float32', ['L', 'L'], { tensor: scores });
  b.output('fallen', 'float32', [rest], { tensor: fallen });
  b.output('joined', 'float32', ['H', 'W'], { tensor: joined });
  b.output('y', 'float32', ['L', 8], { tensor: y });
  // From one binding to the other, `extra` being the number of values of the first.
  const map = (body) => b.pipeline('ptt', mapKernel(body));
  const even = map('y[i] = x[i % p.extra] * 1.5 + 1.0;');
  const odd = map('y[i] = x[(i * 3u) % p.extra] - 0.25;');
  const step = (name, from, to, inner, outer) =>
    b.step(
      name,
      [outer, inner],
      [{ tensor: from }, { tensor: to }],
      [
        {
          pipeline: even,
          when: ['==', ['%', 'L', 2], 0],
          workgroups: ['//', ['+', outer, 63], 64],
        },
        { pipeline: odd, workgroups: ['//', ['+', outer, 63], 64] },
      ],
    );
  step('scores', x, scores, sizes.x, sizes.scores);
  step('fallen', scores, fallen, sizes.scores, rest);
  step('joined', fallen, joined, rest, sizes.image);
  step('y', joined, y, sizes.image, sizes.x);
  return b.plan;
}

const bitsOf = ({ data, dims }) => [dims, [...new Uint32Array(data.buffer)]];

deviceTest('no bit of a result depends on the sizes of other runs', async ({ device, log }) => {
  const next = random(29);
  const range = (most) => 1 + Math.floor(next() * most);
  const tensor = (...dims) => ({
    data: Float32Array.from({ length: dims[0] * dims[1] }, () => next() - 0.5),
    dims,
  });
  const { load } = await makeModule(mixedPlan());
  const shared = await load({ device, internal: { poison: true } });
  const exact = await load({ device, internal: { poison: true, exactSizes: true } });
  let L = 60;
  let arenas = 0;
  for (let i = 0; i < 120; ++i) {
    // Now and then anything, else the last size and one more.
    L = next() < 0.2 ? range(150) : L + 1;
    const inputs = {
      x: tensor(L, 8),
      image: next() < 0.5 ? tensor(16, 9) : tensor(range(20), range(20)),
    };
    const keep = next() < 0.3 ? ['scores', 'y'] : [];
    const made = log.buffersMade;
    const found = await shared.run(inputs, { keep });
    if (log.buffersMade > made) ++arenas;
    const expected = await exact.run(inputs);
    for (const name of Object.keys(expected)) {
      const value = keep.includes(name) ? await found[name].read() : found[name];
      assert.deepEqual(bitsOf(value), bitsOf(expected[name]), `${name} of run ${i}`);
      if (keep.includes(name)) found[name].dispose();
    }
  }
  assert.ok(arenas < 80, `${arenas} of 120 runs made buffers`);
});
