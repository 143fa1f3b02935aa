// What every drawing and table of a report is made of.

/** Text becomes text nodes and attributes alone: no name in a model is read as HTML. */
export function element(name, attributes = {}, ...children) {
  const svg = ['svg', 'g', 'rect', 'line', 'circle', 'text', 'title', 'path'].includes(name);
  const made = svg
    ? document.createElementNS('http://www.w3.org/2000/svg', name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// JSON has no infinity.
export const percent = (x) => (x === null ? 'infinite' : `${(100 * x).toPrecision(3)} %`);
export const range = ([low, high]) => `${percent(low)} to ${percent(high)}`;
export const decibels = (x) => (x === null ? 'exact' : x.toFixed(1));

export function size(bytes) {
  const units = ['B', 'kB', 'MB', 'GB'];
  let unit = 0;
  while (bytes >= 999.5 && unit < 3) {
    bytes /= 1000;
    unit++;
  }
  return `${unit ? bytes.toPrecision(3) : bytes} ${units[unit]}`;
}

const widths = [32, 16, 8, 4, 3, 2];
export const colour = (bits) => `var(--b${widths.find((width) => width <= bits) ?? 2})`;

const report = document.getElementById('report');

export function header(title, ...notes) {
  report.replaceChildren(element('h1', {}, title), ...notes.map((note) => element('p', {}, note)));
  document.title = `${title}: subbyte report`;
}

export function section(title, note, ...children) {
  const made = element('section', {}, element('h2', {}, title));
  if (note) made.append(element('p', {}, note));
  made.append(...children);
  report.append(made);
  return made;
}

export function table(headings, rows, isWrong = () => false) {
  const line = (cells, kind) =>
    element('tr', {}, ...cells.map((cell) => element(kind, {}, String(cell))));
  const body = rows.map((row, index) => {
    const made = line(row, 'td');
    if (isWrong(index)) made.className = 'wrong';
    return made;
  });
  return element(
    'div',
    { class: 'scroll', tabindex: 0 },
    element('table', {}, element('thead', {}, line(headings, 'th')), element('tbody', {}, ...body)),
  );
}

export function key(entries) {
  const items = entries.map(([label, fill]) =>
    element('span', {}, element('i', { style: `background:${fill}` }), label),
  );
  return element('div', { class: 'key' }, ...items);
}

export function drawing(width, height, label, ...children) {
  const attributes = { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label };
  return element('svg', attributes, ...children);
}

export function text(x, y, content, anchor = 'start') {
  return element('text', { x, y, 'text-anchor': anchor }, content);
}

export function line(x1, y1, x2, y2, attributes = { class: 'axis' }) {
  return element('line', { x1, y1, x2, y2, ...attributes });
}

/** What is said of a shape where a pointer rests on it. */
export function hover(shape, content) {
  shape.append(element('title', {}, content));
  return shape;
}

const log = Math.log10;

/**
 * A logarithmic axis for numbers from `least` (above 0) to `most`, onto `from` to `to`: `at(value)`, and the powers of
 * ten, or their fifths and halves where there are few. What is below `least` lies at its place.
 */
export function logarithmic(least, most, from, to) {
  const [low, high] = [log(least), Math.max(log(most), log(least) + 1e-9)];
  const at = (value) => from + ((log(Math.max(value, least)) - low) / (high - low)) * (to - from);
  const steps = high - low > 2.5 ? [1] : high - low > 1 ? [1, 3] : [1, 2, 5];
  const marks = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const step of steps) {
      const value = step * 10 ** power;
      if (value >= least * 0.999 && value <= most * 1.001) marks.push(value);
    }
  }
  return { at, marks };
}
