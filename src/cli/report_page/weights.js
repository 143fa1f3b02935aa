// What a report tells of weights, whatever it compares.
import { colour, decibels, drawing, element, hover, key, section, size, text } from './drawing.js';

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** A bar for each group of weights, its parts as wide as the bytes of each number of bits. */
function bars(groups, label) {
  const [width, step] = [380, 38];
  const most = Math.max(...groups.map(([, weights]) => sum(weights.map(({ bytes }) => bytes))));
  const shapes = [];
  groups.forEach(([name, weights], index) => {
    const y = index * step;
    const parts = new Map();
    for (const { bits, bytes } of weights) parts.set(bits, (parts.get(bits) ?? 0) + bytes);
    shapes.push(text(0, y + 12, `${name}, ${size(sum([...parts.values()]))}`));
    let x = 0;
    for (const [bits, bytes] of [...parts].sort((a, b) => b[0] - a[0])) {
      const wide = (bytes / most) * width;
      const bar = element('rect', { x, y: y + 16, width: wide, height: 14, fill: colour(bits) });
      shapes.push(hover(bar, `${name}, ${bits} bits: ${size(bytes)}`));
      x += wide;
    }
  });
  return drawing(width, groups.length * step, label, ...shapes);
}

function grouped(weights, nameOf) {
  const groups = new Map();
  for (const weight of weights) {
    const name = nameOf(weight);
    groups.set(name, [...(groups.get(name) ?? []), weight]);
  }
  return [...groups];
}

export function bytes(weights) {
  const used = [...new Set(weights.map(({ bits }) => bits))].sort((a, b) => b - a);
  const total = ([, ofOne]) => sum(ofOne.map((weight) => weight.bytes));
  const components = grouped(weights, ({ component }) => component);
  section(
    'Bytes',
    'Of each component, by the bits of its weights; scales and zero points counted.',
    key(used.map((bits) => [`${bits} bits`, colour(bits)])),
    bars(
      components.sort((a, b) => total(b) - total(a)),
      'bytes of each component by bits',
    ),
  );
  const layers = grouped(
    weights.filter(({ layer }) => layer !== null).sort((a, b) => a.layer - b.layer),
    ({ layer }) => `layer ${layer}`,
  );
  if (layers.length < 2) return;
  const rest = weights.filter(({ layer }) => layer === null);
  if (rest.length) layers.push(['in no layer', rest]);
  section('Bytes by layer', '', bars(layers, 'bytes of each layer by bits')).classList.add('long');
}

/** How often the source's weights (an outline) and the stored ones (bars) lie in each interval. */
function histogram({ name, bits, sqnr_db, low, high, source, module }) {
  const [width, height] = [260, 110];
  const most = Math.max(...source, ...module);
  const step = width / source.length;
  const y = (count) => height - Math.sqrt(count / most) * (height - 4);
  const shapes = module.map((count, index) =>
    element('rect', {
      x: index * step,
      y: y(count),
      width: step,
      height: height - y(count),
      fill: colour(bits),
    }),
  );
  const outline = source
    .map((count, index) => `L${index * step} ${y(count)}H${(index + 1) * step}`)
    .join('');
  const d = `M0 ${height}${outline}V${height}`;
  shapes.push(
    element('path', { d, fill: 'none', stroke: 'var(--ink)' }),
    text(0, height + 12, low.toPrecision(3)),
    text(width, height + 12, high.toPrecision(3), 'end'),
  );
  const caption = `${name}: ${bits} bits, SQNR ${decibels(sqnr_db)} dB`;
  return element(
    'figure',
    {},
    drawing(width, height + 16, caption, ...shapes),
    element('figcaption', {}, caption),
  );
}

export function histograms(all) {
  if (!all.length) return;
  section(
    'The weights that lose most',
    'Bars: what the module computes with. Outline: the source. Heights are square roots of counts.',
    element('div', { class: 'many' }, ...all.map(histogram)),
  );
}

/** What stayed wider, by why: most reasons are those of many weights. */
export function wider(weights) {
  const reasons = grouped(
    weights.filter(({ reason }) => reason),
    ({ reason }) => reason,
  );
  if (!reasons.length) return;
  const total = ([, ofOne]) => sum(ofOne.map((weight) => weight.bytes));
  const items = reasons
    .sort((a, b) => total(b) - total(a))
    .map(([reason, ofOne]) =>
      element(
        'details',
        ofOne.length <= 8 ? { open: '' } : {},
        element(
          'summary',
          {},
          `${reason}: ${ofOne.length} ${ofOne.length === 1 ? 'weight' : 'weights'}, ${size(total(['', ofOne]))}`,
        ),
        element('p', {}, ofOne.map(({ name, bits }) => `${name} (${bits} bits)`).join(', ')),
      ),
    );
  section('Stored wider than asked', '', ...items).classList.add('long');
}
