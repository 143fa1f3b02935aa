// Runs one module at sizes that change from run to run:
//   node changing_sizes.mjs JOB.json RESULT.json
// { module, dims: { name: [least, most] }, runs, seed, most: { input: value } }: runs of random sizes in random order, on arenas
// filled with NaN that runs of other sizes share, and on arenas of exactly their own size. Writes { different: [...] }, the
// runs and outputs that are not the same bit for bit, and what the first model made.
// { module, state: { past: present }, dims: { name: size }, growing: name, runs, seed, most }: the present outputs, kept, are the
// past inputs of the next run, from 0 on. Writes { made: [[arenas, buffers, bind groups] of each run], pipelines, inputs, outputs }.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { makeDevice, observe, random } from '../runtime/support.mjs';

const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const next = random(job.seed);
const device = await makeDevice();
const log = observe(device);
const { load } = await import(pathToFileURL(job.module).href);
const dimsOf = (list, sizes) => list.map((dim) => (typeof dim === 'number' ? dim : sizes[dim]));

function makeInput({ name, dtype, dims }, sizes) {
  const shape = dimsOf(dims, sizes);
  const count = shape.reduce((a, b) => a * b, 1);
  const most = job.most?.[name] ?? 1;
  const data =
    dtype === 'int64'
      ? BigInt64Array.from({ length: count }, () => BigInt(Math.floor(next() * (most + 1))))
      : Float32Array.from({ length: count }, () => next() - 0.5);
  return { data, dims: shape };
}

const bits = ({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

async function randomSizes() {
  const shared = await load({ device, internal: { poison: true } });
  const exact = await load({ device, internal: { poison: true, exactSizes: true } });
  const different = [];
  let made = 0;
  let sizes;
  for (let run = 0; run < job.runs; ++run) {
    // A walk by small steps, and now and then anywhere.
    const jump = !sizes || next() < 0.25;
    sizes = Object.fromEntries(
      Object.entries(job.dims).map(([name, [least, most]]) => {
        const size = jump
          ? least + Math.floor(next() * (most - least + 1))
          : sizes[name] + Math.floor(next() * 2);
        return [name, Math.min(size, most)];
      }),
    );
    const inputs = Object.fromEntries(
      shared.inputs.map((input) => [input.name, makeInput(input, sizes)]),
    );
    const before = log.buffersMade;
    const found = await shared.run(inputs);
    if (log.buffersMade > before) ++made;
    const expected = await exact.run(inputs);
    for (const [name, value] of Object.entries(expected)) {
      if (!bits(value).equals(bits(found[name]))) different.push({ run, name, sizes });
    }
  }
  return { different, made };
}

async function growingState() {
  const model = await load({ device, internal: { poison: true } });
  const pasts = Object.keys(job.state);
  const presents = Object.values(job.state);
  const sizes = { ...job.dims, [job.growing]: 0 };
  let states = {};
  const made = [];
  let outputs;
  const inputs = [];
  for (let run = 0; run < job.runs; ++run) {
    sizes[job.growing] = run;
    const fresh = Object.fromEntries(
      model.inputs
        .filter(({ name }) => run === 0 || !pasts.includes(name))
        .map((input) => [input.name, makeInput(input, sizes)]),
    );
    inputs.push(
      Object.fromEntries(
        Object.entries(fresh).map(([name, { data }]) => [name, [...data].map(Number)]),
      ),
    );
    const count = () => [log.count['subbyte arena'] ?? 0, log.buffersMade, log.bindGroups];
    const before = count();
    outputs = await model.run({ ...fresh, ...states }, { keep: presents });
    made.push(count().map((now, i) => now - before[i]));
    for (const state of Object.values(states)) state.dispose();
    states = Object.fromEntries(pasts.map((past) => [past, outputs[job.state[past]]]));
  }
  const last = {};
  for (const [name, output] of Object.entries(outputs)) {
    const { data, dims } = presents.includes(name) ? await output.read() : output;
    last[name] = { data: [...data].map(Number), dims };
  }
  return { made, pipelines: log.pipelines, inputs, outputs: last };
}

const result = await (job.state ? growingState() : randomSizes());
writeFileSync(process.argv[3], JSON.stringify(result));
if (log.errors.length > 0) throw new Error(log.errors.join('\n'));
process.exit(0);
