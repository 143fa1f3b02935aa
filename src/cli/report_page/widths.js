// What widths cost: the curve of each weight, and whole models by their bytes.
import {
  drawing,
  element,
  hover,
  key,
  line,
  logarithmic,
  percent,
  section,
  size,
  table,
  text,
} from './drawing.js';

const highlights = 5;
const inks = ['--b2', '--b4', '--b8', '--b16', '--b3'].map((name) => `var(${name})`);

const lossAt = ({ widths }, bits) => widths.find((width) => width.bits === bits)?.loss;

/** The loss of the outputs by each weight alone, at each number of bits; the most sensitive in colour. */
function curves(weights) {
  const [width, height, left, bottom] = [380, 240, 48, 20];
  const bits = [...new Set(weights.flatMap(({ widths }) => widths.map((one) => one.bits)))].sort(
    (a, b) => a - b,
  );
  const losses = weights.flatMap(({ widths }) => widths.map(({ loss }) => loss));
  const most = Math.max(...losses, 1e-9);
  const { at, marks } = logarithmic(Math.max(most * 1e-7, 1e-12), most, height - bottom, 8);
  const x = (number) =>
    left + 8 + (bits.indexOf(number) / Math.max(bits.length - 1, 1)) * (width - left - 16);
  const shapes = marks.flatMap((mark) => [
    line(left, at(mark), width, at(mark)),
    text(left - 4, at(mark) + 4, mark.toExponential(0), 'end'),
  ]);
  bits.forEach((number) => shapes.push(text(x(number), height - 4, `${number}`, 'middle')));
  // Those in colour lie above the others.
  [...weights.entries()].reverse().forEach(([index, { name, widths }]) => {
    const points = widths.map(({ bits, loss }) => `${x(bits).toFixed(1)} ${at(loss).toFixed(1)}`);
    const marked = index < highlights;
    const path = element('path', {
      d: `M${points.join('L')}`,
      fill: 'none',
      stroke: marked ? inks[index] : 'var(--line)',
      'stroke-width': marked ? 2 : 1,
    });
    shapes.push(hover(path, name));
  });
  return drawing(width, height, 'loss of the outputs by bits of each weight', ...shapes);
}

function sensitivities({ weights: all, tuning_samples }) {
  if (!all.length) return;
  const lost = (one) => lossAt(one, 3) ?? one.widths[0].loss;
  const weights = [...all].sort((a, b) => lost(b) - lost(a));
  const shown = (x) => (x === undefined ? '' : x.toPrecision(2));
  section(
    'Sensitivity',
    `What the outputs lose where one weight alone is stored at so many bits, measured on ${tuning_samples} samples (the ` +
      'square of their relative error, or their divergence); across: bits. Widths that were not run follow from those ' +
      'that were by the noise of rounding.',
    key(weights.slice(0, highlights).map(({ name }, index) => [name, inks[index]])),
    curves(weights),
    table(
      ['most sensitive', '8 bits', '4', '3', '2'],
      weights
        .slice(0, 12)
        .map((one) => [one.name, ...[8, 4, 3, 2].map((bits) => shown(lossAt(one, bits)))]),
    ),
  );
}

const named = {
  mixed: 'as mixed',
  chosen: 'chosen',
  mix: 'mix',
};
const kinds = [
  ['chosen', 'chosen here', 'var(--b2)'],
  ['precision', 'one precision for all', 'var(--b8)'],
  ['mixed', 'mixed, in the bytes of --precision mixed', 'var(--b4)'],
  ['mix', 'mixes that lose least', 'var(--b16)'],
];
const inkOf = (kind) => kinds.find(([name]) => name === kind)[2];
const nameOf = ({ kind, name }) => name || named[kind];

/** What models lose for their bytes; what loses nothing lies on the lower edge. */
function frontier(models) {
  const [width, height, left, bottom] = [380, 280, 48, 34];
  const lossy = models.map(({ error }) => error ?? 10).filter((error) => error > 0);
  const least = Math.max(Math.min(...lossy, 1), 1e-6) / 1.5;
  const vertical = logarithmic(least, Math.max(...lossy, least * 10), height - bottom, 12);
  const sizes = models.map(({ bytes }) => bytes);
  const across = logarithmic(Math.min(...sizes), Math.max(...sizes), left + 14, width - 14);
  const x = ({ bytes }) => across.at(bytes);
  const y = ({ error }) => vertical.at(error === null ? 10 : error || least);
  const shapes = vertical.marks.flatMap((mark) => [
    line(left, vertical.at(mark), width, vertical.at(mark)),
    text(left - 4, vertical.at(mark) + 4, `${+(100 * mark).toPrecision(1)} %`, 'end'),
  ]);
  shapes.push(line(left, height - bottom, width, height - bottom));
  for (const mark of across.marks)
    shapes.push(text(across.at(mark), height - 18, size(mark), 'middle'));
  shapes.push(text(width, height - 3, 'bytes of weights', 'end'));
  const mixes = models.filter(({ kind }) => kind === 'mix');
  const path = mixes.map((one) => `${x(one).toFixed(1)} ${y(one).toFixed(1)}`).join('L');
  if (mixes.length)
    shapes.push(element('path', { d: `M${path}`, fill: 'none', stroke: inkOf('mix') }));
  const radius = { chosen: 6, precision: 4, mixed: 4, mix: 2.5 };
  for (const [kind, , fill] of [...kinds].reverse())
    for (const model of models.filter((one) => one.kind === kind)) {
      const circle = element('circle', { cx: x(model), cy: y(model), r: radius[kind], fill });
      const label = `${nameOf(model)}: ${size(model.bytes)}, ${percent(model.error)}`;
      shapes.push(hover(circle, label));
      if (kind === 'precision')
        shapes.push(
          text(x(model), y(model) - 8, model.name, x(model) > width - 40 ? 'end' : 'middle'),
        );
    }
  return drawing(width, height, 'error of the outputs by bytes', ...shapes);
}

export function widths(study, notMeasured) {
  if (!study) {
    section('Size against loss', `Not measured: ${notMeasured}.`);
    return;
  }
  const { models } = study;
  const flips = models.some((model) => model.flips !== undefined);
  section(
    'Size against loss',
    `The relative error of the output that loses most, on ${study.held_out_samples} samples that no width was chosen by, ` +
      'weights rounded and biases corrected: calibration leaves less.',
    key(
      kinds.filter(([kind]) => models.some((one) => one.kind === kind)).map((one) => one.slice(1)),
    ),
    frontier(models),
    table(
      ['widths', 'bytes', 'error', ...(flips ? ['flips', 'KL, nats'] : [])],
      models.map((model) => [
        nameOf(model),
        size(model.bytes),
        percent(model.error),
        ...(flips
          ? [
              percent(model.flips),
              model.kl === undefined ? '' : (model.kl?.toPrecision(3) ?? 'infinite'),
            ]
          : []),
      ]),
    ),
  );
  sensitivities(study);
}
