import { SubbyteError } from './errors.js';
import { roundUp } from './gpu.js';
import { floatToHalf, halfToFloat } from './half.js';
import { WORD, type DType } from './plan.js';

/** Tensor data as a user hands it in or gets it back. */
export type Data =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigInt64Array
  | BigUint64Array;

type DataType = {
  readonly name: string;
  new (data: ArrayBuffer | ArrayLike<number> | ArrayLike<bigint>): Data;
  new (buffer: ArrayBuffer, offset: number, length: number): Data;
  BYTES_PER_ELEMENT: number;
};
type WordType = Float32ArrayConstructor | Int32ArrayConstructor | Uint32ArrayConstructor;

/**
 * For each dtype the typed array that outputs have (half bits as Uint16Array, bool as bytes), that of the words that the GPU
 * computes with, and the name of another that inputs may have, as it names itself (also across realms).
 */
export const TYPES: Record<DType, readonly [DataType, WordType, string?]> = {
  float32: [Float32Array, Float32Array],
  float16: [Uint16Array, Float32Array, 'Float16Array'],
  bfloat16: [Uint16Array, Float32Array],
  float64: [Float64Array, Float32Array],
  int64: [BigInt64Array, Int32Array, 'Int32Array'],
  int32: [Int32Array, Int32Array],
  int16: [Int16Array, Int32Array],
  int8: [Int8Array, Int32Array],
  uint64: [BigUint64Array, Uint32Array, 'Uint32Array'],
  uint32: [Uint32Array, Uint32Array],
  uint16: [Uint16Array, Uint32Array],
  uint8: [Uint8Array, Uint32Array, 'Uint8ClampedArray'],
  bool: [Uint8Array, Uint32Array, 'Int8Array'],
};

/** The name of a typed array's type, or of anything else for a message. */
export function typeName(value: unknown): string {
  const name = Object.prototype.toString.call(value).slice(8, -1);
  return name === 'Object' || name === 'Null' || name === 'Undefined' ? name.toLowerCase() : name;
}

/** Checks that `data` is a typed array that `dtype` takes, and returns it with Float16Array seen as half bits. */
export function checkData(dtype: DType, data: unknown, label: string): Data {
  const [given, , other] = TYPES[dtype];
  const name = typeName(data);
  if (name !== given.name && name !== other) {
    throw new SubbyteError(
      'bad-dtype',
      `${label} is ${dtype}: its data must be ${given.name}${other ? ` or ${other}` : ''}, not ${name}`,
    );
  }
  if (name !== 'Float16Array') return data as Data;
  const half = data as Uint16Array;
  return new Uint16Array(half.buffer, half.byteOffset, half.length);
}

/** Checks that `array` is of the type that outputs of this dtype have. */
export function checkTarget(dtype: DType, array: unknown, label: string): Data {
  const wanted = TYPES[dtype][0].name;
  const name = typeName(array);
  if (name === wanted) return array as Data;
  throw new SubbyteError(
    'bad-dtype',
    `${label} is ${dtype}: its array must be a ${wanted}, not ${name}`,
  );
}

function doesNotFit(label: string, index: number, value: bigint | number, range: string): never {
  throw new SubbyteError(
    'out-of-range',
    `${label}: value ${value} at index ${index} does not fit the 32 bits of the GPU (${range})`,
  );
}

/** The low words of 64-bit integers, each of which must be the whole value. */
function narrow(data: BigInt64Array | BigUint64Array, signed: boolean, label: string): Int32Array {
  const pairs = new Int32Array(data.buffer, data.byteOffset, data.length * 2);
  return new Int32Array(data.length).map((_, i) => {
    const low = pairs[2 * i]!;
    if (pairs[2 * i + 1] !== (signed ? low >> 31 : 0)) {
      doesNotFit(label, i, data[i]!, signed ? '-2147483648 to 2147483647' : '0 to 4294967295');
    }
    return low;
  });
}

/** Round to nearest even; NaN stays NaN. */
function toBfloat16(words: Uint32Array): Uint16Array {
  const round = (bits: number): number =>
    (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  return new Uint16Array(words.map(round));
}

/** Whether elements of `width` bytes are the dtype's own, and not 32-bit words. */
function isOwnWidth(dtype: DType, width: number): boolean {
  if (width === WORD) return false;
  if (width === TYPES[dtype][0].BYTES_PER_ELEMENT) return true;
  throw new SubbyteError('internal', `the plan has ${dtype} in elements of ${width} bytes`);
}

/** A view of the bytes; a copy where they are in shared memory, which `writeBuffer` does not take everywhere. */
export function bytesOf(data: Data): Uint8Array<ArrayBuffer> {
  const own = typeName(data.buffer) === 'SharedArrayBuffer' ? data.slice() : data;
  return new Uint8Array(own.buffer as ArrayBuffer, own.byteOffset, own.byteLength);
}

/** The bytes and what fills the last word, for `writeBuffer`. */
export function wholeWords(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length % 4 === 0) return bytes;
  const padded = new Uint8Array(roundUp(bytes.length, 4));
  padded.set(bytes);
  return padded;
}

