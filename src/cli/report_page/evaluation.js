// The page of `subbyte evaluate`.
import {
  colour,
  decibels,
  drawing,
  element,
  header,
  hover,
  line,
  logarithmic,
  percent,
  range,
  section,
  size,
  table,
  text,
} from './drawing.js';
import { bytes, histograms, wider } from './weights.js';

/** The error of what each layer computes, in the order of the graph. */
function errors(layers, firstWrong) {
  const [width, height, left, bottom] = [380, 220, 42, 20];
  const known = layers.map((layer) => layer.relative_l2 ?? 10);
  const least = Math.max(1e-6, Math.min(...known.filter((x) => x > 0), 1));
  const low = 10 ** Math.floor(Math.log10(least));
  const high = 10 ** Math.max(0, Math.ceil(Math.log10(Math.max(...known, 1e-6))));
  const x = (index) => left + ((index + 0.5) / layers.length) * (width - left);
  const { at, marks } = logarithmic(low, high, height - bottom, 10);
  const shapes = marks.flatMap((mark) => [
    line(left, at(mark), width, at(mark)),
    text(left - 4, at(mark) + 4, `${+(100 * mark).toPrecision(1)} %`, 'end'),
  ]);
  if (firstWrong !== null)
    shapes.push(
      line(x(firstWrong), 10, x(firstWrong), height - bottom, { stroke: 'var(--wrong)' }),
    );
  layers.forEach((layer, index) => {
    const attributes = { cx: x(index), cy: at(known[index]), r: 3, fill: colour(layer.bits) };
    const label = `${layer.node || layer.weight}: ${percent(layer.relative_l2)}, ${layer.bits} bits`;
    shapes.push(hover(element('circle', attributes), label));
  });
  shapes.push(text(left, height - 4, 'first'), text(width, height - 4, 'last', 'end'));
  return drawing(width, height, 'error of each layer', ...shapes);
}

function outputs(data) {
  section(
    'Outputs',
    'Relative L2 error against the source, with the 95 % interval over samples.',
    table(
      ['output', 'error', '95 %', 'SQNR dB', 'KL, nats', 'flips'],
      data.outputs.map((one) => [
        one.name,
        percent(one.relative_l2),
        range(one.relative_l2_interval),
        decibels(one.sqnr_db),
        one.kl === undefined ? '' : (one.kl?.toPrecision(3) ?? 'infinite'),
        one.flips === undefined ? '' : percent(one.flips),
      ]),
    ),
  );
  const perplexities = data.outputs.filter((one) => one.perplexity);
  if (!perplexities.length) return;
  const shown = (x) => (x === null ? 'infinite' : x.toFixed(3));
  section(
    'Perplexity',
    '',
    table(
      ['output', 'source', 'module'],
      perplexities.map(({ name, perplexity }) => [
        name,
        shown(perplexity.source),
        shown(perplexity.module),
      ]),
    ),
  );
}

function tasks(metrics) {
  if (!metrics.length) return;
  const shown = (x) => (x === null ? 'unknown' : x.toFixed(4));
  section(
    'Tasks',
    '',
    table(
      ['metric', 'source', 'module', 'difference', '95 %', 'items', 'against'],
      metrics.map((one) => [
        `${one.metric} of ${one.output}`,
        shown(one.source),
        shown(one.module),
        shown(one.difference),
        one.difference_interval.map(shown).join(' to '),
        one.items,
        one.against,
      ]),
    ),
  );
}

function whereItGoesWrong({ layers, first_wrong }) {
  if (!layers.length) return;
  const note = 'The error of what each layer computes, in the order of the graph.';
  const name = layers[first_wrong]?.node || layers[first_wrong]?.weight;
  section(
    'Where it goes wrong',
    first_wrong === null
      ? `${note} No layer is off by 10 %.`
      : `${note} The first that is off by 10 % is ${name}.`,
    errors(layers, first_wrong),
  );
}

export function showEvaluation(data) {
  header(
    data.module.split('/').pop(),
    `${data.precision}: ${size(data.bytes)} of weights, ${data.bits_per_weight.toFixed(2)} bits a weight; the source ` +
      `${data.source.split('/').pop()} has ${size(data.source_bytes)}.`,
    `Compared on ${data.samples.count} samples, ${data.samples.are}; run by ${data.runtime}.`,
  );
  outputs(data);
  tasks(data.metrics);
  bytes(data.weights);
  whereItGoesWrong(data);
  histograms(data.histograms);
  if (data.layers.length)
    section(
      'Layers',
      '',
      table(
        ['node', 'bits', 'bytes', 'error', 'SQNR dB'],
        data.layers.map((layer) => [
          layer.node || layer.weight,
          layer.bits,
          size(layer.bytes),
          percent(layer.relative_l2),
          decibels(layer.sqnr_db),
        ]),
        (index) => index === data.first_wrong,
      ),
    ).classList.add('long');
  wider(data.weights);
}
