// Converts the sentence encoder, opens the example page in headless Chromium, asks it a few things, and compares its
// vectors with the unconverted model's. With --serve it serves the page for a person instead.
import { execFileSync } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { makeSite } from '../../examples/search/site.mjs';
import { ask, facts, openSearch, passageVectors } from '../../tests/browser/search_page.mjs';
import { serve } from '../../tests/browser/server.mjs';

const site = path.resolve('build/demo');
const models = process.env.SUBBYTE_MODELS;
const queries = [
  'how do I stop water dripping in the bathroom',
  'why do shooting stars glow',
  'insects that carry heavy things',
  'calming down before an exam',
];

const started = performance.now();
const printed = await makeSite(site, { subbyte: process.env.SUBBYTE, models });
process.stderr.write(printed);
console.log(`converted in ${((performance.now() - started) / 1e3).toFixed(1)} s`);
await tellSizes();

if (process.argv[2] === '--serve') {
  const { url } = await serve({ '/': site }, { port: Number(process.env.PORT ?? 8000) });
  console.log(`\nOpen ${url} in a browser with WebGPU. Ctrl-C ends it.`);
} else {
  await tryQueries();
  process.exit(0);
}

async function tellSizes() {
  const manifest = JSON.parse(await readFile(path.join(site, 'minilm.webgpu.json'), 'utf8'));
  const { totals, source, precision } = manifest;
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;
  console.log(`  before   ${megabytes(source.bytes)}  ${source.name}`);
  console.log(
    `  after    ${megabytes(totals.bytes)}  ${precision}, ${totals.bits_per_weight.toFixed(2)} bits a weight, ` +
      `scales and zero points counted: ${(source.bytes / totals.bytes).toFixed(1)} times smaller`,
  );
  const kept = new Set(manifest.files.map((file) => file.name));
  for (const name of (await readdir(site)).sort()) {
    if (!name.startsWith('minilm.') && !kept.has(name)) continue;
    console.log(
      `  ${String((await stat(path.join(site, name))).size).padStart(10)} bytes  ${name}`,
    );
  }
}

async function tryQueries() {
  const search = await openSearch(site, { viewport: { width: 900, height: 1000 } });
  try {
    const told = Object.entries(await facts(search.page));
    console.log(
      `\nin headless Chromium: ${told.map(([name, value]) => `${name}: ${value}`).join(' · ')}`,
    );
    for (const query of queries) {
      const { hits, summary } = await ask(search.page, query);
      console.log(`\n> ${query}   (${summary})`);
      for (const { score, text } of hits.slice(0, 3)) console.log(`  ${score.toFixed(3)}  ${text}`);
    }
    await compare(await passageVectors(search.page));
    await search.page.screenshot({ path: path.join(site, 'search.png'), fullPage: true });
    console.log('\nscreenshot: build/demo/search.png');
    if (search.complaints.length)
      throw new Error(`the page complained:\n${search.complaints.join('\n')}`);
  } finally {
    await search.close();
  }
}

// The same sentences through the original model in ONNX Runtime.
async function compare(vectors) {
  const { createTokenizer } = await import(pathToFileURL(path.join(site, 'tokenizer.js')));
  const tokenizer = createTokenizer(
    JSON.parse(await readFile(path.join(site, 'vocabulary.json'), 'utf8')),
  );
  const passages = (await readFile(path.join(site, 'passages.txt'), 'utf8'))
    .split('\n')
    .filter((line) => line.trim() && !line.startsWith('# '));
  const ids = passages.map((text) => tokenizer.encode(text).ids);
  const file = path.resolve('build', 'demo-vectors.json');
  await writeFile(file, JSON.stringify({ ids, vectors }));
  console.log();
  process.stdout.write(
    execFileSync('python', ['tools/dev/demo_compare.py', path.join(models, 'minilm.onnx'), file]),
  );
}
