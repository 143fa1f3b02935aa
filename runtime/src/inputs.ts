import { checkData, integerAt, typeName, type Data } from './dtype.js';
import { SubbyteError, isObject, quoted } from './errors.js';
import { evaluate, valueAt } from './expr.js';
import { copyBytes } from './gpu.js';
import { isCounted, portWidth, type InputSymbol, type Plan, type PlanInput } from './plan.js';
import { isDisposed } from './tensor.js';

/** A dimension beyond it is refused: kernels count in 32 bits (kMostElements of the compiler). */
const MOST_ELEMENTS = 2 ** 30 - 1;

/** What a symbol without a bound counts as until it is known. */
const UNBOUNDED = 1;

/** An input that has been checked by itself; its dims are not yet compared with the others'. */
export interface Given {
  spec: PlanInput;
  dims: number[];
  /** Values: the product of the dims. */
  count: number;
  /** Bytes of a value on the GPU. */
  width: number;
  data?: Data;
  gpu?: { buffer: GPUBuffer; offset: number };
}

export function labelOf(spec: { name: string }): string {
  return `input ${quoted(spec.name)}`;
}

export function productOf(dims: readonly number[]): number {
  return dims.reduce((a, b) => a * b, 1);
}

function show(dims: readonly (number | string)[]): string {
  return `[${dims.join(', ')}]`;
}

function checkDims(spec: PlanInput, dims: unknown): number[] {
  const list =
    Array.isArray(dims) || ArrayBuffer.isView(dims)
      ? Array.from(dims as ArrayLike<unknown>)
      : undefined;
  if (!list?.every((dim) => Number.isSafeInteger(dim) && (dim as number) >= 0)) {
    throw new SubbyteError(
      'bad-shape',
      `${labelOf(spec)}: dims must be an array of whole numbers, such as ${show(spec.dims)}, not ${list ? show(list as number[]) : typeName(dims)}`,
    );
  }
  if (list.length !== spec.dims.length) {
    throw new SubbyteError(
      'bad-shape',
      `${labelOf(spec)} has ${list.length} dimensions, ${show(list as number[])}, but the model takes ${spec.dims.length}: ${show(spec.dims)}`,
    );
  }
  const large = list.findIndex((dim) => (dim as number) > MOST_ELEMENTS);
  if (large >= 0) {
    throw new SubbyteError(
      'bad-shape',
      `${labelOf(spec)}: dimension ${large} is ${String(list[large])}; no tensor has more than ${MOST_ELEMENTS} values`,
    );
  }
  return list as number[];
}

/** Whether 64-bit integers are all 32-bit ones within a range. Comparing a bigint with a number takes many times as long. */
function wordsAreWithin(data: Data, least: number, most: number): boolean {
  const words = new Int32Array(data.buffer, data.byteOffset, data.length * 2);
  return words.every((word, i) =>
    i % 2 === 0 ? word >= least && word <= most : word === words[i - 1]! >> 31,
  );
}

/** What a table that is looked up, or a proof that integers stay within 32 bits, takes of an input. */
function checkRange(spec: PlanInput, data: Data): void {
  if (!spec.range) return;
  const [least, most] = spec.range;
  if (typeof data[0] === 'bigint' && wordsAreWithin(data, least, most)) return;
  for (let i = 0; i < data.length; ++i) {
    const value = data[i]!;
    if (value >= least && value <= most) continue;
    throw new SubbyteError(
      'out-of-range',
      `${labelOf(spec)}: value ${value} at index ${i} is not within ${least} to ${most}`,
    );
  }
}

/** GPUBufferUsage.COPY_SRC, and what a copy needs of offset and size. */
function checkBuffer(
  spec: PlanInput,
  given: Record<string, unknown>,
  count: number,
  width: number,
): Given['gpu'] {
  const buffer = given.buffer as GPUBuffer;
  const offset = given.offset ?? 0;
  if (typeof buffer?.mapAsync !== 'function') {
    throw new SubbyteError(
      'bad-input',
      `${labelOf(spec)}: buffer must be a GPUBuffer, not ${typeName(given.buffer)}`,
    );
  }
  if (isDisposed(given)) {
    throw new SubbyteError('disposed', `${labelOf(spec)} is a tensor that has been disposed of`);
  }
  if (given.dtype !== undefined && given.dtype !== spec.dtype) {
    throw new SubbyteError(
      'bad-dtype',
      `${labelOf(spec)} is ${spec.dtype}, but the tensor given is ${String(given.dtype)}`,
    );
  }
  if (!Number.isSafeInteger(offset) || (offset as number) < 0 || (offset as number) % 4 !== 0) {
    throw new SubbyteError(
      'bad-input',
      `${labelOf(spec)}: offset must be a multiple of 4, not ${String(offset)}`,
    );
  }
  if ((offset as number) + copyBytes(width * count) > buffer.size) {
    throw new SubbyteError(
      'bad-shape',
      `${labelOf(spec)}: ${count} values of ${width} bytes from byte ${offset} on do not fit its ${buffer.size} bytes`,
    );
  }
  if ((buffer.usage & 0x4) === 0) {
    throw new SubbyteError(
      'bad-input',
      `${labelOf(spec)}: the buffer must be created with GPUBufferUsage.COPY_SRC`,
    );
  }
  return { buffer, offset: offset as number };
}

