import assert from 'node:assert/strict';
import test from 'node:test';
import vm from 'node:vm';
import { internals, random } from './support.mjs';

const { checkData, copyExact, decode, encode, fromNumbers, integerAt } =
  await internals('dtype.ts');
const { floatToHalf, halfToFloat } = await internals('half.ts');

/** The value of half bits, from the definition. */
function halfValue(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

const allHalves = Uint16Array.from({ length: 65536 }, (_, i) => i);

test('every half becomes its float', () => {
  const floats = halfToFloat(allHalves);
  allHalves.forEach((bits, i) => {
    assert.ok(Object.is(floats[i], halfValue(bits)), `half ${bits.toString(16)}`);
  });
});

test('every half survives the way to float and back', () => {
  const back = floatToHalf(halfToFloat(allHalves));
  allHalves.forEach((bits, i) => {
    if (!Number.isNaN(halfValue(bits))) assert.equal(back[i], bits);
    else assert.ok(Number.isNaN(halfValue(back[i])));
  });
});

test('floats round to the nearest half, ties to even', () => {
  // Between each two neighbours: the middle goes to the even one, and the next floats of the middle to either side.
  const word = new Uint32Array(1);
  const float = new Float32Array(word.buffer);
  for (let bits = 0; bits < 0x7c00; ++bits) {
    const low = halfValue(bits);
    const high = bits + 1 === 0x7c00 ? 65536 : halfValue(bits + 1);
    float[0] = (low + high) / 2;
    const middle = word[0];
    const cases = [
      [middle, bits & 1 ? bits + 1 : bits],
      [middle - 1, bits],
      [middle + 1, bits + 1],
    ];
    for (const [pattern, expected] of cases) {
      word[0] = pattern;
      assert.equal(floatToHalf(float)[0], expected, `float ${float[0]}`);
      word[0] = pattern | 0x80000000;
      assert.equal(floatToHalf(float)[0], expected | 0x8000, `float ${float[0]}`);
    }
  }
  assert.deepEqual(
    [...floatToHalf(new Float32Array([1e10, -Infinity, 1e-10, 2 ** -25]))],
    [0x7c00, 0xfc00, 0, 0],
  );
});

const bytesOf = (words) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** dtype, data given, words of the GPU, data given back */
const trips = [
  [
    'float32',
    Float32Array.of(1.5, -0, NaN),
    Float32Array.of(1.5, -0, NaN),
    Float32Array.of(1.5, -0, NaN),
  ],
  [
    'float16',
    Uint16Array.of(0x3c00, 0xc000),
    Float32Array.of(1, -2),
    Uint16Array.of(0x3c00, 0xc000),
  ],
  [
    'bfloat16',
    Uint16Array.of(0x3f80, 0xc000),
    Float32Array.of(1, -2),
    Uint16Array.of(0x3f80, 0xc000),
  ],
  ['float64', Float64Array.of(1.5, -2), Float32Array.of(1.5, -2), Float64Array.of(1.5, -2)],
  [
    'int64',
    BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n, -1n),
    Int32Array.of(-2147483648, 2147483647, -1),
    BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n, -1n),
  ],
  ['int64', Int32Array.of(-5, 7), Int32Array.of(-5, 7), BigInt64Array.of(-5n, 7n)],
  [
    'uint64',
    BigUint64Array.of(2n ** 32n - 1n),
    Uint32Array.of(2 ** 32 - 1),
    BigUint64Array.of(2n ** 32n - 1n),
  ],
  [
    'uint64',
    Uint32Array.of(2 ** 32 - 1),
    Uint32Array.of(2 ** 32 - 1),
    BigUint64Array.of(2n ** 32n - 1n),
  ],
  ['int32', Int32Array.of(-1, 2), Int32Array.of(-1, 2), Int32Array.of(-1, 2)],
  ['uint32', Uint32Array.of(2 ** 32 - 1), Uint32Array.of(2 ** 32 - 1), Uint32Array.of(2 ** 32 - 1)],
  ['int16', Int16Array.of(-3, 300), Int32Array.of(-3, 300), Int16Array.of(-3, 300)],
  ['uint16', Uint16Array.of(65535), Uint32Array.of(65535), Uint16Array.of(65535)],
  ['int8', Int8Array.of(-128, 127), Int32Array.of(-128, 127), Int8Array.of(-128, 127)],
  ['uint8', Uint8Array.of(0, 255), Uint32Array.of(0, 255), Uint8Array.of(0, 255)],
  ['uint8', Uint8ClampedArray.of(0, 255), Uint32Array.of(0, 255), Uint8Array.of(0, 255)],
  ['bool', Uint8Array.of(0, 1, 7), Uint32Array.of(0, 1, 1), Uint8Array.of(0, 1, 1)],
  ['bool', Int8Array.of(0, -1), Uint32Array.of(0, 1), Uint8Array.of(0, 1)],
];

