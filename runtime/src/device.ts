import { SubbyteError, messageOf, throwIfAborted } from './errors.js';
import { external, inNode } from './node.js';
import type { Plan } from './plan.js';
import type { InternalOptions } from './types.js';

/** The device, and what of it the runtime and the plan's forms ask for. */
export interface Device {
  gpu: GPUDevice;
  /** Made here, so destroyed with the model. */
  owned: boolean;
  /** Device features and WGSL language features. */
  features: ReadonlySet<string>;
  /** A limit, or a number of the adapter's info such as subgroupMinSize; 0 where it is unknown. */
  limit(name: string): number;
}

/** Limits that kernels, and the buffers which they bind, may come near to. */
const RAISED_LIMITS = /^max(Buffer|StorageBuffer|Compute)/;

function navigatorGpu(): GPU | undefined {
  return (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
}

// Kept for the life of the process, as navigator.gpu is.
let nodeGpu: Promise<GPU> | undefined;

async function findGpu(): Promise<GPU> {
  const gpu = navigatorGpu();
  if (gpu) return gpu;
  if (inNode()) {
    nodeGpu ??= external('webgpu').then((dawn) => dawn.create([]) as GPU);
    try {
      return await nodeGpu;
    } catch (error) {
      nodeGpu = undefined;
      throw new SubbyteError(
        'no-webgpu',
        `Node has no WebGPU and the npm package "webgpu" cannot be loaded (${messageOf(error)}): install it, or pass a device to load()`,
        error,
      );
    }
  }
  throw new SubbyteError(
    'no-webgpu',
    'this browser or context has no WebGPU (no navigator.gpu): use a current browser and a secure page (https or localhost), or pass a device to load()',
  );
}

/** Every feature that any form of the plan names. */
export function featuresOf(plan: Plan): Set<string> {
  return new Set(
    plan.steps.flatMap(({ device, forms }) =>
      [device, ...forms].flatMap((needs) => needs?.features ?? []),
    ),
  );
}

async function requestDevice(adapter: GPUAdapter, plan: Plan): Promise<GPUDevice> {
  const wanted = featuresOf(plan).add('shader-f16').add('subgroups');
  const requiredFeatures = [...wanted].filter((feature) =>
    (adapter.features as ReadonlySet<string>).has(feature),
  ) as GPUFeatureName[];
  const adapterLimits = adapter.limits as unknown as Record<string, number>;
  const requiredLimits: Record<string, number> = {};
  // Each is an accessor of the prototype.
  for (const name in adapterLimits) {
    if (RAISED_LIMITS.test(name)) requiredLimits[name] = adapterLimits[name]!;
  }
  try {
    return await adapter.requestDevice({ label: 'subbyte', requiredFeatures, requiredLimits });
  } catch (error) {
    throw new SubbyteError('no-device', `the GPU refused a device: ${messageOf(error)}`, error);
  }
}

/** The device to run on: the one given, used as it is, or a new one with all that the plan can make use of. */
export async function acquireDevice(
  plan: Plan,
  given: GPUDevice | undefined,
  internal: InternalOptions,
  signal: AbortSignal | undefined,
): Promise<Device> {
  let device = given;
  let language: Iterable<string> = navigatorGpu()?.wgslLanguageFeatures ?? [];
  if (!device) {
    const gpu = await findGpu();
    language = gpu.wgslLanguageFeatures ?? [];
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) {
      throw new SubbyteError(
        'no-adapter',
        'WebGPU offers no GPU (requestAdapter gave null): hardware acceleration is off, or the driver is blocked',
      );
    }
    throwIfAborted(signal);
    device = await requestDevice(adapter, plan);
  }
  const limits = device.limits as unknown as Record<string, number | undefined>;
  const info = device.adapterInfo as unknown as Record<string, number | undefined> | undefined;
  return {
    gpu: device,
    owned: !given,
    features: new Set([...(device.features as ReadonlySet<string>), ...language]),
    limit: (name) =>
      Math.min(limits[name] ?? info?.[name] ?? 0, internal.limits?.[name] ?? Infinity),
  };
}

/** How long a failed operation waits for the device to say that it is lost. */
const LOSS_NOTICE_MS = 200;

export function lossError(info: GPUDeviceLostInfo): SubbyteError {
  return new SubbyteError(
    'device-lost',
    `the GPU device was lost (${info.reason || 'unknown'}): ${info.message || 'no reason given'}; load the model again`,
  );
}

/** That the device is lost, where it is (an operation may fail before the loss is announced); else the error itself. */
export async function lossOr(gpu: GPUDevice, error: unknown): Promise<unknown> {
  const info = await Promise.race([
    gpu.lost,
    new Promise<undefined>((resolve) => setTimeout(resolve, LOSS_NOTICE_MS)),
  ]);
  return info ? lossError(info) : error;
}
