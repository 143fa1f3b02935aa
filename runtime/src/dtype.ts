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

/** The typed arrays taken for each dtype, by the name that they give themselves (also across realms). */
const TAKEN: Record<DType, string[]> = {
  float32: ['Float32Array'],
  float16: ['Float16Array', 'Uint16Array'],
  bfloat16: ['Uint16Array'],
  float64: ['Float64Array'],
  int64: ['BigInt64Array', 'Int32Array'],
  int32: ['Int32Array'],
  int16: ['Int16Array'],
  int8: ['Int8Array'],
  uint64: ['BigUint64Array', 'Uint32Array'],
  uint32: ['Uint32Array'],
  uint16: ['Uint16Array'],
  uint8: ['Uint8Array', 'Uint8ClampedArray'],
  bool: ['Uint8Array', 'Int8Array'],
};

/** The name of a typed array's type, or of anything else for a message. */
export function typeName(value: unknown): string {
  const name = Object.prototype.toString.call(value).slice(8, -1);
  return name === 'Object' || name === 'Null' || name === 'Undefined' ? name.toLowerCase() : name;
}

/** Checks that `data` is a typed array that `dtype` takes, and returns it with Float16Array seen as half bits. */
export function checkData(dtype: DType, data: unknown, label: string): Data {
  const name = typeName(data);
  if (!TAKEN[dtype].includes(name)) {
    throw new SubbyteError(
      'bad-dtype',
      `${label} is ${dtype}: its data must be ${TAKEN[dtype].join(' or ')}, not ${name}`,
    );
  }
  if (name !== 'Float16Array') return data as Data;
  const half = data as Uint16Array;
  return new Uint16Array(half.buffer, half.byteOffset, half.length);
}

type DataType = {
  new (length: number): Data;
  new (buffer: ArrayBuffer, offset?: number, length?: number): Data;
  BYTES_PER_ELEMENT: number;
};

/** The typed array that outputs of each dtype have: half bits as Uint16Array, bool as bytes. */
const GIVEN: Record<DType, DataType> = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint64: BigUint64Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Checks that `array` is of the type that outputs of this dtype have. */
export function checkTarget(dtype: DType, array: unknown, label: string): Data {
  const wanted = GIVEN[dtype].name;
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
    `${label}: value ${value} at index ${index} does not fit the 32 bits that the GPU computes with (${range})`,
  );
}

/** The low words of 64-bit integers, each of which must be the whole value. */
function narrow(data: BigInt64Array | BigUint64Array, signed: boolean, label: string): Int32Array {
  const pairs = new Int32Array(data.buffer, data.byteOffset, data.length * 2);
  const words = new Int32Array(data.length);
  for (let i = 0; i < words.length; ++i) {
    const low = pairs[2 * i]!;
    const high = pairs[2 * i + 1]!;
    if (high !== (signed ? low >> 31 : 0)) {
      doesNotFit(label, i, data[i]!, signed ? '-2147483648 to 2147483647' : '0 to 4294967295');
    }
    words[i] = low;
  }
  return words;
}

function fromBfloat16(data: Uint16Array): Uint32Array {
  return new Uint32Array(data).map((bits) => bits << 16);
}