function checkInput(spec: PlanInput, value: unknown, width: number): Given {
  if (!isObject(value) || ArrayBuffer.isView(value)) {
    throw new SubbyteError(
      'bad-input',
      `${labelOf(spec)} must be { data, dims } or { buffer, offset, dims, dtype }, not ${typeName(value)}`,
    );
  }
  const given: Record<string, unknown> = value;
  const gpu = given.buffer !== undefined;
  const data = gpu ? undefined : checkData(spec.dtype, given.data, labelOf(spec));
  const dims = checkDims(spec, given.dims);
  const count = productOf(dims);
  if (gpu) return { spec, dims, count, width, gpu: checkBuffer(spec, given, count, width)! };
  if (data!.length !== count) {
    throw new SubbyteError(
      'bad-shape',
      `${labelOf(spec)}: dims ${show(dims)} are ${count} values, but data has ${data!.length}`,
    );
  }
  checkRange(spec, data!);
  return { spec, dims, count, width, data: data! };
}

/** Checks names, types, ranks and lengths of everything that `run` was given, in the order of the model's inputs. */
export function checkInputs(plan: Plan, inputs: unknown): Given[] {
  if (!isObject(inputs)) {
    throw new SubbyteError(
      'bad-input',
      `run() takes an object with an entry for each input, not ${typeName(inputs)}`,
    );
  }
  const list = (): string => plan.inputs.map(({ name }) => quoted(name)).join(', ') || 'none';
  for (const name of Object.keys(inputs)) {
    if (plan.inputs.some((spec) => spec.name === name)) continue;
    throw new SubbyteError('bad-input', `the model has no input ${quoted(name)}: it has ${list()}`);
  }
  return plan.inputs.map((spec) => {
    const value = Object.hasOwn(inputs, spec.name) ? inputs[spec.name] : undefined;
    if (value === undefined) {
      throw new SubbyteError(
        'bad-input',
        `${labelOf(spec)} (${spec.dtype} ${show(spec.dims)}) is missing: the model's inputs are ${list()}`,
      );
    }
    return checkInput(spec, value, portWidth(plan, spec));
  });
}

function boundByInput({ input, axis, element }: InputSymbol, given: readonly Given[]): number {
  const { dims, data, spec } = given[input]!;
  if (axis !== undefined) return dims[axis]!;
  const label = labelOf(spec);
  if (!data) {
    throw new SubbyteError(
      'bad-input',
      `${label} decides sizes, so it must be data and not a GPUBuffer`,
    );
  }
  if (element! >= data.length) {
    throw new SubbyteError(
      'bad-shape',
      `${label} must have more than ${element} values, but has ${data.length}`,
    );
  }
  return integerAt(data, element!, label);
}

/**
 * The value of each symbol of the plan, from the dims or the values of the inputs. Of what the run counts, the most that they
 * may be.
 */
export function bindSymbols(plan: Plan, given: readonly Given[]): number[] {
  return withCounted(plan, new Map(), (symbol) => boundByInput(symbol, given));
}

/** The same when some have been counted; `bound` are all symbols as they were before. */
export function bindCounted(
  plan: Plan,
  bound: readonly number[],
  counted: ReadonlyMap<number, number>,
): number[] {
  return withCounted(plan, counted, (_, s) => bound[s]!);
}

function withCounted(
  plan: Plan,
  counted: ReadonlyMap<number, number>,
  ofInput: (symbol: InputSymbol, index: number) => number,
): number[] {
  const symbols: number[] = [];
  plan.symbols.forEach((symbol, s) => {
    if (!isCounted(symbol)) {
      symbols.push(ofInput(symbol, s));
    } else if (symbol.most === undefined) {
      symbols.push(counted.get(s) ?? UNBOUNDED);
    } else {
      const values = evaluate(plan.exprs, symbols);
      const most = valueAt(values, symbol.most, `the largest ${symbol.name}`);
      symbols.push(Math.min(counted.get(s) ?? most, most));
    }
  });
  return symbols;
}

/** Compares all dims with the shapes that the symbols give. */
export function checkShapes(
  plan: Plan,
  given: readonly Given[],
  shapes: readonly number[][],
  symbols: readonly number[],
): void {
  given.forEach(({ spec, dims }, i) => {
    const shape = shapes[i]!;
    const axis = dims.findIndex((dim, a) => dim !== shape[a]);
    if (axis < 0) return;
    const named = plan.symbols.map(({ name }, s) => `${name} = ${symbols[s]}`).join(', ');
    const where = typeof spec.dims[axis] === 'string' && named ? `, where ${named}` : '';
    throw new SubbyteError(
      'bad-shape',
      `${labelOf(spec)} has dims ${show(dims)}, but the model takes ${show(spec.dims)}${where}: dimension ${axis} must be ${shape[axis]}, not ${dims[axis]}`,
    );
  });
}
