import assert from 'node:assert/strict';
import test from 'node:test';
import { internals, planBuilder, random } from './support.mjs';

const { layoutWeights } = await internals('layout.ts');

/** A plan of one file with these parts one after the other, each aligned; `splits` lists weights cut together. */
function planOf(parts, splits = []) {
  const b = planBuilder();
  let offset = 0;
  for (const part of parts) {
    b.weight({ file: 0, offset, ...part });
    offset = Math.ceil((offset + part.bytes) / 256) * 256;
  }
  b.plan.files.push({ name: 'm.bin', bytes: offset, sha256: '', chunks: [] });
  for (const weights of splits) {
    b.plan.steps.push({
      name: 's',
      params: [],
      bindings: [],
      split: { weights, rows: 0 },
      forms: [],
    });
  }
  return b.plan;
}

function checkLayout(plan, layout, limits) {
  layout.regions.forEach((region) => {
    assert.equal(region.start % 256, 0);
    assert.ok(Math.ceil((region.end - region.start) / 256) * 256 <= limits.buffer);
  });
  plan.weights.forEach((weight, i) => {
    let next = weight.offset;
    const slices = layout.slices[i];
    assert.equal(slices.length, layout.ranges[i]?.length ?? 1);
    for (const { region, offset, bytes } of slices) {
      const { start, end } = layout.regions[region];
      assert.equal(offset % 256, 0);
      assert.ok(bytes <= limits.binding);
      assert.equal(start + offset, next, 'slices follow each other');
      assert.ok(start + offset + bytes <= end);
      next += bytes;
    }
    assert.equal(next, weight.offset + weight.bytes);
    const rows = layout.ranges[i]?.reduce((sum, range) => {
      assert.equal(range.first, sum);
      assert.equal(range.first % 256, 0);
      return sum + range.rows;
    }, 0);
    if (rows !== undefined) assert.equal(rows, weight.rows);
  });
}

test('small parts share one buffer', () => {
  const plan = planOf([{ bytes: 100 }, { bytes: 256 }, { bytes: 4 }]);
  const limits = { binding: 1024, buffer: 2048 };
  const layout = layoutWeights(plan, limits);
  checkLayout(plan, layout, limits);
  assert.deepEqual(layout.regions, [{ file: 0, start: 0, end: 516 }]);
  assert.deepEqual(layout.slices[2], [{ region: 0, offset: 512, bytes: 4 }]);
});

test('a weight without values can be bound', () => {
  const layout = layoutWeights(planOf([{ bytes: 256 }, { bytes: 0 }]), {
    binding: 1024,
    buffer: 2048,
  });
  assert.deepEqual(layout.slices[1], [{ region: 0, offset: 0, bytes: 0 }]);
  const alone = layoutWeights(planOf([{ bytes: 0 }]), { binding: 1024, buffer: 2048 });
  assert.deepEqual(alone.slices[0], [{ region: 0, offset: 0, bytes: 0 }]);
});

test('a further buffer where one would be too large, and one for each file at least', () => {
  const plan = planOf([{ bytes: 1000 }, { bytes: 1000 }, { bytes: 1000 }]);
  plan.files.push({ name: 'n.bin', bytes: 8, sha256: '', chunks: [] });
  plan.weights.push({ file: 1, offset: 0, bytes: 8 });
  const limits = { binding: 1024, buffer: 2048 };
  const layout = layoutWeights(plan, limits);
  checkLayout(plan, layout, limits);
  assert.deepEqual(
    layout.regions.map(({ file, start, end }) => [file, start, end]),
    [
      [0, 0, 2024],
      [0, 2048, 3048],
      [1, 0, 8],
    ],
  );
});

test('joined parts stay together', () => {
  const parts = [{ bytes: 1000 }, { bytes: 600 }, { bytes: 600, joined: true }];
  const limits = { binding: 2048, buffer: 2048 };
  const joined = layoutWeights(planOf(parts), limits);
  assert.deepEqual(
    joined.slices.map(([slice]) => slice.region),
    [0, 1, 1],
  );
  const free = layoutWeights(planOf(parts.map(({ bytes }) => ({ bytes }))), limits);
  assert.deepEqual(
    free.slices.map(([slice]) => slice.region),
    [0, 0, 1],
  );
});