for (const [dtype, given, words, back] of trips) {
  test(`${dtype} from ${given.constructor.name} to words and back`, () => {
    const data = checkData(dtype, given, 'input "x"');
    assert.deepEqual(encode(dtype, data, 'input "x"'), bytesOf(words));
    assert.deepEqual(decode(dtype, words.slice().buffer), back);
  });
}

test('a view into a larger buffer is read where it lies', () => {
  const whole = BigInt64Array.of(1n, 2n, 3n, 4n);
  assert.deepEqual(encode('int64', whole.subarray(2), 'x'), bytesOf(Int32Array.of(3, 4)));
  const floats = Float32Array.of(1, 2, 3);
  assert.deepEqual(encode('float32', floats.subarray(1), 'x'), bytesOf(Float32Array.of(2, 3)));
});

test('shared memory is copied', () => {
  const shared = new Float32Array(new SharedArrayBuffer(8));
  shared.set([1, 2]);
  const bytes = encode('float32', shared, 'x');
  assert.ok(bytes.buffer instanceof ArrayBuffer);
  assert.deepEqual(bytes, bytesOf(Float32Array.of(1, 2)));
});

test('arrays of another realm are taken', () => {
  const foreign = vm.runInNewContext('new Float32Array([1, 2])');
  assert.equal(foreign instanceof Float32Array, false);
  assert.deepEqual(
    encode('float32', checkData('float32', foreign, 'x'), 'x'),
    bytesOf(Float32Array.of(1, 2)),
  );
});

test('a Float16Array is taken by its bits', () => {
  // What engines that have it say of it.
  const half = Uint16Array.of(0x3c00, 0x4000);
  Object.defineProperty(half, Symbol.toStringTag, { value: 'Float16Array' });
  const data = checkData('float16', half, 'x');
  assert.equal(data.constructor, Uint16Array);
  assert.deepEqual(encode('float16', data, 'x'), bytesOf(Float32Array.of(1, 2)));
});

test('data of the wrong type is refused by name', () => {
  const refuse = (dtype, data, message) =>
    assert.throws(() => checkData(dtype, data, 'input "x"'), { code: 'bad-dtype', message });
  refuse(
    'float32',
    new Float64Array(1),
    'input "x" is float32: its data must be Float32Array, not Float64Array',
  );
  refuse('float32', [1, 2], 'input "x" is float32: its data must be Float32Array, not Array');
  refuse(
    'float32',
    undefined,
    'input "x" is float32: its data must be Float32Array, not undefined',
  );
  refuse(
    'float32',
    new ArrayBuffer(4),
    'input "x" is float32: its data must be Float32Array, not ArrayBuffer',
  );
  refuse(
    'float16',
    new Float32Array(1),
    'input "x" is float16: its data must be Uint16Array or Float16Array, not Float32Array',
  );
  refuse(
    'int64',
    new BigUint64Array(1),
    'input "x" is int64: its data must be BigInt64Array or Int32Array, not BigUint64Array',
  );
  refuse(
    'int32',
    new BigInt64Array(1),
    'input "x" is int32: its data must be Int32Array, not BigInt64Array',
  );
  refuse(
    'uint8',
    new Int8Array(1),
    'input "x" is uint8: its data must be Uint8Array or Uint8ClampedArray, not Int8Array',
  );
});

