// elementwise, reductions, softmax and normalisation.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertClose, inNans, kernel, openDevices, randoms, run } from './harness.mjs';

const ARENA = '@group(0) @binding(0) var<storage, read_write> arena: array<f32>;\n';
const GUARD = 64; // NaNs before, between and after tensors

// Runs a kernel from a tensor to a tensor of one arena; checks that nothing but the output was written.
async function overArena(device, { prologue, body, input, outputs, workgroups }) {
  const from = GUARD;
  const to = from + input.length + GUARD;
  const arena = inNans(to + outputs + GUARD, from, input);
  const hooks = `${ARENA}const FROM: u32 = ${from}u;\nconst TO: u32 = ${to}u;\n${prologue}`;
  const libraries = body === 'softmax' || body === 'normalize' ? kernel('columns') : '';
  const code = `${hooks}\n${libraries}\n${kernel(body)}`;
  const result = await run(device, { code, buffers: [arena], output: 0, workgroups });
  assert.deepEqual(result.subarray(0, to), arena.subarray(0, to), 'written before the output');
  assert.ok(result.subarray(to + outputs).every(Number.isNaN), 'written past the output');
  return result.subarray(to, to + outputs);
}

const teamRows = (cols) => (cols <= 64 ? 16 : cols <= 256 ? 4 : 1);
const rowOf = (data, r, cols) => data.subarray(r * cols, (r + 1) * cols);

let devices;
before(async () => (devices = await openDevices()));
after(() => Object.values(devices).forEach((device) => device.destroy()));

