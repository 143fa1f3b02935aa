// Counts what a module asks of a GPUDevice, and keeps the shaders that it was given. Works in a page and in Node.

const memory = ['createBuffer', 'createBindGroup'];
// Pipelines are also made behind the runs, of what no run has asked for yet.
const creations = [
  ...memory,
  'createBindGroupLayout',
  'createPipelineLayout',
  'createShaderModule',
  'createComputePipeline',
  'createComputePipelineAsync',
];

/** Puts counters before the methods of `device`. Returns the live counts; `take()` reads and resets them. */
export function instrument(device) {
  const counts = {
    created: 0,
    memory: 0,
    submits: 0,
    dispatches: 0,
    passes: 0,
    writes: 0,
    copies: 0,
  };
  const shaders = new Set();
  const errors = [];

  for (const name of creations) {
    wrap(device, name, (call, argument) => {
      counts.created++;
      if (memory.includes(name)) counts.memory++;
      if (name === 'createShaderModule') shaders.add(argument.code);
      return call();
    });
  }
  const queue = device.queue;
  wrap(queue, 'submit', (call) => (counts.submits++, call()));
  wrap(queue, 'writeBuffer', (call) => (counts.writes++, call()));
  wrap(device, 'createCommandEncoder', (call) => {
    const encoder = call();
    wrap(encoder, 'copyBufferToBuffer', (copy) => (counts.copies++, copy()));
    wrap(encoder, 'beginComputePass', (begin) => {
      counts.passes++;
      const pass = begin();
      wrap(pass, 'dispatchWorkgroups', (dispatch) => (counts.dispatches++, dispatch()));
      wrap(pass, 'dispatchWorkgroupsIndirect', (dispatch) => (counts.dispatches++, dispatch()));
      return pass;
    });
    return encoder;
  });
  // The device's own queue object must be the one that was wrapped, wherever it is asked for.
  Object.defineProperty(device, 'queue', { value: queue });
  device.addEventListener('uncapturederror', (event) => errors.push(String(event.error?.message)));

  return {
    shaders,
    errors,
    take() {
      const taken = { ...counts };
      for (const key of Object.keys(counts)) counts[key] = 0;
      return taken;
    },
  };
}

function wrap(object, name, around) {
  const original = object[name];
  if (typeof original !== 'function') return;
  Object.defineProperty(object, name, {
    configurable: true,
    value: (...parameters) => around(() => original.apply(object, parameters), ...parameters),
  });
}
