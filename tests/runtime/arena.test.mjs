import assert from 'node:assert/strict';
import test from 'node:test';
import { internals, random } from './support.mjs';

const { pack } = await internals('arena.ts');

const ALIGNMENT = 256;

/** The bytes that are alive in the fullest step: no packing into one arena can be smaller. */
function maxLive(lifetimes) {
  const steps = new Map();
  for (const { bytes, first, last } of lifetimes) {
    const size = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    for (let step = first; step <= last; ++step) steps.set(step, (steps.get(step) ?? 0) + size);
  }
  return Math.max(0, ...steps.values());
}

function checkPacking(lifetimes, packing, limit) {
  assert.equal(packing.places.length, lifetimes.length);
  packing.totals.forEach((total) => assert.ok(total <= limit && total % ALIGNMENT === 0));
  lifetimes.forEach((a, i) => {
    const placeA = packing.places[i];
    assert.equal(placeA.offset % ALIGNMENT, 0);
    assert.ok(placeA.offset + Math.max(16, a.bytes) <= packing.totals[placeA.arena]);
    lifetimes.forEach((b, j) => {
      if (j <= i || a.first > b.last || b.first > a.last) return;
      const placeB = packing.places[j];
      if (placeA.arena !== placeB.arena) return;
      const apart =
        placeA.offset + Math.max(1, a.bytes) <= placeB.offset ||
        placeB.offset + Math.max(1, b.bytes) <= placeA.offset;
      assert.ok(apart, `tensors ${i} and ${j} overlap`);
    });
  });
}

test('no tensors, no arena', () => {
  assert.deepEqual(pack([], 1024), { places: [], totals: [] });
});

test('a chain reuses what is dead', () => {
  const chain = Array.from({ length: 10 }, (_, i) => ({ bytes: 1000, first: i - 1, last: i }));
  const packing = pack(chain, 1 << 20);
  checkPacking(chain, packing, 1 << 20);
  assert.deepEqual(packing.totals, [2048]);
});

test('tensors that share one step do not overlap', () => {
  const packing = pack(
    [
      { bytes: 256, first: 0, last: 3 },
      { bytes: 256, first: 3, last: 5 },
    ],
    1 << 20,
  );
  assert.deepEqual(packing.totals, [512]);
});

test('an empty tensor has a place of its own', () => {
  const packing = pack(
    [
      { bytes: 0, first: 0, last: 1 },
      { bytes: 4, first: 0, last: 1 },
    ],
    1 << 20,
  );
  assert.notEqual(packing.places[0].offset, packing.places[1].offset);
});

test('a gap is filled by the tensor that fits it best', () => {
  const lifetimes = [
    { bytes: 4096, first: 0, last: 9 },
    { bytes: 2048, first: 0, last: 1 },
    { bytes: 1536, first: 0, last: 9 },
    { bytes: 1024, first: 0, last: 1 },
    { bytes: 768, first: 0, last: 9 },
    { bytes: 512, first: 5, last: 6 },
  ];
  const packing = pack(lifetimes, 1 << 20);
  checkPacking(lifetimes, packing, 1 << 20);
  assert.equal(packing.places[5].offset, packing.places[3].offset);
});

test('several arenas where one may not be large enough; no tensor straddles', () => {
  const lifetimes = Array.from({ length: 7 }, () => ({ bytes: 1000, first: 0, last: 1 }));
  const packing = pack(lifetimes, 2048);
  checkPacking(lifetimes, packing, 2048);
  assert.deepEqual(packing.totals, [2048, 2048, 2048, 1024]);
});

test('random lifetimes never overlap, and the total is near the fullest step', () => {
  const next = random(7);
  let worst = 0;
  let sum = 0;
  const rounds = 200;
  for (let round = 0; round < rounds; ++round) {
    const count = 1 + Math.floor(next() * 80);
    const steps = 1 + Math.floor(next() * 60);
    const lifetimes = Array.from({ length: count }, () => {
      const first = Math.floor(next() * steps) - 1;
      const length = next() < 0.8 ? Math.floor(next() * 4) : Math.floor(next() * steps);
      return {
        bytes: Math.floor(2 ** (next() * 16)),
        first,
        last: Math.min(steps, first + length),
      };
    });
    const packing = pack(lifetimes, Infinity);
    checkPacking(lifetimes, packing, Infinity);
    const ratio = packing.totals[0] / maxLive(lifetimes);
    worst = Math.max(worst, ratio);
    sum += ratio;
    const bounded = pack(lifetimes, 1 << 17);
    checkPacking(lifetimes, bounded, 1 << 17);
  }
  assert.ok(sum / rounds < 1.02, `mean ${sum / rounds}`);
  assert.ok(worst < 1.2, `worst ${worst}`);
});

test('the same lifetimes give the same packing', () => {
  const lifetimes = [3, 1, 3, 2, 3].map((size, i) => ({
    bytes: size * 256,
    first: i,
    last: i + 2,
  }));
  assert.deepEqual(pack(lifetimes, 1 << 20), pack(lifetimes, 1 << 20));
});
