// What the page says of a module: sizes, how far it is from its source, and each weight.
import { element, part, showFacts, sizeText } from './page.js';

let shown = [];

/** Shows a converted module: { manifest, files, seconds } in #result. */
export function showResult({ manifest, files, seconds }) {
  for (const url of shown) URL.revokeObjectURL(url);
  shown = [];
  const { totals, source, weights, check } = manifest;
  const all = files.reduce((sum, file) => sum + file.size, 0);
  showFacts([
    ['Before', sizeText(source.bytes)],
    ['After, all files', sizeText(all)],
    ['Weights', sizeText(totals.bytes)],
    ['Bits per weight', totals.bits_per_weight.toFixed(2)],
    ['Converted in', `${seconds.toFixed(1)} s`],
  ]);
  element('check').textContent = checkText(check);
  element('downloads').replaceChildren(...files.map(download));
  showWeights(weights);
  element('result').hidden = false;
}

function checkText(check) {
  if (!check) return '';
  if (check.skipped)
    return `How far its outputs are from the model's was not measured: ${check.skipped}`;
  const errors = check.outputs.map(({ relative_l2: error }) => error ?? Infinity);
  const worst = Math.max(...errors);
  return (
    `Its outputs differ from the model's by ${percent(worst)} (relative L2, the worst of ` +
    `${errors.length === 1 ? 'one output' : `${errors.length} outputs`}, on ${check.samples} made inputs).`
  );
}

const kinds = [
  ['.d.ts', 'Types .d.ts'],
  ['.js', 'Module .js'],
  ['.bin', 'Weights .bin'],
  ['.json', 'Manifest .json'],
];

function download(file) {
  const { name, size } = file;
  const url = URL.createObjectURL(file);
  shown.push(url);
  const [, kind] = kinds.find(([end]) => name.endsWith(end)) ?? ['', name];
  const link = part('a', '', `${kind} · ${sizeText(size)}`);
  link.href = url;
  link.download = name;
  link.title = `Download ${name}`;
  return link;
}

/** Of each its head, what it is sorted by, and how that is shown where it is not shown as it is. */
const columns = [
  ['weight', (weight) => weight.name],
  ['layer', (weight) => weight.layer ?? ''],
  ['component', (weight) => weight.component.replaceAll('_', ' ')],
  ['bits', (weight) => weight.bits],
  ['kB', (weight) => weight.bytes, (bytes) => (bytes / 1e3).toFixed(1)],
  ['SQNR, dB', (weight) => weight.sqnr_db ?? '∞'],
  ['why wider', (weight) => weight.reason ?? ''],
];

/** The table, in the manifest's order until a column's head is pressed: then by that column, and back. */
function showWeights(weights) {
  let sorted = { column: null, down: false };
  const table = element('weights');
  const draw = () => {
    const rows = [...weights];
    if (sorted.column !== null) {
      const value = columns[sorted.column][1];
      rows.sort((a, b) => compare(value(a), value(b)) * (sorted.down ? -1 : 1));
    }
    const heads = columns.map(([name], index) => head(name, index));
    const lines = rows.map((weight) =>
      part('tr', '', ...columns.map(([, value, text = String]) => cell(text(value(weight))))),
    );
    table.replaceChildren(part('thead', '', part('tr', '', ...heads)), part('tbody', '', ...lines));
  };
  const head = (name, index) => {
    const button = part('button', '', name);
    button.type = 'button';
    button.addEventListener('click', () => {
      sorted = { column: index, down: sorted.column === index && !sorted.down };
      draw();
      table.querySelectorAll('th button')[index].focus();
    });
    const made = part('th', '', button);
    if (sorted.column === index) made.ariaSort = sorted.down ? 'descending' : 'ascending';
    return made;
  };
  draw();
}

function cell(text) {
  const made = part('td', '', text);
  made.title = text;
  return made;
}

function compare(a, b) {
  const order = (value) => (value === '∞' ? Infinity : value);
  [a, b] = [order(a), order(b)];
  if (typeof a === 'number' && typeof b === 'number') return a === b ? 0 : a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}

export const percent = (share) => `${(100 * share).toPrecision(2)} %`;
