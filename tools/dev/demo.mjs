// The examples from the ONNX files to answers in headless Chromium, with screenshots. With --serve it serves them to a
// person instead, and the playground too, whose compiler --serve has built.
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { makeSite as makePlayground } from '../../examples/playground/site.mjs';
import { serve } from '../../tests/browser/server.mjs';
import { makeRead, tryRead } from './demo_read.mjs';
import { makeSearch, trySearch } from './demo_search.mjs';

const folder = path.resolve('build/demo');
const programs = { subbyte: process.env.SUBBYTE, models: process.env.SUBBYTE_MODELS };
const pages = { search: path.join(folder, 'search'), read: path.join(folder, 'read') };

await makeSearch(pages.search, programs);
await makeRead(pages.read, programs);

if (process.argv[2] === '--serve') {
  const sample = path.join(programs.models, 'ppocr-cls.onnx');
  await makePlayground(path.join(folder, 'playground'), { npm: path.resolve('build/npm'), sample });
  await copyFile('examples/index.html', path.join(folder, 'index.html'));
  const { url } = await serve({ '/': folder }, { port: Number(process.env.PORT ?? 8000) });
  console.log('\nOpen these in a browser with WebGPU. Ctrl-C ends it.');
  console.log(`  ${url}/playground/   convert a model`);
  console.log(`  ${url}/search/       search by meaning`);
  console.log(`  ${url}/read/         read a line`);
} else {
  await trySearch(pages.search, programs);
  await tryRead(pages.read);
  process.exit(0);
}
