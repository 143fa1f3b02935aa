// Lines read in ONNX Runtime: by the model as it came, and as `subbyte convert --target-format onnx` quantized it.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { collapse } from '../../examples/read/recognise.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const execute = promisify(execFile);

/** Writes the recogniser with the weights of a precision to `folder`, as ONNX. Returns the file's name. */
export async function exportModel({ subbyte, models, folder, precision }) {
  const file = path.join(folder, `${precision}.onnx`);
  await execute(subbyte, [
    'convert',
    path.join(models, 'ppocr-rec.onnx'),
    '--target-format',
    'onnx',
    '--precision',
    precision,
    '--no-check',
    '--output',
    file,
  ]);
  return file;
}

/** Reads inputs [{ dims, data }] with each of the model files. Returns for each the readings, as `collapse` gives them. */
export async function readInOnnxRuntime({ inputs, files, alphabet, folder }) {
  const shapes = path.join(folder, 'inputs.json');
  await writeFile(shapes, JSON.stringify(inputs.map(({ dims }) => dims)));
  const all = Buffer.concat(inputs.map(({ data }) => Buffer.from(data.buffer)));
  await writeFile(path.join(folder, 'inputs.bin'), all);
  const answers = path.join(folder, 'answers.json');
  await execute('python', [path.join(here, 'read_oracle.py'), shapes, answers, ...files]);
  const told = JSON.parse(await readFile(answers, 'utf8'));
  return told.map((answer) => answer.map((steps) => collapse(steps, alphabet)));
}
