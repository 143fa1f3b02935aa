// The pages of `subbyte convert` and `subbyte quantize`.
import {
  decibels,
  drawing,
  element,
  header,
  percent,
  range,
  section,
  size,
  table,
  text,
} from './drawing.js';
import { bytes, histograms, wider } from './weights.js';
import { widths } from './widths.js';

/** The error of the outputs before and after each step of calibration. */
function steps(calibration) {
  const all = [
    ['rounded', 'rounded to nearest'],
    ['biases', 'with biases corrected'],
    ['codes', 'with codes chosen'],
    ['codes_and_biases', 'with both'],
  ].filter(([name]) => name in calibration); // no biases of a language model are tried
  const most = Math.max(...all.map(([name]) => calibration[name] ?? 10), 1e-9);
  const kept = calibration.kept === 'nothing' ? 'rounded' : calibration.kept;
  const shapes = all.flatMap(([name, label], index) => {
    const y = index * 38;
    const error = calibration[name];
    const fill = name === kept ? 'var(--b8)' : 'var(--b32)';
    const width = ((error ?? 10) / most) * 380;
    return [
      text(0, y + 12, `${label}: ${percent(error)}${name === kept ? ', kept' : ''}`),
      element('rect', { x: 0, y: y + 16, width, height: 14, fill }),
    ];
  });
  return drawing(380, all.length * 38, 'error of the outputs by step of calibration', ...shapes);
}

/** What tuning on the user's samples made of what calibration kept. */
function tuned({ tuning }) {
  if (!tuning) return '';
  if (tuning.skipped) return ` It was not tuned end to end: ${tuning.skipped}.`;
  return ` Tuned end to end in ${tuning.steps} steps, it went from ${percent(tuning.before)} to ${percent(tuning.after)}.`;
}

function calibrated({ calibration, not_calibrated }) {
  if (calibration)
    section(
      'What calibration bought',
      'The mean relative error of the outputs, on samples that it did not see. What leaves least, and more on no kind of ' +
        `samples, is kept.${tuned(calibration)}`,
      steps(calibration),
    );
  else if (not_calibrated) section('Calibration', `It did not run: ${not_calibrated}.`);
}

function checked(check) {
  if (!check) return;
  if (check.skipped) {
    section('Outputs', `Accuracy was not checked: ${check.skipped}.`);
    return;
  }
  section(
    'Outputs',
    `Relative L2 error against the float model, on ${check.samples} samples (${check.made_of}) that calibration did not ` +
      'see, with the 95 % interval over samples.',
    table(
      ['output', 'error', '95 %', 'KL, nats', 'flips'],
      check.outputs.map((one) => [
        one.name,
        percent(one.relative_l2),
        range(one.relative_l2_interval),
        one.kl === undefined ? '' : (one.kl?.toPrecision(3) ?? 'infinite'),
        one.flips === undefined ? '' : percent(one.flips),
      ]),
    ),
  );
}

function weights(all) {
  const lost = all.some(({ loss }) => loss !== undefined);
  const shown = all.filter(({ sqnr_db }) => sqnr_db !== undefined);
  if (!shown.length) return;
  section(
    'Weights',
    lost
      ? 'Lost: of the outputs, by this weight alone.'
      : 'SQNR: of the numbers, against the source.',
    table(
      ['weight', 'layer', 'component', 'bits', 'bytes', 'SQNR dB', ...(lost ? ['lost'] : [])],
      shown.map((one) => [
        one.name,
        one.layer ?? '',
        one.component,
        one.bits,
        size(one.bytes),
        decibels(one.sqnr_db),
        ...(lost ? [one.loss?.toPrecision(2) ?? ''] : []),
      ]),
    ),
  ).classList.add('long');
}

export function showConversion(data) {
  const source = data.source.split('/').pop();
  const before = data.source_bytes === undefined ? '' : ` of ${size(data.source_bytes)}`;
  const stored = `${size(data.bytes)} of weights, ${data.bits_per_weight.toFixed(2)} bits a weight`;
  header(
    data.output.split('/').pop(),
    data.verb === 'quantize'
      ? `Widths for ${source}, ${data.asked}: ${stored}.`
      : `${source}${before}, ${data.asked}: ${stored}.`,
  );
  checked(data.check);
  bytes(data.weights);
  calibrated(data);
  widths(data.widths, data.not_measured);
  histograms(data.histograms);
  weights(data.weights);
  wider(data.weights);
}
