// What the page says of a model before it is converted.
import { element, megabytes, part } from './page.js';

/** Shows what `inspect` says of the model, in #model. Returns whether it can be converted. */
export function showModel(name, facts) {
  const section = element('model');
  section.querySelector('h2').textContent = name;
  const { parameters, bytes } = facts.totals;
  const body = [
    part(
      'p',
      '',
      `${count(parameters)} weights, ${megabytes(bytes)}; made by ${facts.producer || 'an unnamed exporter'}, ` +
        `opset ${facts.opset}.`,
    ),
  ];
  if (facts.unsupported.length > 0) {
    const list = facts.unsupported.map((line) => part('li', '', line));
    body.push(
      part('h3', '', 'What subbyte does not support in it'),
      part('ul', 'unsupported', ...list),
    );
  }
  body.push(part('h3', '', 'Inputs'), ports(facts.inputs));
  body.push(part('h3', '', 'Outputs'), ports(facts.outputs));
  if (parameters > 0) body.push(part('h3', '', 'Components'), bars(facts.components, parameters));
  if (facts.layers.length > 1) {
    const layers = facts.layers.map((entry) => ({ ...entry, component: `layer ${entry.layer}` }));
    body.push(
      part('details', '', part('summary', '', `${layers.length} layers`), bars(layers, parameters)),
    );
  }
  section.querySelector('.body').replaceChildren(...body);
  section.hidden = false;
  return facts.unsupported.length === 0;
}

function ports(list) {
  return part(
    'ul',
    'ports',
    ...list.map(({ name, dtype, dims }) =>
      part('li', '', `${name} `, part('code', '', `${dtype} [${dims.map(dimText).join(', ')}]`)),
    ),
  );
}

const dimText = (dim) => (dim === null ? '?' : String(dim));

function bars(entries, total) {
  const made = part('div', 'bars');
  for (const { component, parameters } of entries) {
    const meter = part('div', 'meter');
    meter.style.setProperty('--share', `${(100 * parameters) / total}%`);
    made.append(part('span', '', component.replaceAll('_', ' ')), meter);
    made.append(part('span', '', count(parameters)));
  }
  return made;
}

/** 22600000 as "22.6 million". */
export function count(number) {
  if (number >= 1e6) return `${(number / 1e6).toFixed(1)} million`;
  return number.toLocaleString('en');
}
