// Work is submitted in pieces, and the width of a tensor's elements.
import assert from 'node:assert/strict';
import test from 'node:test';
import { deviceTest, f32, internals, makeModule, mapKernel, planBuilder } from './support.mjs';

const { piecesOf } = await internals('encode.ts');

test('dispatches are cut into at most four pieces, a short list into fewer', () => {
  for (const [count, lengths] of [
    [0, [0]],
    [1, [1]],
    [13, [13]],
    [14, [7, 7]],
    [38, [13, 12, 13]],
    [1000, [250, 250, 250, 250]],
  ]) {
    const all = Array.from({ length: count }, (_, i) => i);
    const pieces = piecesOf(all);
    assert.deepEqual(pieces.flat(), all);
    assert.deepEqual(
      pieces.map((piece) => piece.length),
      lengths,
      `${count}`,
    );
  }
});

/** `steps` steps, each of which adds 1. */
function chainPlan(steps) {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const pipeline = b.pipeline('ptt', mapKernel('y[i] = x[i] + 1.0;'));
  let last = b.tensor('n', -1, 0);
  b.input('x', 'float32', ['n'], last);
  for (let i = 0; i < steps; ++i) {
    const next = b.tensor('n', i, i + 1);
    const workgroups = ['//', ['+', 'n', 63], 64];
    b.step(`add ${i}`, ['n', 0], [{ tensor: last }, { tensor: next }], [{ pipeline, workgroups }]);
    last = next;
  }
  b.output('y', 'float32', ['n'], { tensor: last });
  return b.plan;
}

deviceTest('a run of many dispatches is submitted in four pieces', async ({ device, log }) => {
  const { load } = await makeModule(chainPlan(50));
  const model = await load({ device, internal: { poison: true } });
  for (let i = 0; i < 3; ++i) {
    const { submits } = log;
    const runs = [1, 2].map((value) => model.run({ x: f32(value, i) }));
    const [one, two] = await Promise.all(runs);
    assert.deepEqual(one.y.data, Float32Array.of(51, 50 + i));
    assert.deepEqual(two.y.data, Float32Array.of(52, 50 + i));
    assert.equal(log.submits - submits, 8);
  }
});

/** y = x, both in elements of `width` bytes, of which a word holds several; or which are several words. */
function widePlan(dtype, width) {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const x = b.tensor('n', -1, 0, { width });
  const y = b.tensor('n', 0, 1, { width });
  b.input('x', dtype, ['n'], x);
  b.output('y', dtype, ['n'], { tensor: y });
  const words = ['//', ['+', ['*', 'n', width], 3], 4];
  b.step(
    'copy',
    [words, 0],
    [{ tensor: x }, { tensor: y }],
    [
      {
        pipeline: b.pipeline('ptt', mapKernel('y[i] = x[i];', 'u32')),
        workgroups: ['//', ['+', words, 63], 64],
      },
    ],
  );
  return b.plan;
}

deviceTest('elements are as wide as the plan says', async ({ device }) => {
  for (const [dtype, width, data] of [
    ['float16', 2, Uint16Array.of(0x3c00, 0xc001, 0x7e00)],
    ['int8', 1, Int8Array.of(-1, 2, -128, 127, 5)],
    ['uint8', 1, Uint8Array.of(255)],
    ['bool', 1, Uint8Array.of(1, 0, 1)],
    ['int64', 8, BigInt64Array.of(-(2n ** 60n), 2n ** 40n, 5n)],
    ['float64', 8, Float64Array.of(Math.PI)],
  ]) {
    const { load } = await makeModule(widePlan(dtype, width));
    const model = await load({ device, internal: { poison: true } });
    const dims = [data.length];
    const { y } = await model.run({ x: { data, dims } }, { keep: ['y'] });
    assert.deepEqual((await y.read()).data, data, dtype);
    const target = new data.constructor(data.length);
    const out = await model.run({ x: y }, { into: { y: target } });
    assert.deepEqual(out.y.data, data);
    const both = { ...widePlan(dtype, width) };
    both.outputs.push({ ...both.outputs[0], name: 'given', tensor: 0 });
    const copying = await (await makeModule(both)).load({ device, internal: { poison: true } });
    const { given } = await copying.run({ x: y }, { keep: ['given'] });
    assert.deepEqual((await given.read()).data, data, `${dtype}, copied`);
    const plain = device.createBuffer({ size: y.buffer.size, usage: 0x4 | 0x8 });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(y.buffer, 0, plain, 0, 4 * Math.ceil((width * data.length) / 4));
    device.queue.submit([encoder.finish()]);
    assert.deepEqual((await model.run({ x: { buffer: plain, dims } })).y.data, data);
  }
  const { load } = await makeModule(widePlan('int64', 8));
  const model = await load({ device });
  const { y } = await model.run({ x: { data: Int32Array.of(-7), dims: [1] } });
  assert.deepEqual(y.data, BigInt64Array.of(-7n));
});
