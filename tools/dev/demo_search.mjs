// The example of search: converts the sentence encoder, asks the page a few things, and compares its vectors with the
// unconverted model's.
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { makeSite } from '../../examples/search/site.mjs';
import {
  PATIENT,
  ask,
  facts,
  openSearch,
  passageVectors,
} from '../../tests/browser/search_page.mjs';
import { takeScreenshots } from './demo_screenshots.mjs';
import { manifestOf, tellAfter, tellBefore, tellFiles } from './demo_sizes.mjs';

const queries = [
  'how do I stop water dripping in the bathroom',
  'why do shooting stars glow',
  'insects that carry heavy things',
  'calming down before an exam',
];

/** Makes the site in `folder` and prints the sizes. */
export async function makeSearch(folder, programs) {
  console.log('Search by meaning');
  const started = performance.now();
  await makeSite(folder, { ...programs, aloud: true });
  console.log(`converted in ${((performance.now() - started) / 1e3).toFixed(1)} s`);
  const manifest = await manifestOf(folder, 'minilm');
  tellBefore(manifest);
  tellAfter(manifest);
  await tellFiles(folder, 'minilm', manifest);
}

/** Opens the site in headless Chromium, prints what it finds, and leaves screenshots in `folder`. */
export async function trySearch(folder, { models }) {
  const search = await openSearch(folder, {
    viewport: { width: 900, height: 1000 },
    timeout: PATIENT,
  });
  try {
    const told = Object.entries(await facts(search.page));
    console.log(
      `\nSearch in headless Chromium: ${told.map(([name, value]) => `${name}: ${value}`).join(' · ')}`,
    );
    for (const query of queries) {
      const { hits, summary } = await ask(search.page, query);
      console.log(`\n> ${query}   (${summary})`);
      for (const { score, text } of hits.slice(0, 3)) console.log(`  ${score.toFixed(3)}  ${text}`);
    }
    await compare(await passageVectors(search.page), folder, models);
    await takeScreenshots(search.page, folder, 'search');
    if (search.complaints.length)
      throw new Error(`the search page complained:\n${search.complaints.join('\n')}`);
  } finally {
    await search.close();
  }
}

// The same sentences through the original model in ONNX Runtime.
async function compare(vectors, folder, models) {
  const { createTokenizer } = await import(pathToFileURL(path.join(folder, 'tokenizer.js')));
  const tokenizer = createTokenizer(
    JSON.parse(await readFile(path.join(folder, 'vocabulary.json'), 'utf8')),
  );
  const passages = (await readFile(path.join(folder, 'passages.txt'), 'utf8'))
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
