// The page: loads the encoder, embeds the passages, and answers queries.
import { embed, nearest } from './encoder.js';
import { duration, element, fail, get, lastWins, loadingOf, megabytes } from './page.js';
import { part, progress, requireGpu, showFacts } from './page.js';
import { passagesOf, passagesOfText } from './passages.js';

const hitsShown = 5;
const examples = [
  'how do I stop water dripping in the bathroom',
  'why do shooting stars glow',
  'insects that carry heavy things',
  'how to remember new words',
  'calming down before an exam',
];

/** Resolves to { passages, vectors } when the page answers queries. */
export const ready = start();
ready.catch(fail);

async function start() {
  await requireGpu();
  const [{ load }, { createTokenizer }, vocabulary, text, manifest] = await Promise.all([
    import('./minilm.webgpu.js'),
    import('./tokenizer.js'),
    get('vocabulary.json').then((response) => response.json()),
    get('passages.txt').then((response) => response.text()),
    get('minilm.webgpu.json').then((response) => response.json()),
  ]);
  const tokenizer = createTokenizer(vocabulary);
  const began = performance.now();
  const model = await load({
    onProgress: (told) => {
      const { share, text } = loadingOf(told, 'the model');
      progress(share, text);
    },
  });
  const loaded = performance.now();
  const example = await indexed(model, tokenizer, passagesOf(text));
  const ready = performance.now();

  element('loading').hidden = true;
  showFacts([
    ['Precision', manifest.precision],
    ['Model', megabytes(manifest.totals.bytes)],
    ['Before', megabytes(manifest.source.bytes)],
    ['Bits per weight', manifest.totals.bits_per_weight.toFixed(2)],
    ['Loaded in', duration(loaded - began)],
    [`${example.passages.length} passages in`, duration(ready - loaded)],
  ]);
  let index = example;
  const ask = lastWins(async (query) => {
    await search(model, tokenizer, index, query);
    element('hits').dataset.query = query;
  });
  listen(ask);
  listenToOwnText(async (own) => {
    index = own ? await indexed(model, tokenizer, passagesOfText(own)) : example;
    element('loading').hidden = true;
    const query = element('query').value.trim();
    if (query) await ask(query);
  });
  document.documentElement.dataset.ready = 'true';
  return example;
}

/** Passages and their vectors, the bar telling how far it is. */
async function indexed(model, tokenizer, passages) {
  if (passages.length === 0) throw new Error('There is no passage in this text.');
  const texts = passages.map((passage) => passage.text);
  const vectors = await embed(model, tokenizer, texts, (done, total) =>
    progress(done / total, `Reading the passages: ${done} of ${total}`),
  );
  return { passages, vectors };
}

async function search(model, tokenizer, { passages, vectors }, query) {
  element('hits').ariaBusy = 'true';
  const began = performance.now();
  const [vector] = await embed(model, tokenizer, [query]);
  const hits = nearest(vector, vectors, hitsShown);
  const taken = performance.now() - began;
  element('hits').ariaBusy = 'false';
  element('summary').textContent = `${passages.length} passages searched in ${duration(taken)}`;
  element('hits').replaceChildren(...hits.map(({ index, score }) => hit(passages[index], score)));
}

function hit({ topic, text }, score) {
  const item = part('li', 'card');
  item.append(
    part('span', 'topic', topic),
    part('span', 'score', score.toFixed(3)),
    part('p', 'text', text),
    part('div', 'meter'),
  );
  item.style.setProperty('--share', `${Math.max(0, score) * 100}%`);
  return item;
}

function listen(ask) {
  const input = element('query');
  element('form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (input.value.trim()) ask(input.value.trim());
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

/** `use` gets the text that the visitor gave, or null for the example's again. */
function listenToOwnText(use) {
  const button = element('own-button');
  const back = element('own-back');
  const change = async (text) => {
    button.disabled = back.disabled = true;
    try {
      await use(text);
      back.hidden = text === null;
    } catch (error) {
      fail(error);
    } finally {
      button.disabled = back.disabled = false;
    }
  };
  element('own-form').addEventListener('submit', (event) => {
    event.preventDefault();
    change(element('own-text').value);
  });
  back.addEventListener('click', () => change(null));
  button.disabled = false;
}
