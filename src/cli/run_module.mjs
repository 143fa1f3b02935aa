// Runs a converted module on samples, in Node, through the npm package `webgpu`:
//   node run_module.mjs MODULE FOLDER
// FOLDER/jobs.json is [[{ name, dtype, dims, file }]], the inputs of each sample, `file` holding the bytes. Writes
// FOLDER/results.json, [[{ name, dtype, dims, file }]], and the files of the outputs. What is missing is told on stderr.
// esbuild makes one file of it.
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { TYPES } from '../../runtime/src/dtype.ts';

const [modulePath, folder] = process.argv.slice(2);

function fail(message) {
  console.error(message);
  process.exit(3);
}

/** The package, from where the program was started, or from the module's own folder. */
async function webgpu() {
  for (const base of [process.cwd(), path.dirname(path.resolve(modulePath))]) {
    try {
      const found = createRequire(path.join(base, 'anything.js')).resolve('webgpu');
      return await import(pathToFileURL(found).href);
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return fail('the npm package webgpu is not installed here: run npm install webgpu');
}

const { create, globals } = await webgpu();
Object.assign(globalThis, globals);
Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { gpu: create([]) } });
if (!(await navigator.gpu.requestAdapter())) {
  fail('WebGPU finds no adapter: install a Vulkan driver, or point VK_ICD_FILENAMES at one');
}

const { load } = await import(pathToFileURL(path.resolve(modulePath)).href);
const model = await load();
const results = [];
for (const [index, inputs] of JSON.parse(
  await readFile(path.join(folder, 'jobs.json'), 'utf8'),
).entries()) {
  // Names come from models: `__proto__` must stay a name.
  const entries = inputs.map(async ({ name, dtype, dims, file }) => {
    const bytes = Uint8Array.from(await readFile(path.join(folder, file)));
    return [name, { data: new TYPES[dtype][0](bytes.buffer), dims }];
  });
  const outputs = await model.run(Object.fromEntries(await Promise.all(entries)));
  const told = [];
  for (const [name, { data, dims, dtype }] of Object.entries(outputs)) {
    const file = `output-${index}-${told.length}.bin`;
    await writeFile(
      path.join(folder, file),
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    );
    told.push({ name, dtype, dims: [...dims], file });
  }
  results.push(told);
}
model.dispose();
await writeFile(path.join(folder, 'results.json'), JSON.stringify(results));
process.exit(0);
