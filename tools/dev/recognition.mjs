// How well the recogniser of PP-OCRv4 reads fifty clear lines with its weights at each precision, in ONNX Runtime. Prints
// JSON: [{ precision, lines, same, rate_float32, rate_drawn }], where `same` counts the lines that read as at float32, and
// the rates are character error rates against the reading at float32 and against the text that was drawn.
//   node recognition.mjs PRECISION...
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { alphabetOf } from '../../examples/read/recognise.js';
import { launch, openPage } from '../../tests/browser/chromium.mjs';
import { inputsOf, lines, missingFamilies } from '../../tests/browser/read_lines.mjs';
import { exportModel, readInOnnxRuntime } from '../../tests/browser/read_oracle.mjs';
import { characterErrorRate } from '../../tests/browser/read_rate.mjs';
import { serve } from '../../tests/browser/server.mjs';

const { SUBBYTE: subbyte, SUBBYTE_MODELS: models } = process.env;

async function draw() {
  const server = await serve({
    '/': path.resolve('tests/browser'),
    '/read/': path.resolve('examples/read'),
  });
  const browser = await launch();
  try {
    const { page } = await openPage(browser);
    await page.goto(`${server.url}/page.html`);
    const missing = await missingFamilies(page);
    if (missing.length) throw new Error(`these typefaces are not installed: ${missing.join(', ')}`);
    return await inputsOf(page, '/read/');
  } finally {
    await browser.close();
    await server.close();
  }
}

async function measure(precisions) {
  const folder = await mkdtemp(path.join(tmpdir(), 'subbyte-recognition-'));
  try {
    const inputs = await draw();
    const alphabet = alphabetOf(await readFile(path.join(models, 'ppocr-keys.txt'), 'utf8'));
    const files = [path.join(models, 'ppocr-rec.onnx')];
    for (const precision of precisions) {
      files.push(await exportModel({ subbyte, models, folder, precision }));
    }
    const answers = await readInOnnxRuntime({ inputs, files, alphabet, folder });
    const [float32, ...texts] = answers.map((answer) => answer.map(({ text }) => text));
    const drawn = lines.map(({ text }) => text);
    return precisions.map((precision, index) => ({
      precision,
      lines: lines.length,
      same: texts[index].filter((text, line) => text === float32[line]).length,
      rate_float32: characterErrorRate(texts[index], float32),
      rate_drawn: characterErrorRate(texts[index], drawn),
    }));
  } finally {
    await rm(folder, { recursive: true });
  }
}

console.log(JSON.stringify(await measure(process.argv.slice(2))));
