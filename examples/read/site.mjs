// Puts the example together in a folder that any static host can serve.
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { convert, copyPage } from '../shared/copy.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const pages = ['index.html', 'read.css', 'read.js', 'draw.js', 'recognise.js'];

/**
 * Copies the page to `folder`, and converts the recogniser to float32 and to 8 bits with the program `subbyte`. `models`
 * is the folder of fetched models; `aloud` shows what the program says.
 */
export async function makeSite(folder, { subbyte, models, aloud }) {
  await copyPage(folder, here, pages);
  await copyFile(path.join(models, 'ppocr-keys.txt'), path.join(folder, 'keys.txt'));
  for (const precision of ['float32', '8bit']) {
    const module = path.join(folder, `read-${precision}.webgpu.js`);
    await convert(subbyte, path.join(models, 'ppocr-rec.onnx'), module, precision, aloud);
  }
}