const truths = (data: Data, type: WordType | Uint8ArrayConstructor): Data =>
  new type(data as Uint8Array).map((value) => (value ? 1 : 0));

/** Elements as wide as their dtype, in whole words for `writeBuffer`. */
function encodeOwn(dtype: DType, data: Data): Uint8Array<ArrayBuffer> {
  const exact =
    dtype === 'bool'
      ? truths(data, Uint8Array)
      : data.BYTES_PER_ELEMENT === TYPES[dtype][0].BYTES_PER_ELEMENT
        ? data
        : copyExact(dtype, data);
  return wholeWords(bytesOf(exact));
}

/** One word for each value. */
function wordsOf(dtype: DType, data: Data, label: string): Data {
  const [, word] = TYPES[dtype];
  if (dtype === 'float16') return halfToFloat(data as Uint16Array);
  if (dtype === 'bfloat16') return new Uint32Array(data as Uint16Array).map((bits) => bits << 16);
  if (dtype === 'bool') return truths(data, word);
  if (data.BYTES_PER_ELEMENT === WORD) return data;
  return dtype.endsWith('int64')
    ? narrow(data as BigInt64Array, word === Int32Array, label)
    : new word(data as Uint8Array);
}

/**
 * What the GPU computes with, as bytes for `writeBuffer`: 32-bit words, one for each value, or the elements as they are
 * where a tensor's are as wide as the dtype's. Data of these very bytes is not copied.
 */
export function encode(
  dtype: DType,
  data: Data,
  label: string,
  width = WORD,
): Uint8Array<ArrayBuffer> {
  return isOwnWidth(dtype, width) ? encodeOwn(dtype, data) : bytesOf(wordsOf(dtype, data, label));
}

/** The values of `bytes`, which hold one element of `width` bytes each and become the result's own. */
export function decode(dtype: DType, bytes: ArrayBuffer, width = WORD): Data {
  const [given, word] = TYPES[dtype];
  if (isOwnWidth(dtype, width) || (given as unknown) === word) return new given(bytes);
  if (dtype === 'float16') return floatToHalf(new Float32Array(bytes));
  if (dtype === 'bfloat16') return toBfloat16(new Uint32Array(bytes));
  if (dtype === 'bool') return truths(new Uint32Array(bytes), Uint8Array);
  const words = new word(bytes);
  if (!dtype.endsWith('int64')) return new given(words);
  const pairs = new Int32Array(words.length * 2);
  words.forEach((low, i) => {
    pairs[2 * i] = low;
    pairs[2 * i + 1] = word === Int32Array ? low >> 31 : 0;
  });
  return new given(pairs.buffer);
}

/** The same into the array `target`, of the type that outputs have. */
export function decodeInto(
  dtype: DType,
  bytes: ArrayBuffer,
  offset: number,
  target: Data,
  width: number,
): void {
  const [type] = TYPES[dtype];
  const set = target.set as (this: Data, values: Data) => void;
  if (width === type.BYTES_PER_ELEMENT) set.call(target, new type(bytes, offset, target.length));
  else set.call(target, decode(dtype, bytes.slice(offset, offset + width * target.length), width));
}

/** A copy of an input's data, exact, as the type that outputs of this dtype have. */
export function copyExact(dtype: DType, data: Data): Data {
  const [given] = TYPES[dtype];
  const widens = given.BYTES_PER_ELEMENT > data.BYTES_PER_ELEMENT;
  return new given(widens ? Array.from(data as Int32Array, BigInt) : (data as Uint8Array));
}

/** Integers that expressions gave, as an output of this dtype. */
export function fromNumbers(
  dtype: DType,
  values: readonly (number | bigint)[],
  label: string,
): Data {
  const [given, word] = TYPES[dtype];
  if (dtype === 'float64') return Float64Array.from(values, Number);
  if (dtype.endsWith('int64')) return new given(values.map(BigInt));
  const data = decode(dtype, (word as Int32ArrayConstructor).from(values, Number).buffer);
  if (word === Float32Array) return data;
  values.forEach((value, i) => {
    if (Number(data[i]) !== Number(value)) doesNotFit(label, i, value, dtype);
  });
  return data;
}

/** One integer of an input that sizes depend on. */
export function integerAt(data: Data, index: number, label: string): number {
  const value = Number(data[index]);
  if (!Number.isSafeInteger(value)) {
    throw new SubbyteError(
      'out-of-range',
      `${label}: value ${String(data[index])} at index ${index} decides sizes and must be an integer within 2^53`,
    );
  }
  return value + 0;
}
