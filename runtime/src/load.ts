import { acquireDevice, lossError, lossOr } from './device.js';
import { createEngine, disposeEngine, type Engine } from './engine.js';
import { SubbyteError, throwIfAborted, whenAborted } from './errors.js';
import { checkOptions, type Known } from './options.js';
import { runOnce } from './once.js';
import { createPipelines, type Pipelines } from './pipelines.js';
import type { Plan } from './plan.js';
import { run, type Outputs } from './run.js';
import type { LoadOptions, RunOptions, TensorInfo } from './types.js';
import { checkWarm, compileRest, likelyPipelines, likelySymbols } from './warm.js';
import { loadWeights, type Weights } from './weights.js';

const OPTIONS: Known = {
  device: ['createComputePipelineAsync', 'a GPUDevice'],
  onProgress: ['function', 'a function'],
  signal: ['addEventListener', 'an AbortSignal'],
  weights: undefined,
  requestInit: ['object', 'an object'],
  warm: undefined,
  cache: ['boolean', 'true or false'],
  internal: undefined,
};

export interface Model {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** The device the model runs on: to make buffers for inputs that are on the GPU. */
  readonly device: GPUDevice;
  /** Resolves when the device is lost, but not through dispose(). */
  readonly lost: Promise<GPUDeviceLostInfo>;
  run(inputs: Record<string, unknown>, options?: RunOptions): Promise<Outputs>;
  dispose(): void;
}

function infoOf(list: readonly TensorInfo[]): readonly TensorInfo[] {
  return Object.freeze(
    list.map(({ name, dtype, dims }) =>
      Object.freeze({ name, dtype, dims: Object.freeze([...dims]) }),
    ),
  );
}

function modelOf(engine: Engine): Model {
  const { gpu } = engine.device;
  const model: Model = {
    inputs: infoOf(engine.plan.inputs),
    outputs: infoOf(engine.plan.outputs),
    device: gpu,
    lost: new Promise((resolve) => {
      void gpu.lost.then((info) => {
        if (!engine.disposed) resolve(info);
      });
    }),
    run: (inputs, options) => run(engine, inputs, options),
    dispose: () => disposeEngine(engine),
  };
  if (Symbol.dispose) Object.defineProperty(model, Symbol.dispose, { value: model.dispose });
  return model;
}

/** Progress in two phases one after the other, though weights and pipelines are made at the same time. */
function progressReports(plan: Plan, report: LoadOptions['onProgress']) {
  const total = plan.files.reduce((sum, { bytes }) => sum + bytes, 0);
  let stopped = false;
  let downloaded = 0;
  let compiled: { loaded: number; total: number } | undefined;
  const reportCompiled = (): void => {
    if (!stopped && downloaded >= total && compiled) report?.({ phase: 'compile', ...compiled });
  };
  return {
    start: () => report?.({ phase: 'download', loaded: 0, total }),
    stop(): void {
      stopped = true;
    },
    downloaded(bytes: number): void {
      downloaded += bytes;
      if (stopped) return;
      report?.({ phase: 'download', loaded: downloaded, total });
      if (downloaded >= total) reportCompiled();
    },
    compiled(loaded: number, ofTotal: number): void {
      compiled = { loaded, total: ofTotal };
      reportCompiled();
    },
  };
}

/** Compiles what the first run is likely to use. */
async function compileLikely(
  plan: Plan,
  pipelines: Pipelines,
  symbols: readonly number[],
  onProgress: (loaded: number, total: number) => void,
): Promise<void> {
  const used = likelyPipelines(plan, pipelines, symbols);
  let loaded = 0;
  const compile = async (index: number): Promise<void> => {
    await pipelines.need(index);
    onProgress(++loaded, used.length);
  };
  await Promise.all(used.map(compile));
}

/** The `load` of a module: its plan, where its files are by default, and the files themselves where it carries them. */
export function loader(
  plan: Plan,
  urls: readonly (() => URL | string)[],
  inline?: readonly string[],
): (options?: LoadOptions) => Promise<Model> {
  return async (options = {}) => {
    checkOptions('load', options, OPTIONS);
    const { signal, internal = {} } = options;
    throwIfAborted(signal);
    const symbols = likelySymbols(plan, checkWarm(plan, options.warm));
    const progress = progressReports(plan, options.onProgress);
    const device = await acquireDevice(plan, options.device, internal, signal);
    const { gpu } = device;
    const controller = new AbortController();
    const forward = (): void => controller.abort(signal!.reason);
    signal?.addEventListener('abort', forward);
    let settled = false;
    let loading: Promise<Weights> | undefined;
    let engine: Engine | undefined;
    void gpu.lost.then((info) => {
      if (!settled) controller.abort(lossError(info));
    });
    try {
      throwIfAborted(signal);
      progress.start();
      const stop = controller.signal;
      loading = loadWeights(plan, device, options, urls, inline, stop, progress.downloaded);
      const pipelines = createPipelines(plan, device);
      const compiling = compileLikely(plan, pipelines, symbols, progress.compiled);
      // What is compiling cannot be stopped; nobody waits for it then.
      const all = Promise.all([loading, compiling]);
      const [weights] = await Promise.race([all, whenAborted(stop)]);
      throwIfAborted(stop);
      engine = createEngine(plan, device, pipelines, weights, internal);
      await Promise.race([runOnce(engine), whenAborted(stop)]);
      throwIfAborted(stop);
      void compileRest(engine);
      return modelOf(engine);
    } catch (error) {
      progress.stop();
      controller.abort(error);
      loading?.then(
        ({ buffers }) => buffers.forEach((buffer) => buffer.destroy()),
        () => {},
      );
      const reason = error instanceof SubbyteError ? error : await lossOr(gpu, error);
      if (engine) disposeEngine(engine);
      if (device.owned) gpu.destroy();
      throw reason;
    } finally {
      settled = true;
      signal?.removeEventListener('abort', forward);
    }
  };
}
