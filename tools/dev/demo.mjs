// The examples from the ONNX files to answers in headless Chromium, with screenshots. With --serve it serves them to a
// person instead: the search at /, the reader at /read/.
import path from 'node:path';
import { serve } from '../../tests/browser/server.mjs';
import { makeRead, tryRead } from './demo_read.mjs';
import { makeSearch, trySearch } from './demo_search.mjs';

const folder = path.resolve('build/demo');
const programs = { subbyte: process.env.SUBBYTE, models: process.env.SUBBYTE_MODELS };

await makeSearch(folder, programs);
await makeRead(folder, programs);

if (process.argv[2] === '--serve') {
  const { url } = await serve({ '/': folder }, { port: Number(process.env.PORT ?? 8000) });
  console.log('\nOpen these in a browser with WebGPU. Ctrl-C ends it.');
  console.log(`  ${url}         search by meaning`);
  console.log(`  ${url}/read/   read a line`);
} else {
  await trySearch(folder, programs);
  await tryRead(folder);
  process.exit(0);
}
