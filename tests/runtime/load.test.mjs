import assert from 'node:assert/strict';
import test from 'node:test';
import {
  deviceTest,
  f32,
  makeDevice,
  makeModule,
  mapPlan,
  observe,
  planBuilder,
  rejects,
  settle,
} from './support.mjs';
import { checkModel, content, plan } from './weight_plan.mjs';

deviceTest(
  'a kernel that does not compile is named, with the messages',
  async ({ device, log }) => {
    const { load } = await makeModule(mapPlan('y[i] = undefined_name;'));
    await rejects(
      load({ device }),
      'compile',
      /^the kernel of the step "map" does not compile on this device: line 11:\d+: .*undefined_name/,
    );
    const second = await makeModule({ ...plan, pieces: ['nonsense'] }, [content]);
    await rejects(second.load({ device }), 'compile');
    await settle();
    assert.equal(log.buffersDestroyed, log.buffersMade, 'weights are freed');
  },
);

deviceTest(
  'a kernel with more buffers than the device has is named, with the limit',
  async ({ device }) => {
    const b = planBuilder();
    const declarations = Array.from(
      { length: 9 },
      (_, i) => `@group(0) @binding(${i + 1}) var<storage, read_write> b${i}: array<f32>;`,
    );
    const tensors = declarations.map(() => b.tensor(1, 0, 1));
    b.output('y', 'float32', [1], { tensor: tensors[0] });
    const sum = tensors.map((_, i) => `b${i}[0]`).join(' + ');
    const kernel = `${declarations.join('\n')}
@compute @workgroup_size(1) fn main() { b0[0] = ${sum}; }`;
    b.step(
      'nine',
      [],
      tensors.map((tensor) => ({ tensor })),
      [{ pipeline: b.pipeline('ttttttttt', kernel), workgroups: 1 }],
    );
    const { load } = await makeModule(b.plan);
    await rejects(
      load({ device }),
      'compile',
      /^the kernel of the step "nine" does not compile on this device: .*storage buffers.* exceeds the maximum per-stage limit \(8\)/,
    );
  },
  ['plain'],
);

deviceTest('a step that the device can run in no form is an error of load', async ({ device }) => {
  const bad = mapPlan();
  bad.steps[0].forms[0].features = ['no-such-feature'];
  const { load } = await makeModule(bad);
  await rejects(
    load({ device }),
    'limits',
    'this device cannot run the step "map": it lacks {"features":["no-such-feature"],"limits":{}}',
  );
});

test('load without a device finds WebGPU by itself, and destroys what it made', async () => {
  const { load } = await makeModule(plan, [content]);
  const model = await load();
  const log = observe(model.device);
  await checkModel(model);
  assert.ok(model.device.limits.maxBufferSize > 268435456, 'limits are raised');
  assert.ok(model.device.features.has('subgroups'));
  model.dispose();
  assert.equal(log.destroyed, 1);
  assert.equal((await model.device.lost).reason, 'destroyed');
  assert.deepEqual(log.errors, []);
});

test('without WebGPU, or without a GPU, load says so', async () => {
  const { load } = await makeModule(mapPlan());
  const original = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  const set = (gpu) =>
    Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { gpu } });
  try {
    set({ requestAdapter: async () => null });
    await rejects(load(), 'no-adapter', /requestAdapter gave null/);
    set({
      requestAdapter: async () => ({
        features: new Set(),
        limits: {},
        requestDevice: () => Promise.reject(new Error('busy')),
      }),
    });
    await rejects(load(), 'no-device', 'the GPU refused a device: busy');
    set(undefined);
    const versions = Object.getOwnPropertyDescriptor(process, 'versions');
    Object.defineProperty(process, 'versions', { configurable: true, value: {} });
    try {
      await rejects(
        load(),
        'no-webgpu',
        /^this browser or context has no WebGPU \(no navigator\.gpu\)/,
      );
    } finally {
      Object.defineProperty(process, 'versions', versions);
    }
  } finally {
    if (original) Object.defineProperty(globalThis, 'navigator', original);
    else delete globalThis.navigator;
  }
});

deviceTest('two models load on one device at the same time', async ({ device }) => {
  const module = await makeModule(plan, [content]);
  const models = await Promise.all([module.load({ device }), module.load({ device })]);
  await Promise.all(models.map((model) => checkModel(model)));
  models[0].dispose();
  await checkModel(models[1]);
});

test('a device that is lost while loading ends the loading', async () => {
  const device = await makeDevice();
  const { load } = await makeModule(plan, [content]);
  const loading = load({ device, weights: () => new Promise(() => {}) });
  setTimeout(() => device.destroy(), 20);
  await rejects(loading, 'device-lost', /^the GPU device was lost \(destroyed\): /);
  await rejects(load({ device }), 'device-lost');
});
