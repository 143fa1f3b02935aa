// The example's tokenizer gives the ids that BERT was trained with.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createTokenizer } from '../../examples/search/tokenizer.js';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const models = process.env.SUBBYTE_MODELS ?? path.join(root, '.cache', 'models');
const tokenizer = createTokenizer(JSON.parse(await readFile(path.join(models, 'bert-vocab.json'))));

// Ids as the reference implementation of BERT gives them for its uncased English vocabulary.
const cases = [
  ['', [101, 102]],
  ['Hello world', [101, 7592, 2088, 102]],
  ['UNAFFABLE', [101, 14477, 20961, 3468, 102]],
  ["Café naïve don't!", [101, 7668, 15743, 2123, 1005, 1056, 999, 102]],
  ['東京 3.14', [101, 1879, 1755, 1017, 1012, 2403, 102]],
  ['\u0000a\tb\n', [101, 1037, 1038, 102]],
];

for (const [text, ids] of cases) {
  test(JSON.stringify(text), () => assert.deepEqual([...tokenizer.encode(text).ids], ids));
}