for (const kind of ['plain', 'full']) {
  describe(`${kind} device`, () => {
    for (const count of [1, 255, 257, 65537 * 256 + 3]) {
      if (kind === 'full' && count > 1000) continue;
      test(`elementwise ${count}`, async () => {
        const big = count > 1000; // only the last are kept, to save memory
        const kept = big ? 1000 : count;
        const result = await overArena(devices[kind], {
          prologue: `fn count() -> u32 { return ${count}u; }
fn element(i: u32) { if (i >= ${count - kept}u) { arena[TO + i - ${count - kept}u] = f32(i & 0xffffu) + arena[FROM]; } }`,
          body: 'elementwise',
          input: [0.5],
          outputs: kept,
          workgroups: Math.ceil(count / 256),
        });
        const expected = Float32Array.from(
          { length: kept },
          (_, i) => ((count - kept + i) & 0xffff) + 0.5,
        );
        assert.deepEqual(result, expected);
      });
    }

    for (const [outer, inner] of [
      [1, 1],
      [33, 7],
      [5, 64],
      [3, 65],
      [9, 256],
      [2, 257],
      [2, 5000],
      [1, 70000],
      [70000, 1],
      [3, 0],
    ]) {
      for (const body of ['reduce_row', 'reduce_column']) {
        if (body === 'reduce_row' && outer === 70000) continue; // slow on a CPU, and 33x7 tells as much
        test(`${body} ${outer}x${inner}`, async () => {
          const input = randoms(outer * inner, 3).map((x) => x + 0.3);
          const result = await overArena(devices[kind], {
            prologue: `alias T = f32;
fn outer() -> u32 { return ${outer}u; }
fn inner() -> u32 { return ${inner}u; }
fn init() -> T { return 0.0; }
fn load(o: u32, r: u32) -> T { return arena[FROM + o * ${inner}u + r]; }
fn combine(a: T, b: T) -> T { return a + b; }
fn finish(o: u32, acc: T) { arena[TO + o] = acc; }`,
            body,
            input,
            outputs: outer,
            workgroups:
              body === 'reduce_row' ? Math.ceil(outer / teamRows(inner)) : Math.ceil(outer / 64),
          });
          const expected = Float64Array.from({ length: outer }, (_, o) =>
            rowOf(input, o, inner).reduce((a, b) => a + b, 0),
          );
          const magnitude = (o) => rowOf(input, o, inner).reduce((a, b) => a + Math.abs(b), 0);
          assertClose(result, expected, 1e-6, magnitude, 'sum');
        });
      }
    }

    test('reduce_row of equal values, where rounding errors do not cancel', async () => {
      const inner = 70000;
      const result = await overArena(devices[kind], {
        prologue: `alias T = f32;
fn outer() -> u32 { return 1u; }
fn inner() -> u32 { return ${inner}u; }
fn init() -> T { return 0.0; }
fn load(o: u32, r: u32) -> T { return arena[FROM]; }
fn combine(a: T, b: T) -> T { return a + b; }
fn finish(o: u32, acc: T) { arena[TO] = acc; }`,
        body: 'reduce_row',
        input: [Math.fround(0.1)],
        outputs: 1,
        workgroups: 1,
      });
      assertClose(result, [Math.fround(0.1) * inner], 1e-6, 0.1 * inner, 'sum');
    });

    test('reduce_row to the first index of the maximum, as vec2', async () => {
      const [outer, inner] = [7, 300];
      const input = randoms(outer * inner, 4).map((x) => Math.round(x * 20));
      const result = await overArena(devices[kind], {
        prologue: `struct Best { value: f32, index: u32 }
alias T = Best;
fn outer() -> u32 { return ${outer}u; }
fn inner() -> u32 { return ${inner}u; }
fn init() -> T { return Best(-3.4e38, 0xffffffffu); }
fn load(o: u32, r: u32) -> T { return Best(arena[FROM + o * ${inner}u + r], r); }
fn combine(a: T, b: T) -> T {
  if (b.value > a.value || (b.value == a.value && b.index < a.index)) { return b; }
  return a;
}
fn finish(o: u32, acc: T) { arena[TO + o] = f32(acc.index); }`,
        body: 'reduce_row',
        input,
        outputs: outer,
        workgroups: outer,
      });
      const expected = Array.from({ length: outer }, (_, o) => {
        const row = rowOf(input, o, inner);
        return row.indexOf(Math.max(...row));
      });
      assert.deepEqual([...result], expected);
    });

    const softmaxPrologue = (rows, cols, log) => `const LOG: bool = ${log};
fn rows() -> u32 { return ${rows}u; }
fn cols() -> u32 { return ${cols}u; }
fn load(r: u32, c: u32) -> f32 { return arena[FROM + r * ${cols}u + c]; }
fn store(r: u32, c: u32, value: f32) { arena[TO + r * ${cols}u + c] = value; }`;

    for (const [rows, cols] of [
      [1, 1],
      [17, 2],
      [16, 64],
      [5, 65],
      [7, 256],
      [2, 257],
      [3, 1024],
      [2, 1025],
      [2, 3000],
      [1, 18710],
    ]) {
      for (const log of [false, true]) {
        test(`${log ? 'log-' : ''}softmax ${rows}x${cols}`, async () => {
          const input = randoms(rows * cols, 5).map((x) => x * 12);
          const result = await overArena(devices[kind], {
            prologue: softmaxPrologue(rows, cols, log),
            body: 'softmax',
            input,
            outputs: rows * cols,
            workgroups: Math.ceil(rows / teamRows(cols)),
          });
          const expected = new Float64Array(rows * cols);
          for (let r = 0; r < rows; r++) {
            const row = rowOf(input, r, cols);
            const top = row.reduce((a, b) => Math.max(a, b));
            const sum = row.reduce((a, b) => a + Math.exp(b - top), 0);
            row.forEach(
              (x, c) =>
                (expected[r * cols + c] = log ? x - top - Math.log(sum) : Math.exp(x - top) / sum),
            );
          }
          assertClose(
            result,
            expected,
            3e-6,
            (i) => Math.abs(expected[i]) + (log ? 1 : 1e-30),
            'softmax',
          );
        });
      }
    }

    // What ONNX Runtime 1.32 answers.
    for (const repeat of [1, 60, 300, 800]) {
      test(`softmax of extreme rows, ${4 * repeat} columns`, async () => {
        const [inf, lowest] = [Infinity, -3.4028234663852886e38];
        const given = [
          [-inf, -inf, -inf, -inf],
          [inf, 1, 2, 3],
          [-inf, 0, -inf, 0],
          [NaN, 0, 1, 2],
          [lowest, lowest, lowest, lowest],
          [lowest, 0, -inf, lowest],
          [3.4e38, -3.4e38, 0, 3.4e38],
        ];
        const nan = [NaN, NaN, NaN, NaN];
        const wanted = [
          nan,
          nan,
          [0, 0.5, 0, 0.5],
          nan,
          [0.25, 0.25, 0.25, 0.25],
          [0, 1, 0, 0],
          [0.5, 0, 0, 0.5],
        ];
        const repeated = (rows) =>
          Float32Array.from(rows.flatMap((row) => Array(repeat).fill(row).flat()));
        const [rows, cols] = [given.length, 4 * repeat];
        const result = await overArena(devices[kind], {
          prologue: softmaxPrologue(rows, cols, false),
          body: 'softmax',
          input: repeated(given),
          outputs: rows * cols,
          workgroups: Math.ceil(rows / teamRows(cols)),
        });
        assertClose(
          result,
          repeated(wanted).map((x) => x / repeat),
          1e-6,
          1 / repeat,
          'softmax',
        );
      });
    }

    for (const [rows, cols] of [
      [1, 1],
      [33, 5],
      [18, 64],
      [5, 200],
      [3, 384],
      [2, 1024],
      [2, 1025],
      [1, 18710],
    ]) {
      for (const center of [true, false]) {
        test(`normalize ${rows}x${cols}${center ? ' about the mean' : ''}`, async () => {
          const input = randoms(rows * cols, 6).map((x) => x + 100);
          const epsilon = 1e-5;
          const result = await overArena(devices[kind], {
            prologue: `const CENTER: bool = ${center};
fn rows() -> u32 { return ${rows}u; }
fn cols() -> u32 { return ${cols}u; }
fn epsilon() -> f32 { return ${epsilon}; }
fn load(r: u32, c: u32) -> f32 { return arena[FROM + r * ${cols}u + c]; }
fn store(r: u32, c: u32, value: f32) { arena[TO + r * ${cols}u + c] = value; }
fn store_statistics(r: u32, mean: f32, inverse_deviation: f32) {
  arena[TO + ${rows * cols}u + 2u * r] = mean;
  arena[TO + ${rows * cols}u + 2u * r + 1u] = inverse_deviation;
}`,
            body: 'normalize',
            input,
            outputs: rows * cols + 2 * rows,
            workgroups: Math.ceil(rows / teamRows(cols)),
          });
          const expected = new Float64Array(rows * cols + 2 * rows);
          for (let r = 0; r < rows; r++) {
            const row = rowOf(input, r, cols);
            const mean = center ? row.reduce((a, b) => a + b, 0) / cols : 0;
            const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / cols;
            const inverse = 1 / Math.sqrt(variance + epsilon);
            row.forEach((x, c) => (expected[r * cols + c] = (x - mean) * inverse));
            expected[rows * cols + 2 * r] = mean;
            expected[rows * cols + 2 * r + 1] = inverse;
          }
          // Rounding 100 to f32 leaves 8e-6, which inverse_deviation magnifies.
          const scale = center ? 100 * (cols === 1 ? 320 : 2) : 1;
          assertClose(
            result.subarray(0, rows * cols),
            expected.subarray(0, rows * cols),
            3e-7,
            scale,
            'normalized',
          );
          assertClose(
            result.subarray(rows * cols),
            expected.subarray(rows * cols),
            1e-6,
            (i) => 3 + Math.abs(expected[rows * cols + i]),
            'statistics',
          );
        });
      }
    }
  });
}
