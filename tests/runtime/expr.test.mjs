import assert from 'node:assert/strict';
import test from 'node:test';
import { internals, random } from './support.mjs';

const { chunkEntries, evaluate, evaluateChunk, floorDiv, floorMod, valueAt } =
  await internals('expr.ts');

test('floor division and modulo have the signs of Python', () => {
  const cases = [
    [7, 2, 3, 1],
    [-7, 2, -4, 1],
    [7, -2, -4, -1],
    [-7, -2, 3, -1],
    [6, 3, 2, 0],
    [-6, 3, -2, 0],
    [0, 5, 0, 0],
    [1, 1000, 0, 1],
    [-1, 1000, -1, 999],
  ];
  for (const [a, b, quotient, rest] of cases) {
    assert.equal(floorDiv(a, b) + 0, quotient, `${a} // ${b}`);
    assert.equal(floorMod(a, b) + 0, rest, `${a} % ${b}`);
  }
});

test('floor division is exact up to 2^53, where a rounded quotient would be wrong', () => {
  const next = random(1);
  for (let i = 0; i < 20000; ++i) {
    const a = Math.floor((next() - 0.5) * 2 ** (1 + Math.floor(next() * 53)));
    const b = Math.floor((next() - 0.5) * 2 ** (1 + Math.floor(next() * 53))) || 3;
    const quotient = BigInt(a) / BigInt(b);
    const floor = BigInt(a) % BigInt(b) !== 0n && a < 0 !== b < 0 ? quotient - 1n : quotient;
    assert.equal(BigInt(floorDiv(a, b)), floor, `${a} // ${b}`);
    assert.equal(BigInt(floorMod(a, b)), BigInt(a) - BigInt(b) * floor, `${a} % ${b}`);
  }
  assert.equal(floorDiv(2 ** 53 - 1, 2), 2 ** 52 - 1);
});

test('each operator', () => {
  const exprs = [
    5,
    ['s', 0],
    ['+', 0, 1],
    ['*', 0, 1],
    ['//', 1, 0],
    ['%', 1, 0],
    ['min', 0, 1],
    ['max', 0, 1],
    ['==', 0, 1],
    ['<', 0, 1],
    ['?', 9, 0, 1],
    ['?', 8, 0, 1],
  ];
  assert.deepEqual([...evaluate(exprs, [-12])], [5, -12, -7, -60, -3, 3, -12, 5, 0, 0, -12, -12]);
  assert.deepEqual([...evaluate(exprs, [5])], [5, 5, 10, 25, 1, 0, 5, 5, 1, 0, 5, 5]);
  assert.deepEqual([...evaluate(exprs, [8])], [5, 8, 13, 40, 1, 3, 5, 8, 0, 1, 5, 8]);
});

test('there is no negative zero', () => {
  const values = evaluate([0, -3, ['*', 0, 1], ['//', 0, 1], ['%', 1, 1]], []);
  for (const value of values.slice(2)) assert.ok(Object.is(value, 0));
});

test('what leaves the exact integers is an error where it is used', () => {
  const exprs = [['s', 0], ['*', 0, 0], ['+', 1, 1], 1, ['<', 1, 3]];
  assert.equal(valueAt(evaluate(exprs, [2 ** 26]), 1, 'a size'), 2 ** 52);
  const values = evaluate(exprs, [2 ** 27]);
  const message =
    'the size of y cannot be computed for these input sizes: it exceeds 2^53 or divides by zero';
  for (const index of [1, 2]) {
    assert.throws(() => valueAt(values, index, 'the size of y'), { code: 'out-of-range', message });
  }
  assert.equal(valueAt(values, 0, 'a size'), 2 ** 27);
});

test('a comparison with what is beyond 2^53 is exact, where that is known', () => {
  // What an int64 becomes when JSON is read: the end of a slice that goes to the end.
  const end = JSON.parse('9223372036854775807');
  const exprs = [['s', 0], end, ['min', 0, 1], ['*', 1, 0], ['<', 0, 1], ['<', 1, 0], ['==', 0, 1]];
  exprs.push(['==', 1, 1], ['<', 1, 1], ['min', 1, 1], ['+', 1, 0], ['max', 0, 1], ['?', 1, 0, 1]);
  const values = evaluate(exprs, [5]);
  assert.equal(valueAt(values, 2, 'a size'), 5);
  assert.equal(valueAt(values, 4, 'a size'), 1);
  assert.equal(valueAt(values, 5, 'a size'), 0);
  assert.equal(valueAt(values, 6, 'a size'), 0);
  assert.equal(valueAt(values, 12, 'a size'), 5);
  for (const index of [1, 3, 7, 8, 9, 10, 11]) {
    assert.throws(() => valueAt(values, index, 'a size'), { code: 'out-of-range' });
  }
});

test('a division by zero is an error where it is used, and no matter in a branch that is not taken', () => {
  const exprs = [
    ['s', 0],
    0,
    ['//', 0, 1],
    ['%', 0, 1],
    ['==', 0, 1],
    7,
    ['?', 4, 5, 2],
    ['min', 2, 5],
  ];
  const values = evaluate(exprs, [0]);
  assert.equal(valueAt(values, 6, 'a size'), 7);
  for (const index of [2, 3, 7]) {
    assert.throws(() => valueAt(values, index, 'a size'), { code: 'out-of-range' });
  }
  assert.throws(() => valueAt(evaluate(exprs, [1]), 6, 'a size'), { code: 'out-of-range' });
});

test('first and rows are those of the chunk, and all that depends on them follows', () => {
  const exprs = [['s', 0], ['first'], ['rows'], ['+', 1, 2], ['*', 0, 3], 9, ['+', 0, 5]];
  const entries = chunkEntries(exprs);
  assert.deepEqual(entries, [1, 2, 3, 4]);
  const values = evaluate(exprs, [2]);
  assert.equal(values[1], 0);
  assert.throws(() => valueAt(values, 2, 'rows'), { code: 'out-of-range' });
  evaluateChunk(exprs, entries, values, [2], 256, 44);
  assert.deepEqual([...values], [2, 256, 44, 300, 600, 9, 11]);
});

test('an unknown operator is a defect that is said', () => {
  assert.throws(() => evaluate([1, ['-', 0, 0]], []), {
    code: 'internal',
    message: 'the plan has an unknown operator: -',
  });
});
