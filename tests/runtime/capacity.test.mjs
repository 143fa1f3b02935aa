import assert from 'node:assert/strict';
import test from 'node:test';
import { internals, planBuilder, random } from './support.mjs';

const { alignedBytes, chooseCapacities, fits } = await internals('capacity.ts');
const { pack } = await internals('arena.ts');
const { evaluate } = await internals('expr.ts');

const MEBIBYTE = 1024 * 1024;
const limits = { binding: 2 ** 31, buffer: 2 ** 31 };
const nothing = { has: () => false, isOurs: () => false, key: '' };
const sum = (list) => list.reduce((a, b) => a + b, 0);

/** Tensors of all kinds of sizes over `L`, `H` and `W`, each alive for some of the steps. */
function randomPlan(next, counts) {
  const b = planBuilder();
  for (const [i, name] of ['L', 'H', 'W'].entries()) b.symbol(name, 0, { axis: i });
  const steps = 2 + Math.floor(next() * 8);
  for (let i = 0; i < steps; ++i) b.plan.steps.push({});
  for (const count of counts) {
    const first = Math.floor(next() * steps);
    b.tensor(count, first, first + Math.floor(next() * (steps - first + 1)));
  }
  return b.plan;
}

const COUNTS = [
  'L',
  ['*', 'L', 'L'],
  ['*', ['*', 'L', 'L'], 12],
  ['*', ['*', 'H', 'W'], 3],
  ['*', ['//', ['+', 'H', 1], 2], ['//', ['+', 'W', 1], 2]],
  ['*', 'L', ['%', 'H', 7]],
  ['max', ['+', 1000, ['*', 'L', -3]], 1],
  ['?', ['==', ['%', 'L', 2], 0], ['*', 'L', 100], 5],
  384,
  0,
];

const bytesOf = (plan, symbols) => {
  const values = evaluate(plan.exprs, symbols);
  return plan.tensors.map(({ count }) => 4 * values[count]);
};
const exactTotal = (plan, bytes) => {
  const lifetimes = plan.tensors.map((tensor, t) => ({ ...tensor, bytes: bytes[t] }));
  return sum(pack(lifetimes, limits.buffer).totals);
};

test('no allocation is too small, or wastes more than a quarter', () => {
  const next = random(17);
  const range = (least, most) => least + Math.floor(next() * (most - least + 1));
  for (let round = 0; round < 60; ++round) {
    const counts = Array.from({ length: range(1, 30) }, () => COUNTS[range(0, COUNTS.length - 1)]);
    const plan = randomPlan(next, counts);
    let kept = [];
    let before = [];
    for (let run = 0; run < 30; ++run) {
      const symbols = [range(0, 400), range(1, 90), range(1, 90)];
      const bytes = bytesOf(plan, symbols);
      let capacities = kept.find((one) => fits(plan, bytes, one, nothing, limits.buffer));
      if (!capacities) {
        capacities = chooseCapacities(plan, symbols, before, bytes, nothing, limits);
        assert.ok(fits(plan, bytes, capacities, nothing, limits.buffer));
        kept = [capacities, ...kept].slice(0, 8);
      }
      before = symbols;
      bytes.forEach((need, t) => assert.ok(capacities.bytes[t] >= alignedBytes(need)));
      assert.ok(sum(capacities.totals) <= 1.25 * exactTotal(plan, bytes));
      // What lives at the same time lies apart.
      plan.tensors.forEach((a, i) => {
        plan.tensors.forEach((c, j) => {
          if (i >= j || a.first > c.last || c.first > a.last) return;
          const [p, q] = [capacities.places[i], capacities.places[j]];
          const apart =
            p.arena !== q.arena ||
            p.offset + capacities.bytes[i] <= q.offset ||
            q.offset + capacities.bytes[j] <= p.offset;
          assert.ok(apart, `tensors ${i} and ${j}`);
        });
      });
    }
  }
});

