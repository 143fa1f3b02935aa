// The tables of docs/performance.md from what model_bench.mjs wrote: node bench/gpu/table.mjs FILE.jsonl...
import { readFileSync } from 'node:fs';

const entries = process.argv.slice(2).flatMap((path) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line)),
);
const gpus = new Set(entries.flatMap(({ gpu }) => gpu ?? []));
console.log(`Measured on ${[...gpus].join('; ')}.\n`);

const errors = new Map();
for (const { contender, relative_l2 } of entries) {
  if (!relative_l2) continue;
  errors.set(contender, Math.max(errors.get(contender) ?? 0, ...Object.values(relative_l2)));
}
console.log('| module | largest relative L2 error of an output |\n|---|---|');
for (const [contender, error] of errors)
  console.log(`| ${contender} | ${error.toExponential(1)} |`);

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const ratios = new Map();
for (const { contender, case: name, ratio_to_last: ratio } of entries) {
  if (ratio === undefined || ratio === 1) continue;
  const key = `${contender} | ${name.replaceAll(',', ', ')}`;
  ratios.set(key, [...(ratios.get(key) ?? []), ratio]);
}
console.log('\n| module | inputs | time of ONNX Runtime Web / time of the module |\n|---|---|---|');
for (const [key, list] of ratios) console.log(`| ${key} | ${(1 / median(list)).toFixed(1)} |`);
