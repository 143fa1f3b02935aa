// The page: loads the recogniser at two precisions and reads the same pixels with both.
import { drawLine, fit, pixelsOf } from './draw.js';
import { duration, element, fail, get, lastWins, loadingOf, megabytes } from './page.js';
import { part, progress, requireGpu } from './page.js';
import { alphabetOf, read } from './recognise.js';

const precisions = ['float32', '8bit'];
const titles = { float32: 'float32', '8bit': '8 bits' };
const example = 'Pack my box with 12 jugs.';
const unsure = 0.9;

/** Resolves to { models, alphabet } when the page reads. */
export const ready = start();
ready.catch(fail);

async function start() {
  await requireGpu();
  element('line').value = example;
  show(drawn());
  const alphabet = alphabetOf(await get('keys.txt').then((response) => response.text()));
  const manifests = await Promise.all(
    precisions.map((name) => get(`read-${name}.webgpu.json`).then((response) => response.json())),
  );
  element('readings').replaceChildren(
    ...precisions.map((name, index) => card(name, manifests[index], manifests[0])),
  );
  const models = {};
  const shares = precisions.map(() => 0);
  await Promise.all(
    precisions.map(async (name, index) => {
      const { load } = await import(`./read-${name}.webgpu.js`);
      models[name] = await load({
        onProgress: (told) => {
          const { share, text } = loadingOf(told, titles[name]);
          shares[index] = (told.phase === 'download' ? 0 : 0.5) + 0.5 * share;
          progress(shares.reduce((a, b) => a + b) / shares.length, text);
        },
      });
    }),
  );
  element('loading').hidden = true;
  await listen((line) => readAll(models, alphabet, line));
  document.documentElement.dataset.ready = 'true';
  return { models, alphabet };
}

/** One after the other, so that neither waits for the other's share of the GPU. */
async function readAll(models, alphabet, line) {
  const readings = [];
  for (const name of precisions) cardOf(name).ariaBusy = 'true';
  for (const name of precisions) {
    const reading = await read(models[name], line, alphabet);
    showReading(name, reading);
    readings.push(reading);
  }
  compare(readings);
}

function drawn() {
  return drawLine(element('line').value, { font: element('face').value });
}

function show(canvas) {
  element('paper').replaceChildren(canvas);
}

function card(name, manifest, widest) {
  const { bytes, bits_per_weight: bits } = manifest.totals;
  const made = part('section', 'reading card');
  made.dataset.precision = name;
  const heading = part('h2', '', titles[name]);
  const size = part('p', 'size', megabytes(bytes));
  const share = part('div', 'meter');
  share.style.setProperty('--share', `${(100 * bytes) / widest.totals.bytes}%`);
  const told = part('p', 'told', `${bits.toFixed(2)} bits a weight`);
  made.append(heading, size, share, part('p', 'text', ''), part('p', 'sure', ''), told);
  return made;
}

const cardOf = (name) => document.querySelector(`[data-precision="${name}"]`);

function showReading(name, { characters, confidence, milliseconds }) {
  const made = cardOf(name);
  made.ariaBusy = 'false';
  const text = made.querySelector('.text');
  text.replaceChildren(
    ...characters.map(({ character, probability }) => {
      const marked = probability < unsure && character !== ' ';
      const shown = part('span', marked ? 'unsure' : '', character);
      shown.title = `${(100 * probability).toFixed(1)} %`;
      return shown;
    }),
  );
  text.classList.toggle('nothing', characters.length === 0);
  made.querySelector('.sure').textContent =
    `${(100 * confidence).toFixed(1)} % sure · ${duration(milliseconds)}`;
}

function compare([first, second]) {
  const same = first.text === second.text;
  element('summary').textContent = same ? 'Both read the same.' : 'They read it differently.';
  element('summary').classList.toggle('same', same);
}

/** Reads the pictured line again whenever it changes. */
async function listen(answer) {
  const next = lastWins(async ({ line, about }) => {
    await answer(line);
    element('readings').dataset.line = about;
    element('loading').hidden = true;
  });
  const ask = (canvas, about) => {
    show(canvas);
    return next({ line: pixelsOf(canvas), about });
  };
  const askDrawn = () => ask(drawn(), element('line').value);
  const askImage = async (file) => {
    if (!file) return;
    try {
      const image = await createImageBitmap(file).catch(() => {
        throw new Error(`'${file.name}' is not an image that this browser can open.`);
      });
      await ask(fit(image), file.name);
    } catch (error) {
      fail(error);
    }
  };
  element('form').addEventListener('submit', (event) => event.preventDefault());
  element('line').addEventListener('input', askDrawn);
  element('face').addEventListener('change', askDrawn);
  element('image').addEventListener('change', ({ target }) => askImage(target.files[0]));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    askImage(event.dataTransfer.files[0]);
  });
  for (const id of ['line', 'face', 'image']) element(id).disabled = false;
  await askDrawn();
  element('line').focus();
}
