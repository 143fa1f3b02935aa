// What stands before and behind the recogniser, without it: pixels to its input, its output to characters.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  alphabetOf,
  collapse,
  inputHeight,
  mostLikely,
  read,
  toInput,
} from '../../examples/read/recognise.js';
import { lines } from './read_lines.mjs';
import { characterErrorRate, editDistance } from './read_rate.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const models = process.env.SUBBYTE_MODELS ?? path.join(root, '.cache', 'models');

const alphabet = ['', 'a', 'b', 'c', ' '];

/** Pixels of one colour. */
function picture(width, height, colour) {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let at = 0; at < data.length; at += 4) data.set([...colour, 255], at);
  return { data, width, height };
}

function text(...ids) {
  return collapse({ ids, probabilities: ids.map(() => 1) }, alphabet).text;
}

test('the input is blue, green and red planes from -1 to 1', () => {
  const { data, dims } = toInput(picture(321, inputHeight, [255, 51, 0]));
  assert.deepEqual(dims, [1, 3, 48, 352]);
  assert.equal(data.length, 3 * 48 * 352);
  const first = (plane, row) => data[(plane * 48 + row) * 352];
  for (const row of [0, 47]) {
    assert.equal(first(0, row), -1);
    assert.ok(Math.abs(first(1, row) - -0.6) < 1e-6);
    assert.equal(first(2, row), 1);
  }
});

test('what is right of the line is 0, and a short line is padded to 320', () => {
  const { data, dims } = toInput(picture(3, inputHeight, [255, 255, 255]));
  assert.deepEqual(dims, [1, 3, 48, 320]);
  assert.deepEqual([...data.slice(0, 5)], [1, 1, 1, 0, 0]);
  assert.equal(
    data.reduce((sum, value) => sum + value, 0),
    3 * 3 * 48,
  );
});

test('a picture of another height is refused', () => {
  assert.throws(() => toInput(picture(10, 47, [0, 0, 0])), {
    message: 'A line must be 48 pixels high and 1 to 4096 wide; this one is 10 x 47.',
  });
  assert.throws(() => toInput({ data: [], width: 4097, height: 48 }), {
    message: 'A line must be 48 pixels high and 1 to 4096 wide; this one is 4097 x 48.',
  });
});

test('the most likely class of each step, the first of equals', () => {
  const data = Float32Array.of(0.5, 0.25, 0.25, 0.125, 0.125, 0.75, 0.5, 0.5, 0);
  assert.deepEqual(mostLikely({ data, dims: [1, 3, 3] }), {
    ids: [0, 2, 0],
    probabilities: [0.5, 0.75, 0.5],
  });
});

test('repeats count once, and blanks part equals', () => {
  assert.equal(text(1, 1, 0, 2, 2, 2, 3), 'abc');
  assert.equal(text(0, 1, 0, 1, 0, 0), 'aa');
  assert.equal(text(1, 2, 1), 'aba');
  assert.equal(text(), '');
  assert.equal(text(0, 0, 0), '');
});

test('spaces between words stay, those at the ends go', () => {
  assert.equal(text(4, 0, 1, 4, 2, 0, 4, 0, 4), 'a b');
  assert.equal(text(0, 4, 4, 0), '');
});

test('the confidence is the mean over the characters read', () => {
  const reading = collapse(
    { ids: [4, 1, 1, 0, 2], probabilities: [0.1, 0.5, 0.9, 0.2, 0.75] },
    alphabet,
  );
  assert.deepEqual(reading, {
    text: 'ab',
    characters: [
      { character: 'a', probability: 0.5 },
      { character: 'b', probability: 0.75 },
    ],
    confidence: 0.625,
  });
  assert.equal(collapse({ ids: [0], probabilities: [1] }, alphabet).confidence, 0);
});

test('the alphabet is a blank, the dictionary and a space', async () => {
  assert.deepEqual(alphabetOf('a\nb\nc'), alphabet);
  assert.deepEqual(alphabetOf('a\r\nb\r\nc\r\n'), alphabet);
  const real = alphabetOf(await readFile(path.join(models, 'ppocr-keys.txt'), 'utf8'));
  assert.equal(real.length, 6625);
  for (const line of lines) {
    for (const character of line.text) assert.ok(real.indexOf(character) > 0, character);
  }
});

test('a model is run on its own input, and refused with the dictionary of another', async () => {
  const given = [];
  const model = {
    inputs: [{ name: 'x' }],
    outputs: [{ name: 'y' }],
    run: async (inputs) => {
      given.push(inputs);
      return { y: { data: Float32Array.of(0, 0, 0.75, 0.25, 0), dims: [1, 1, 5] } };
    },
  };
  const line = picture(8, inputHeight, [0, 0, 0]);
  const reading = await read(model, line, alphabet);
  assert.equal(reading.text, 'b');
  assert.equal(reading.confidence, 0.75);
  assert.ok(reading.milliseconds >= 0);
  assert.deepEqual(given, [{ x: toInput(line) }]);
  await assert.rejects(read(model, line, ['', 'a', ' ']), {
    message: "The model tells 5 characters apart, and the dictionary has 3: it is another model's.",
  });
});

test('there are fifty lines, no two the same', () => {
  assert.equal(new Set(lines.map((line) => line.text)).size, 50);
});

test('edits are counted in characters', () => {
  assert.equal(editDistance('', ''), 0);
  assert.equal(editDistance('kitten', 'sitting'), 3);
  assert.equal(editDistance('', '今天'), 2);
  assert.equal(editDistance('𝄞a', 'a'), 1);
  assert.equal(characterErrorRate(['abc', 'd'], ['abd', '']), 2 / 3);
});
