// The page: a model comes in, is looked at, converted in a worker, and runs.
import { cancel, compile } from './compiler.js';
import { showModel } from './model_view.js';
import { element, fail, get, loadingOf, progress, requireGpu } from './page.js';
import { showResult } from './result_view.js';
import { showRun } from './run_view.js';

/** The visitor's files, the model first; whether it can be converted; and the modules that are on the GPU. */
let files = [];
let convertible = false;
let loaded = [];

requireGpu().catch((error) => {
  // Converting needs no GPU.
  element('software').textContent =
    `${error.message} You can convert models here, but not run them.`;
  element('software').hidden = false;
});
listen();
document.documentElement.dataset.ready = 'true';

function listen() {
  const drop = element('drop');
  element('files').addEventListener('change', ({ target }) => open([...target.files]));
  element('sample').addEventListener('click', takeSample);
  element('cancel').addEventListener('click', cancel);
  element('form').addEventListener('submit', (event) => {
    event.preventDefault();
    const precision = element('precision').value;
    convert(precision === 'size' ? { targetSize: element('size').value } : { precision });
  });
  element('precision').addEventListener('change', ({ target }) => {
    const size = element('size');
    size.hidden = target.value !== 'size';
    size.required = !size.hidden;
    if (!size.hidden) size.focus();
  });
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) drop.classList.remove('over');
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    // A picture dropped on an input's own field is that field's.
    if (!event.target.closest?.('fieldset')) open([...event.dataTransfer.files]);
  });
}

async function takeSample() {
  await guarded('Fetching the sample', async () => {
    const blob = await get('sample.onnx').then((response) => response.blob());
    return open([new File([blob], 'sample.onnx')]);
  });
}

/** The model among the files is the one that ends in .onnx; the others are its weights. */
async function open(chosen) {
  cancel();
  convertible = false;
  for (const id of ['model', 'result', 'run']) element(id).hidden = true;
  await guarded('Reading the model', async (onProgress) => {
    const model = chosen.find(({ name }) => /\.onnx$/i.test(name));
    if (!model) throw new Error('None of these files is a model: its name must end in .onnx.');
    files = [model, ...chosen.filter((file) => file !== model)];
    const facts = await compile('inspect', { files, onProgress });
    convertible = showModel(model.name, facts);
  });
}

/** Converts to a precision, or to a size. */
async function convert(options) {
  const source = files;
  for (const id of ['result', 'run']) element(id).hidden = true;
  await guarded('Converting', async (onProgress) => {
    const began = performance.now();
    // The package's effort in a page is fast.
    const made = await compile('convert', { files, options, onProgress });
    if (source !== files) return;
    showResult({ ...made, seconds: (performance.now() - began) / 1e3 });
    release();
    if (navigator.gpu) showRun(made.manifest.inputs, both(made, source));
  });
}

/** Resolves to the two loaded models, made and loaded when first asked for. */
function both(made, source) {
  let pending = null;
  const make = async () => {
    const options = { precision: 'float32' };
    const onProgress = ({ share, text }) => progress(share, `At float32: ${text}`);
    const reference = await compile('convert', { files: source, options, onProgress });
    return { module: await loadModule(made), reference: await loadModule(reference) };
  };
  return () => {
    pending ??= make();
    pending.catch(() => (pending = null));
    return pending;
  };
}

async function loadModule({ files: written, manifest }) {
  const fileOf = (name) => written.find((file) => file.name === name);
  const code = new Blob([fileOf(manifest.module.name)], { type: 'text/javascript' });
  const url = URL.createObjectURL(code);
  try {
    const { load } = await import(url);
    const model = await load({
      weights: (file, offset, bytes) =>
        fileOf(file)
          .slice(offset, offset + bytes)
          .arrayBuffer(),
      onProgress: (told) => {
        const { share, text } = loadingOf(told, manifest.precision);
        progress(share, text);
      },
    });
    loaded.push(model);
    return model;
  } finally {
    URL.revokeObjectURL(url);
  }
}

function release() {
  for (const model of loaded) model.dispose();
  loaded = [];
}

/** Runs a piece of work with the bar and the button that cancels it; says what went wrong. */
async function guarded(what, work) {
  progress(0, what);
  element('cancel').hidden = false;
  element('convert').disabled = true;
  try {
    await work(({ share, text }) => progress(share, text));
    element('loading').hidden = true;
  } catch (error) {
    if (error.name === 'AbortError') element('loading').hidden = true;
    else fail(error);
  } finally {
    element('cancel').hidden = true;
    element('convert').disabled = !convertible;
  }
}
