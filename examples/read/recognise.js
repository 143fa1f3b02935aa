// A line of text to characters: what stands before and behind the recogniser of PP-OCRv4.

/** The height of every input, in pixels; the width follows the line. */
export const inputHeight = 48;
/** Shorter lines are padded to this width, as they were in training. */
const leastWidth = 320;
/** Widths are rounded up to a multiple of this, so that few distinct sizes reach the GPU. */
const widthStep = 32;
/** Longer lines are refused. */
export const longestWidth = 4096;

/**
 * The characters that the classes of the output stand for. `keys` is the text of the model's dictionary, one character a
 * line; class 0 is CTC's blank, and the last class is the space.
 */
export function alphabetOf(keys) {
  return ['', ...keys.replace(/\r/g, '').replace(/\n+$/, '').split('\n'), ' '];
}

/**
 * The model's input, { data, dims: [1, 3, 48, width] }, of an ImageData that is 48 pixels high: blue, green and red planes
 * scaled to -1..1, and zeros to the right of the line (PaddleOCR, `resize_norm_img`).
 */
export function toInput({ data: pixels, width, height }) {
  if (height !== inputHeight || width < 1 || width > longestWidth) {
    throw new Error(
      `A line must be ${inputHeight} pixels high and 1 to ${longestWidth} wide; this one is ${width} x ${height}.`,
    );
  }
  const columns = Math.max(leastWidth, Math.ceil(width / widthStep) * widthStep);
  const data = new Float32Array(3 * height * columns);
  for (let plane = 0; plane < 3; plane++) {
    const channel = 2 - plane;
    for (let row = 0; row < height; row++) {
      const to = (plane * height + row) * columns;
      const from = row * width;
      for (let column = 0; column < width; column++) {
        data[to + column] = pixels[(from + column) * 4 + channel] / 127.5 - 1;
      }
    }
  }
  return { data, dims: [1, 3, height, columns] };
}

/** The most likely class of each step of an output { data, dims: [1, steps, classes] }, and its probability. */
export function mostLikely({ data, dims }) {
  const [, steps, classes] = dims;
  const ids = new Array(steps);
  const probabilities = new Array(steps);
  for (let step = 0; step < steps; step++) {
    const start = step * classes;
    let best = 0;
    for (let id = 1; id < classes; id++) if (data[start + id] > data[start + best]) best = id;
    ids[step] = best;
    probabilities[step] = data[start + best];
  }
  return { ids, probabilities };
}

/**
 * Greedy CTC (Graves et al., "Connectionist Temporal Classification", 2006): a class that is repeated counts once, and
 * blanks count for nothing but to part two equal characters. Spaces at the ends are the margin of the picture and no part
 * of the line. Returns the text, its characters with the probability of each, and their mean as the confidence (0 where
 * nothing was read).
 */
export function collapse({ ids, probabilities }, alphabet) {
  const characters = [];
  ids.forEach((id, step) => {
    if (id === 0 || id === ids[step - 1]) return;
    characters.push({ character: alphabet[id], probability: probabilities[step] });
  });
  while (characters[0]?.character === ' ') characters.shift();
  while (characters.at(-1)?.character === ' ') characters.pop();
  const sum = characters.reduce((total, { probability }) => total + probability, 0);
  return {
    text: characters.map(({ character }) => character).join(''),
    characters,
    confidence: characters.length ? sum / characters.length : 0,
  };
}

/** Reads a line, an ImageData of 48 pixels' height, with a loaded model. What `collapse` returns, and the time taken. */
export async function read(model, line, alphabet) {
  const input = toInput(line);
  const began = performance.now();
  const outputs = await model.run({ [model.inputs[0].name]: input });
  const milliseconds = performance.now() - began;
  const output = outputs[model.outputs[0].name];
  if (output.dims[2] !== alphabet.length) {
    throw new Error(
      `The model tells ${output.dims[2]} characters apart, and the dictionary has ${alphabet.length}: it is another model's.`,
    );
  }
  return { ...collapse(mostLikely(output), alphabet), milliseconds };
}