test('64-bit values that do not fit are refused, never wrapped', () => {
  const refuse = (dtype, data, message) =>
    assert.throws(() => encode(dtype, data, 'input "x"'), { code: 'out-of-range', message });
  refuse(
    'int64',
    BigInt64Array.of(1n, 2n ** 31n),
    'input "x": value 2147483648 at index 1 does not fit the 32 bits of the GPU (-2147483648 to 2147483647)',
  );
  refuse('int64', BigInt64Array.of(-(2n ** 31n) - 1n), /-2147483649 at index 0/);
  refuse('int64', BigInt64Array.of(2n ** 32n), /4294967296 at index 0/);
  refuse('int64', BigInt64Array.of(-(2n ** 63n)), /-9223372036854775808/);
  refuse(
    'uint64',
    BigUint64Array.of(2n ** 32n),
    'input "x": value 4294967296 at index 0 does not fit the 32 bits of the GPU (0 to 4294967295)',
  );
});

test('copies of inputs are exact and of the type of outputs', () => {
  const large = BigInt64Array.of(2n ** 62n, -5n);
  const copy = copyExact('int64', large);
  assert.deepEqual(copy, large);
  assert.notEqual(copy.buffer, large.buffer);
  assert.deepEqual(copyExact('int64', Int32Array.of(-5)), BigInt64Array.of(-5n));
  assert.deepEqual(copyExact('uint64', Uint32Array.of(5)), BigUint64Array.of(5n));
  assert.deepEqual(copyExact('bool', Int8Array.of(1, 0)), Uint8Array.of(1, 0));
  assert.deepEqual(copyExact('uint8', Uint8ClampedArray.of(9)), Uint8Array.of(9));
  assert.deepEqual(copyExact('float16', Uint16Array.of(0x7e01)), Uint16Array.of(0x7e01));
  const nan = new Float32Array(Uint32Array.of(0x7fa00001).buffer);
  assert.deepEqual(new Uint32Array(copyExact('float32', nan).buffer), Uint32Array.of(0x7fa00001));
});

test('computed outputs have the type of their dtype, and must fit it', () => {
  assert.deepEqual(fromNumbers('int64', [2 ** 52, -1], 'y'), BigInt64Array.of(2n ** 52n, -1n));
  assert.deepEqual(fromNumbers('int32', [-1, 5], 'y'), Int32Array.of(-1, 5));
  assert.deepEqual(fromNumbers('uint32', [2 ** 32 - 1], 'y'), Uint32Array.of(2 ** 32 - 1));
  assert.deepEqual(fromNumbers('uint8', [255], 'y'), Uint8Array.of(255));
  assert.deepEqual(fromNumbers('bool', [1, 0], 'y'), Uint8Array.of(1, 0));
  assert.deepEqual(fromNumbers('float32', [3], 'y'), Float32Array.of(3));
  assert.deepEqual(fromNumbers('float64', [2 ** 40 + 1], 'y'), Float64Array.of(2 ** 40 + 1));
  assert.deepEqual(fromNumbers('float16', [1], 'y'), Uint16Array.of(0x3c00));
  assert.throws(() => fromNumbers('int32', [2 ** 31], 'output "y"'), { code: 'out-of-range' });
  assert.throws(() => fromNumbers('int8', [128], 'output "y"'), { code: 'out-of-range' });
});

test('bfloat16 rounds to nearest even', () => {
  const next = random(3);
  for (let i = 0; i < 2000; ++i) {
    const value = Float32Array.of((next() - 0.5) * 2 ** Math.floor(next() * 40 - 20));
    const [bits] = new Uint32Array(value.buffer);
    const low = bits & 0xffff0000;
    const rest = bits & 0xffff;
    const up = rest > 0x8000 || (rest === 0x8000 && (low >>> 16) & 1);
    assert.equal(
      decode('bfloat16', value.slice().buffer)[0],
      ((low >>> 16) + (up ? 1 : 0)) & 0xffff,
    );
  }
});

test('integers that decide sizes are exact', () => {
  assert.equal(integerAt(BigInt64Array.of(2n ** 53n - 1n), 0, 'x'), 2 ** 53 - 1);
  assert.equal(integerAt(Int32Array.of(-3), 0, 'x'), -3);
  assert.throws(() => integerAt(BigInt64Array.of(2n ** 53n), 0, 'input "x"'), {
    code: 'out-of-range',
    message:
      'input "x": value 9007199254740992 at index 0 decides sizes and must be an integer within 2^53',
  });
});
