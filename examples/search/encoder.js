// Sentences to unit vectors: a WordPiece tokenizer in front of a sentence encoder that subbyte compiled.

/** The encoder's names for what we need. The model also returns the vectors of single tokens. */
const embedding = '461';

/** Sentences in one run. The batch is always full, so that few distinct sizes reach the GPU. */
const batchSize = 8;
/** Lengths are rounded up to a multiple of this, for the same reason. */
const lengthStep = 4;
const longest = 128;

/**
 * Embeds texts with a loaded model. Returns one Float32Array of unit length for each text, in order.
 * `onProgress(done, total)` is called after each batch.
 */
export async function embed(model, tokenizer, texts, onProgress = () => {}) {
  const encoded = texts.map((text, index) => ({ index, ids: tokenize(tokenizer, text) }));
  // Neighbours in length share a batch, so that little is padded.
  encoded.sort((a, b) => a.ids.length - b.ids.length);
  const vectors = new Array(texts.length);
  const size = texts.length === 1 ? 1 : batchSize;
  for (let start = 0; start < encoded.length; start += size) {
    const batch = encoded.slice(start, start + size);
    const { data } = await run(model, batch, size);
    const width = data.length / size;
    batch.forEach(({ index }, row) => {
      vectors[index] = normalize(data.slice(row * width, (row + 1) * width));
    });
    onProgress(start + batch.length, encoded.length);
  }
  return vectors;
}

/** The token ids of a text, [CLS] and [SEP] in place, cut to what the model was trained for. */
function tokenize(tokenizer, text) {
  const { ids } = tokenizer.encode(text);
  return ids.length <= longest ? ids : [...ids.slice(0, longest - 1), ids.at(-1)];
}

async function run(model, batch, rows) {
  const longestHere = Math.max(...batch.map(({ ids }) => ids.length));
  const columns = Math.ceil(longestHere / lengthStep) * lengthStep;
  const ids = new Int32Array(rows * columns);
  const mask = new Int32Array(rows * columns);
  // A row that no sentence fills repeats the last one, and its vector is dropped.
  for (let row = 0; row < rows; row++) {
    const from = batch[Math.min(row, batch.length - 1)].ids;
    ids.set(from, row * columns);
    mask.fill(1, row * columns, row * columns + from.length);
  }
  const dims = [rows, columns];
  const outputs = await model.run({
    input_ids: { data: ids, dims },
    attention_mask: { data: mask, dims },
  });
  return outputs[embedding];
}

function normalize(vector) {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** The `count` texts nearest to a query, best first: [{ index, score }], the score being the cosine. */
export function nearest(query, vectors, count) {
  return vectors
    .map((vector, index) => ({ index, score: dot(query, vector) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, count);
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