test('a weight too large for a binding is cut in multiples of 256 rows, with those it is split with', () => {
  const plan = planOf(
    [
      { bytes: 1000 * 64, rows: 1000, row_stride: 64 },
      { bytes: 1000 * 4, rows: 1000, row_stride: 4 },
      { bytes: 1000 * 2, rows: 1000, row_stride: 2 },
    ],
    [
      [0, 1],
      [0, 2],
    ],
  );
  const limits = { binding: 40000, buffer: 50000 };
  const layout = layoutWeights(plan, limits);
  checkLayout(plan, layout, limits);
  const ranges = [
    { first: 0, rows: 512 },
    { first: 512, rows: 488 },
  ];
  assert.deepEqual(layout.ranges, [ranges, ranges, ranges]);
  assert.deepEqual(
    layout.slices[0].map(({ region }) => region),
    [0, 1],
  );
});

test('a weight that no step splits, or with rows too large, is an error that gives the limits', () => {
  const limits = { binding: 16384, buffer: 1 << 20 };
  const large = { bytes: 1000 * 64, rows: 1000, row_stride: 64 };
  const message =
    'a weight of 0.06104 MiB (at byte 0 of "m.bin") cannot be bound: this device takes 0.01563 MiB at most, and this weight cannot be split further';
  assert.throws(() => layoutWeights(planOf([large]), limits), { code: 'limits', message });
  const wide = { bytes: 1000 * 128, rows: 1000, row_stride: 128 };
  assert.throws(() => layoutWeights(planOf([wide], [[0]]), limits), { code: 'limits' });
  const other = { bytes: 10 * 4, rows: 10, row_stride: 4 };
  assert.throws(() => layoutWeights(planOf([large, other], [[0, 1]]), limits), { code: 'limits' });
});

test('what a step binds together must fit a binding and lie in one buffer, or loading says so', () => {
  const spanning = (parts, limits, splits = []) => {
    const plan = planOf(parts, splits);
    plan.steps.push({ name: 't', params: [], bindings: [{ weight: 0, span: 2 }], forms: [] });
    return () => layoutWeights(plan, limits);
  };
  const parts = [{ bytes: 1000 }, { bytes: 600, joined: true }];
  const message =
    'weights of 0.001549 MiB (at byte 0 of "m.bin") must be bound together, which this device does not allow';
  assert.doesNotThrow(spanning(parts, { binding: 2048, buffer: 2048 }));
  assert.throws(spanning(parts, { binding: 1024, buffer: 1024 }), { code: 'limits', message });
  assert.throws(spanning(parts, { binding: 1024, buffer: 4096 }), { code: 'limits', message });
  const rows = [
    { bytes: 1000 * 64, rows: 1000, row_stride: 64 },
    { bytes: 1000 * 64, rows: 1000, row_stride: 64, joined: true },
  ];
  const limits = { binding: 40000, buffer: 1 << 20 };
  assert.throws(spanning(rows, limits, [[0, 1]]), { code: 'limits' });
});

test('random weights are each found whole, aligned and within the limits', () => {
  const next = random(11);
  for (let round = 0; round < 100; ++round) {
    const parts = Array.from({ length: 1 + Math.floor(next() * 20) }, () => {
      const rows = 1 + Math.floor(next() * 2000);
      const row_stride = 4 * (1 + Math.floor(next() * 15));
      return {
        bytes: rows * row_stride,
        rows,
        row_stride,
        ...(next() < 0.3 ? { joined: true } : {}),
      };
    });
    const plan = planOf(
      parts,
      parts.map((_, i) => [i]),
    );
    const limits = { binding: 16384, buffer: 16384 * (1 + Math.floor(next() * 4)) };
    checkLayout(plan, layoutWeights(plan, limits), limits);
  }
});