/** Round to nearest even; NaN stays NaN. */
function toBfloat16(words: Uint32Array): Uint16Array {
  const round = (bits: number): number =>
    (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  return new Uint16Array(words.map(round));
}

/** The bytes of a tensor whose elements are `width` bytes wide. */
function checkWidth(dtype: DType, width: number): 'words' | 'own' {
  if (width === WORD) return 'words';
  if (width === GIVEN[dtype].BYTES_PER_ELEMENT) return 'own';
  throw new SubbyteError('internal', `the plan has ${dtype} in elements of ${width} bytes`);
}

/** A view of the bytes; a copy where they are in shared memory, which `writeBuffer` does not take everywhere. */
function bytesOf(data: Data): Uint8Array<ArrayBuffer> {
  const own = typeName(data.buffer) === 'SharedArrayBuffer' ? data.slice() : data;
  return new Uint8Array(own.buffer as ArrayBuffer, own.byteOffset, own.byteLength);
}

/** Elements as wide as their dtype, in whole words for `writeBuffer`. */
function encodeOwn(dtype: DType, data: Data): Uint8Array<ArrayBuffer> {
  const exact =
    dtype === 'bool'
      ? new Uint8Array(data as Uint8Array).map((value) => (value ? 1 : 0))
      : data.BYTES_PER_ELEMENT === GIVEN[dtype].BYTES_PER_ELEMENT
        ? data
        : copyExact(dtype, data);
  const bytes = bytesOf(exact);
  if (bytes.length % 4 === 0) return bytes;
  const padded = new Uint8Array(roundUp(bytes.length, 4));
  padded.set(bytes);
  return padded;
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
  if (checkWidth(dtype, width) === 'own') return encodeOwn(dtype, data);
  let words: Float32Array | Int32Array | Uint32Array;
  switch (dtype) {
    case 'float16':
      words = halfToFloat(data as Uint16Array);
      break;
    case 'bfloat16':
      words = fromBfloat16(data as Uint16Array);
      break;
    case 'float64':
      words = new Float32Array(data as Float64Array);
      break;
    case 'int64':
      words =
        typeName(data) === 'Int32Array'
          ? (data as Int32Array)
          : narrow(data as BigInt64Array, true, label);
      break;
    case 'uint64':
      words =
        typeName(data) === 'Uint32Array'
          ? (data as Uint32Array)
          : narrow(data as BigUint64Array, false, label);
      break;
    case 'int16':
    case 'int8':
      words = new Int32Array(data as Int16Array);
      break;
    case 'uint16':
    case 'uint8':
      words = new Uint32Array(data as Uint16Array);
      break;
    case 'bool':
      words = new Uint32Array(data as Uint8Array).map((value) => (value ? 1 : 0));
      break;
    default:
      words = data as Float32Array | Int32Array | Uint32Array;
  }
  return bytesOf(words);
}

/** The values of `bytes`, which hold one element of `width` bytes each and become the result's own. */
export function decode(dtype: DType, bytes: ArrayBuffer, width = WORD): Data {
  if (checkWidth(dtype, width) === 'own') return new GIVEN[dtype](bytes);
  switch (dtype) {
    case 'float32':
      return new Float32Array(bytes);
    case 'float16':
      return floatToHalf(new Float32Array(bytes));
    case 'bfloat16':
      return toBfloat16(new Uint32Array(bytes));
    case 'float64':
      return new Float64Array(new Float32Array(bytes));
    case 'int64': {
      const words = new Int32Array(bytes);
      const pairs = new Int32Array(words.length * 2);
      for (let i = 0; i < words.length; ++i) {
        pairs[2 * i] = words[i]!;
        pairs[2 * i + 1] = words[i]! >> 31;
      }
      return new BigInt64Array(pairs.buffer);
    }
    case 'uint64': {
      const words = new Uint32Array(bytes);
      const pairs = new Uint32Array(words.length * 2);
      for (let i = 0; i < words.length; ++i) pairs[2 * i] = words[i]!;
      return new BigUint64Array(pairs.buffer);
    }
    case 'int32':
      return new Int32Array(bytes);
    case 'int16':
      return new Int16Array(new Int32Array(bytes));
    case 'int8':
      return new Int8Array(new Int32Array(bytes));
    case 'uint32':
      return new Uint32Array(bytes);
    case 'uint16':
      return new Uint16Array(new Uint32Array(bytes));
    case 'uint8':
      return new Uint8Array(new Uint32Array(bytes));
    case 'bool':
      return new Uint8Array(new Uint32Array(bytes).map((value) => (value ? 1 : 0)));
  }
}

/** Writes the values of `bytes` at `offset`, memory that is mapped, into `target`, of the type that outputs have. */
export function decodeInto(
  dtype: DType,
  bytes: ArrayBuffer,
  offset: number,
  target: Data,
  width: number,
): void {
  const type = GIVEN[dtype];
  const set = target.set as (this: Data, values: Data) => void;
  if (width === type.BYTES_PER_ELEMENT) set.call(target, new type(bytes, offset, target.length));
  else set.call(target, decode(dtype, bytes.slice(offset, offset + width * target.length), width));
}

/** A copy of an input's data, exact, as the type that outputs of this dtype have. */
export function copyExact(dtype: DType, data: Data): Data {
  switch (dtype) {
    case 'int64':
      return typeName(data) === 'Int32Array'
        ? BigInt64Array.from(data as Int32Array, BigInt)
        : new BigInt64Array(data as BigInt64Array);
    case 'uint64':
      return typeName(data) === 'Uint32Array'
        ? BigUint64Array.from(data as Uint32Array, BigInt)
        : new BigUint64Array(data as BigUint64Array);
    case 'uint8':
    case 'bool':
      return new Uint8Array(data as Uint8Array);
    default:
      return data.slice() as Data;
  }
}

/** Integers that expressions gave, as an output of this dtype. */
export function fromNumbers(
  dtype: DType,
  values: readonly (number | bigint)[],
  label: string,
): Data {
  switch (dtype) {
    case 'float64':
      return Float64Array.from(values, Number);
    case 'float32':
    case 'float16':
    case 'bfloat16':
      return decode(dtype, Float32Array.from(values, Number).buffer);
    case 'int64':
      return BigInt64Array.from(values, BigInt);
    case 'uint64':
      return BigUint64Array.from(values, BigInt);
    default: {
      const data = decode(dtype, Int32Array.from(values, Number).buffer);
      values.forEach((value, i) => {
        if (Number(data[i]) !== Number(value)) doesNotFit(label, i, value, dtype);
      });
      return data;
    }
  }
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
