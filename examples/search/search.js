// The page: loads the encoder, embeds the passages, and answers queries.
import { embed, nearest } from './encoder.js';

const hitsShown = 5;
const examples = [
  'how do I stop water dripping in the bathroom',
  'why do shooting stars glow',
  'insects that carry heavy things',
  'how to remember new words',
  'calming down before an exam',
];

const element = (id) => document.getElementById(id);

/** Resolves to { passages, vectors } when the page answers queries. */
export const ready = start();
ready.catch(fail);

async function start() {
  if (!navigator.gpu) {
    throw new Error(
      'This browser has no WebGPU. Chrome and Edge 113, Safari 26 and Firefox 141 or newer have it, on most machines; ' +
        'the page must come over https or from localhost.',
    );
  }
  if (!(await navigator.gpu.requestAdapter())) {
    throw new Error('This browser has WebGPU but found no graphics card that it can use it on.');
  }
  const [{ load }, { createTokenizer }, vocabulary, text, manifest] = await Promise.all([
    import('./minilm.webgpu.js'),
    import('./tokenizer.js'),
    get('vocabulary.json').then((response) => response.json()),
    get('passages.txt').then((response) => response.text()),
    get('minilm.webgpu.json').then((response) => response.json()),
  ]);
  const tokenizer = createTokenizer(vocabulary);
  const passages = parse(text);

  const began = performance.now();
  const model = await load({ onProgress: showLoading });
  const loaded = performance.now();
  const vectors = await embed(
    model,
    tokenizer,
    passages.map((passage) => passage.text),
    (done, total) => progress(done / total, `Reading the passages: ${done} of ${total}`),
  );
  const ready = performance.now();

  element('loading').hidden = true;
  showFacts(manifest, loaded - began, ready - loaded, passages.length);
  listen((query) => search(model, tokenizer, passages, vectors, query));
  document.documentElement.dataset.ready = 'true';
  return { passages, vectors };
}

/** Passages stand one on a line, below a line with their topic. */
function parse(text) {
  const passages = [];
  let topic = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('# ')) topic = line.slice(2);
    else if (line.trim()) passages.push({ topic, text: line });
  }
  return passages;
}

async function search(model, tokenizer, passages, vectors, query) {
  const began = performance.now();
  const [vector] = await embed(model, tokenizer, [query]);
  const hits = nearest(vector, vectors, hitsShown);
  const milliseconds = performance.now() - began;
  element('summary').textContent =
    `${passages.length} passages searched in ${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
  element('loading').hidden = true;
  element('hits').replaceChildren(...hits.map(({ index, score }) => hit(passages[index], score)));
}

function hit({ topic, text }, score) {
  const item = document.createElement('li');
  item.append(
    part('span', 'topic', topic),
    part('span', 'score', score.toFixed(3)),
    part('p', 'text', text),
    part('div', 'meter', ''),
  );
  item.style.setProperty('--share', `${Math.max(0, score) * 100}%`);
  return item;
}

function part(tag, name, text) {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

/** Enables the form. Queries that come while one is running wait, and only the last of them is answered. */
function listen(answer) {
  const input = element('query');
  let running = false;
  let waiting = null;
  const ask = async (query) => {
    waiting = query.trim();
    if (running || !waiting) return;
    running = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        await answer(next);
        element('hits').dataset.query = next;
      }
    } catch (error) {
      fail(error);
    } finally {
      running = false;
    }
  };
  element('form').addEventListener('submit', (event) => {
    event.preventDefault();
    ask(input.value);
  });
  element('examples').replaceChildren(
    ...examples.map((text) => {
      const button = part('button', '', text);
      button.type = 'button';
      button.addEventListener('click', () => {
        input.value = text;
        ask(text);
      });
      return button;
    }),
  );
  element('examples').hidden = false;
  input.disabled = false;
  element('button').disabled = false;
  input.focus();
}

function showLoading({ phase, loaded, total }) {
  if (phase === 'download') {
    progress(loaded / total, `Downloading the model: ${megabytes(loaded)} of ${megabytes(total)}`);
  } else {
    progress(loaded / total, `Preparing the GPU: ${loaded} of ${total} programs`);
  }
}

function progress(share, text) {
  element('progress').value = share;
  element('status').textContent = text;
}

function showFacts(manifest, loading, reading, passages) {
  const facts = [
    ['Precision', manifest.precision],
    ['Model', megabytes(manifest.totals.bytes)],
    ['Before', megabytes(manifest.source.bytes)],
    ['Bits per weight', manifest.totals.bits_per_weight.toFixed(2)],
    ['Loaded in', seconds(loading)],
    [`${passages} passages in`, seconds(reading)],
  ];
  element('facts').replaceChildren(
    ...facts.map(([name, value]) => {
      const pair = document.createElement('div');
      pair.append(part('dt', '', name), part('dd', '', value));
      return pair;
    }),
  );
  element('facts').hidden = false;
}

function fail(error) {
  console.error(error);
  element('loading').hidden = false;
  element('loading').classList.add('failed');
  element('status').textContent = error.message;
}

async function get(name) {
  const response = await fetch(new URL(name, import.meta.url));
  if (!response.ok)
    throw new Error(`${name} could not be loaded: the server answered ${response.status}.`);
  return response;
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const seconds = (milliseconds) => `${(milliseconds / 1e3).toFixed(1)} s`;
