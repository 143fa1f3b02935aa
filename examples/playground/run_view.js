// Runs the module beside the same model at float32, on inputs that the visitor gives or that are made up.
import { duration, element, fail, part, progress } from './page.js';
import { percent } from './result_view.js';
import { kindOf, madeValues, ofIds, ofImage, ofSound, usualSize } from './values.js';

const normalizations = {
  '0 to 1': {},
  '-1 to 1': { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
  ImageNet: { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] },
};
const sampleRates = [16000, 8000, 22050, 24000, 44100, 48000];

/**
 * Shows the form of a model's inputs, and on submit what came out. `models()` resolves to the two loaded modules,
 * { module, reference }, the first time with a bar.
 */
export function showRun(inputs, models) {
  const form = element('inputs');
  const sizes = new Map();
  const readers = inputs.map((input) => fieldOf(input, sizes));
  const button = part('button', '', 'Run');
  const fields = readers.map(({ field }) => field);
  if (sizes.size > 0) fields.unshift(sizesField(sizes));
  form.replaceChildren(...fields, button);
  element('outputs').replaceChildren();
  element('run').hidden = false;
  form.onsubmit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const given = await valuesOf(inputs, readers, sizes);
      await compareRuns(await models(), given);
    } catch (error) {
      fail(error);
    } finally {
      button.disabled = false;
    }
  };
}

/** The dims that the model leaves open, by name; an unnamed one is called by its input and axis. */
function openDims({ name, dims }) {
  return dims.map((dim, axis) =>
    typeof dim === 'number' ? null : dim && dim !== '?' ? dim : `${name}, axis ${axis}`,
  );
}

function fieldOf(input, sizes) {
  const open = openDims(input);
  open.forEach((dim, axis) => {
    if (dim !== null && !sizes.has(dim)) {
      sizes.set(dim, { value: usualSize(dim, axis, input.dims.length) });
    }
  });
  const legend = part('legend', '', `${input.name} `, part('code', '', input.dtype));
  const field = part('fieldset', '', legend);
  const made = { image: imageReader, sound: soundReader, text: textReader }[kindOf(input)];
  if (!made) {
    field.append(part('p', 'said', 'made up'));
    return { field, read: () => null };
  }
  return { field, read: made(field) };
}

function sizesField(sizes) {
  const field = part('fieldset', '', part('legend', '', 'Sizes that the model leaves open'));
  for (const [name, size] of sizes) {
    const input = part('input', '');
    Object.assign(input, { type: 'number', min: 0, max: 65535, required: true, value: size.value });
    input.addEventListener('input', () => (size.value = input.valueAsNumber));
    field.append(part('label', '', `${name} `, input));
  }
  return field;
}

function chooser(field, text, accept) {
  const input = part('input', 'visually-hidden');
  Object.assign(input, { type: 'file', accept });
  const label = part('label', 'choose', text, input);
  const said = part('p', 'said', 'Without a file its values are made up.');
  input.addEventListener('change', () => {
    said.textContent = input.files[0]
      ? input.files[0].name
      : 'Without a file its values are made up.';
  });
  field.append(label);
  return { input, said };
}

function select(field, label, options) {
  const made = part('select', '', ...options.map((option) => part('option', '', String(option))));
  made.ariaLabel = label;
  field.append(made);
  return made;
}

function imageReader(field) {
  const { input, said } = chooser(field, 'Picture', 'image/*');
  const scale = select(field, 'Scale of the values', Object.keys(normalizations));
  field.append(said);
  return (port) =>
    input.files[0] ? ofImage(input.files[0], port, normalizations[scale.value]) : null;
}

function soundReader(field) {
  const { input, said } = chooser(field, 'Sound', 'audio/*');
  const rate = select(field, 'Samples a second', sampleRates);
  field.append(said);
  return (port) => (input.files[0] ? ofSound(input.files[0], port, Number(rate.value)) : null);
}

function textReader(field) {
  const { input, said } = chooser(field, 'tokenizer.json', '.json');
  const text = part('textarea', '');
  text.ariaLabel = 'Text';
  text.placeholder = 'A text, once its tokenizer is here';
  field.append(text, said);
  return async (port) => {
    if (!input.files[0] || !text.value) return null;
    const { Tokenizer } = await import('./tokenizers.js');
    let tokenizer;
    try {
      tokenizer = new Tokenizer(JSON.parse(await input.files[0].text()), {});
    } catch (error) {
      throw new Error(`'${input.files[0].name}' is no tokenizer.json: ${error.message}`);
    }
    return ofIds(tokenizer.encode(text.value).ids, port.dtype);
  };
}

/** Name -> { data, dims }. A text that one input has decides the sizes of all that share its dims. */
async function valuesOf(inputs, readers, sizes) {
  const given = {};
  const known = new Map([...sizes].map(([name, { value }]) => [name, value]));
  const dimsOf = (input) =>
    openDims(input).map((dim, axis) => (dim === null ? input.dims[axis] : known.get(dim)));
  for (const [index, input] of inputs.entries()) {
    const value = await readers[index].read({ ...input, dims: dimsOf(input) });
    if (!value) continue;
    given[input.name] = value;
    openDims(input).forEach((dim, axis) => dim !== null && known.set(dim, value.dims[axis]));
  }
  for (const input of inputs) given[input.name] ??= madeValues({ ...input, dims: dimsOf(input) });
  return given;
}

async function compareRuns({ module, reference }, given) {
  progress(1, 'Running');
  const [found, milliseconds] = await timed(() => module.run(given));
  const [expected, floatMilliseconds] = await timed(() => reference.run(given));
  element('loading').hidden = true;
  const cards = Object.entries(found).map(([name, output]) =>
    part(
      'div',
      'card',
      part('p', '', part('strong', '', name), ` ${output.dtype} [${output.dims.join(', ')}]`),
      part('p', '', differenceText(output, expected[name])),
      part('p', '', `${valuesText(output)}`),
    ),
  );
  const times = `${duration(milliseconds)}, at float32 ${duration(floatMilliseconds)}`;
  element('outputs').replaceChildren(part('p', '', `Ran in ${times}.`), ...cards);
}

async function timed(run) {
  const began = performance.now();
  return [await run(), performance.now() - began];
}

/** In words, how far two outputs are from each other: relative L2, or the share of unequal values where they are whole. */
export function differenceText(found, expected) {
  if (String(found.dims) !== String(expected.dims)) {
    return `At float32 its dims are [${expected.dims.join(', ')}].`;
  }
  if (!/^float/.test(found.dtype)) {
    const unequal = found.data.reduce((sum, value, i) => sum + (value !== expected.data[i]), 0);
    return `${unequal} of ${found.data.length} values differ from those at float32.`;
  }
  let error = 0;
  let norm = 0;
  const [a, b] = [floatsOf(found), floatsOf(expected)];
  for (let i = 0; i < a.length; i++) {
    error += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  if (error === 0) return 'Equal to float32.';
  return `${percent(Math.sqrt(error / norm))} from float32 (relative L2).`;
}

function floatsOf({ dtype, data }) {
  if (dtype !== 'float16') return data;
  if (!globalThis.Float16Array) return Float32Array.of();
  return new Float16Array(data.buffer, data.byteOffset, data.length);
}

function valuesText(output) {
  const first = [...floatsOf(output).subarray(0, 6)];
  const shown = first.map((value) =>
    typeof value === 'bigint' ? String(value) : +value.toFixed(4),
  );
  return shown.join(', ') + (output.data.length > first.length ? ', …' : '');
}
