// Values for a model's inputs: made up, of a picture, of a sound, of a text.

const arrays = {
  float32: Float32Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
};

/** What a dim that the model leaves open is to begin with. */
export function usualSize(dim, position, rank) {
  const name = String(dim).toLowerCase();
  if (position === 0 && rank > 1) return 1;
  if (rank === 4 && position >= 2) return 64;
  return name.includes('past') ? 4 : 16;
}

const sizeOf = (dims) => dims.reduce((product, size) => product * size, 1);

/**
 * Made values of a dtype and dims, always the same: floats between -1 and 1; of integers a mask is all ones, positions
 * count, and others are 0 and 1 in turn, which are ids in any table.
 */
export function madeValues({ name, dtype, dims }) {
  const size = sizeOf(dims);
  const last = dims.at(-1) ?? 1;
  if (dtype.startsWith('float')) {
    let state = 1;
    const floats = Float32Array.from({ length: size }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 31 - 1;
    });
    return { data: dtype === 'float16' ? halvesOf(floats) : floats, dims };
  }
  const value = /mask/i.test(name)
    ? () => 1
    : /position/i.test(name)
      ? (_, index) => index % last
      : (_, index) => index % 2;
  const whole = Array.from({ length: size }, value);
  return { data: arrayOf(dtype, whole), dims };
}

function arrayOf(dtype, numbers) {
  const made = arrays[dtype];
  if (!made) throw new Error(`The page has no values of the dtype ${dtype}.`);
  return made === BigInt64Array ? made.from(numbers, BigInt) : made.from(numbers);
}

function halvesOf(floats) {
  if (!globalThis.Float16Array) throw new Error('This browser cannot make values of float16.');
  return new Uint16Array(Float16Array.from(floats).buffer);
}

/** Which kinds of file an input can be: 'image' for 1 or 3 channels of two sizes, 'sound' for a row, 'text' for ids. */
export function kindOf({ dtype, dims }) {
  if (dims.length === 4 && /^(float|uint8)/.test(dtype)) {
    if ([1, 3].includes(dims[1])) return 'image';
    if ([1, 3].includes(dims[3])) return 'image';
  }
  if (dtype.startsWith('float') && dims.length >= 1 && dims.length <= 3) {
    if (dims.slice(0, -1).every((dim) => dim === 1 || typeof dim !== 'number')) return 'sound';
  }
  if (/^int(32|64)$/.test(dtype) && dims.length === 2) return 'text';
  return null;
}

/**
 * A picture at an input's size, [1, channels, height, width] or with the channels last: float32 from 0 to 1, or by
 * `mean` and `deviation` of each channel (in 0..1), uint8 as it is. Grey is the mean of red, green and blue.
 */
export async function ofImage(file, { dtype, dims }, { mean = [0, 0, 0], deviation = [1, 1, 1] }) {
  const channelsLast = ![1, 3].includes(dims[1]);
  const [channels, height, width] = channelsLast ? [dims[3], dims[1], dims[2]] : dims.slice(1);
  const image = await createImageBitmap(file).catch(() => {
    throw new Error(`'${file.name}' is not an image that this browser can open.`);
  });
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height).data;
  const floats = new Float32Array(channels * height * width);
  for (let pixel = 0; pixel < height * width; pixel++) {
    const [red, green, blue] = pixels.subarray(4 * pixel, 4 * pixel + 3);
    const values = channels === 1 ? [(red + green + blue) / 3] : [red, green, blue];
    values.forEach((value, channel) => {
      const at = channelsLast ? pixel * channels + channel : channel * height * width + pixel;
      floats[at] = dtype === 'uint8' ? value : (value / 255 - mean[channel]) / deviation[channel];
    });
  }
  const data = dtype === 'uint8' ? Uint8Array.from(floats) : floats;
  return { data: dtype === 'float16' ? halvesOf(floats) : data, dims };
}

/** A sound file as one channel at a sample rate, as long as `dims` says: cut, or silence after it. */
export async function ofSound(file, { dtype, dims }, sampleRate) {
  const length = dims.at(-1);
  const context = new OfflineAudioContext(1, Math.max(1, length), sampleRate);
  const sound = await context.decodeAudioData(await file.arrayBuffer()).catch(() => {
    throw new Error(`'${file.name}' is not a sound that this browser can open.`);
  });
  const data = new Float32Array(sizeOf(dims));
  const samples = sound.getChannelData(0).subarray(0, length);
  for (let row = 0; row < data.length; row += length) data.set(samples, row);
  return { data: dtype === 'float16' ? halvesOf(data) : data, dims };
}

/** Token ids in the model's dtype, [1, tokens]. */
export function ofIds(ids, dtype) {
  return { data: arrayOf(dtype, ids), dims: [1, ids.length] };
}