test('a dimension that grows by one meets few classes, whatever the number of dimensions', () => {
  for (const [counts, most] of [
    [['L'], 12],
    [[['*', 'L', 64], ['*', ['+', 'L', 1], 64], 384], 30],
    [
      [
        ['*', ['*', 'L', 'L'], 12],
        ['*', 'L', 384],
      ],
      90,
    ],
    [[['*', ['*', 'L', 'L'], 'H']], 58],
  ]) {
    const plan = randomPlan(random(3), counts);
    let made = 0;
    let capacities;
    let before = [];
    for (let length = 1; length <= 2000; ++length) {
      const symbols = [length, 5, 1];
      const bytes = bytesOf(plan, symbols);
      if (!capacities || !fits(plan, bytes, capacities, nothing, limits.buffer)) {
        capacities = chooseCapacities(plan, symbols, before, bytes, nothing, limits);
        ++made;
      }
      before = symbols;
    }
    assert.ok(made <= most, `${JSON.stringify(counts)}: ${made} allocations`);
  }
});

test('a tensor above 64 MiB has at most a sixteenth to spare', () => {
  const plan = randomPlan(random(1), [['*', 'L', MEBIBYTE], 'L']);
  for (const length of [17, 33, 49, 100, 111]) {
    const bytes = bytesOf(plan, [length, 1, 1]);
    const { bytes: capacities } = chooseCapacities(
      plan,
      [length, 1, 1],
      [],
      bytes,
      nothing,
      limits,
    );
    assert.ok(capacities[0] <= bytes[0] * (length * 4 > 64 ? 17 / 16 : 5 / 4), `${length}`);
  }
  const bytes = bytesOf(plan, [20, 1, 1]);
  const twenty = chooseCapacities(plan, [20, 1, 1], [20, 1, 1], bytes, nothing, limits);
  assert.equal(fits(plan, bytesOf(plan, [18, 1, 1]), twenty, nothing, limits.buffer), false);
  assert.equal(fits(plan, bytesOf(plan, [19, 1, 1]), twenty, nothing, limits.buffer), true);
});

test('what a device cannot bind is not asked for', () => {
  const plan = randomPlan(random(1), ['L', 'L']);
  const small = { binding: 1200, buffer: 1200 };
  const bytes = bytesOf(plan, [290, 1, 1]);
  const { bytes: capacities, totals } = chooseCapacities(
    plan,
    [290, 1, 1],
    [],
    bytes,
    nothing,
    small,
  );
  assert.ok(Math.max(...capacities) <= 1280);
  assert.ok(Math.max(...totals) <= 1200 || totals.length === 2, `${totals}`);
});

test('what lies outside takes no room, and only buffers that are made here are bounded', () => {
  const plan = randomPlan(random(1), [['*', 'L', 64], ['*', 'L', 64], 'L']);
  const outside = (inputs, outputs) => ({
    has: (t) => inputs.includes(t) || outputs.includes(t),
    isOurs: (t) => outputs.includes(t),
    key: '',
  });
  const some = outside([0], [1]);
  const choose = (length, where) => {
    const bytes = bytesOf(plan, [length, 1, 1]);
    return chooseCapacities(plan, [length, 1, 1], [], bytes, where, limits);
  };
  const capacities = choose(100, some);
  assert.deepEqual([capacities.places[0], capacities.places[1]], [undefined, undefined]);
  assert.ok(sum(capacities.totals) <= 512);
  const fit = (length, where) =>
    fits(plan, bytesOf(plan, [length, 1, 1]), capacities, where, limits.buffer);
  assert.equal(fit(100, some), true);
  assert.equal(fit(100, nothing), false, 'what lies outside has no place');
  assert.equal(fit(200, some), false, 'the output is too small');
  assert.equal(fit(70, some), false, 'the output is too large');
  assert.equal(fit(70, outside([0, 1], [])), true, 'the buffers of the user are not bounded');
});
