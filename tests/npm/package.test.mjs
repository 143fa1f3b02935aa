// The packed npm package (SUBBYTE_PACKAGE), installed in an empty folder as a user would, against the native program.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';

const { SUBBYTE, SUBBYTE_MODELS: models, SUBBYTE_PACKAGE: pack } = process.env;
const skip = pack === undefined && 'SUBBYTE_PACKAGE names no package: ./dev test npm makes one';

let folder;
let subbyte;

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: folder, encoding: 'utf8', ...options });
}

/** `npx subbyte` of the package. */
function program(args, options) {
  return run(process.execPath, [path.join('node_modules', '.bin', 'subbyte'), ...args], options);
}

before(async () => {
  if (skip) return;
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'subbyte package '));
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  const { status, stderr } = run('npm', [
    ...['install', '--offline', '--no-audit', '--no-fund', '--silent', path.resolve(pack)],
  ]);
  assert.equal(status, 0, stderr);
  const library = path.join(folder, 'node_modules', 'subbyte', 'lib', 'node.js');
  subbyte = await import(pathToFileURL(library).href);
});
after(() => {
  if (folder) fs.rmSync(folder, { recursive: true });
});

/** The files of a conversion, by name. */
function contents(of) {
  const names = fs.readdirSync(of).sort();
  return Object.fromEntries(names.map((name) => [name, fs.readFileSync(path.join(of, name))]));
}

function sameFiles(actual, expected) {
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
  for (const [name, bytes] of Object.entries(expected))
    assert.ok(Buffer.compare(Buffer.from(actual[name]), bytes) === 0, `${name} differs`);
}

function inFolder(name) {
  const made = path.join(folder, name);
  fs.mkdirSync(made);
  return made;
}

const quick = ['--calibration', 'none', '--no-check'];
const quickly = { precision: '4bit', calibration: false, check: false };
const classifier = models && path.join(models, 'ppocr-cls.onnx');

// Every model as the program converts it by default, or where time is short a small one without what takes it.
const cases = process.env.SUBBYTE_ALL
  ? ['minilm', 'ppocr-rec', 'ppocr-det', 'ppocr-cls'].flatMap((name) =>
      ['8bit', '4bit'].map((precision) => [name, precision, []]),
    )
  : [
      ['ppocr-cls', '8bit', []],
      ['ppocr-cls', '4bit', quick],
      ['ppocr-det', '3bit', quick],
    ];
for (const [name, precision, args] of cases) {
  test(`${name} at ${precision}: the bytes of the native program`, { skip }, () => {
    const [native, wasm] = ['native', 'wasm'].map((of) => inFolder(`${of}-${name}-${precision}`));
    const line = (to) => [
      ...['convert', path.join(models, `${name}.onnx`), '--precision', precision, ...args],
      ...['--output', path.join(to, 'm.webgpu.js')],
    ];
    const expected = run(SUBBYTE, line(native));
    assert.equal(expected.status, 0, expected.stderr);
    const made = program(line(wasm));
    assert.equal(made.status, 0, made.stderr);
    sameFiles(contents(wasm), contents(native));
    // All but the seconds that it took.
    const told = (stdout) => stdout.replaceAll(wasm, native).replace(/; [\d.]+ s\n$/, '');
    assert.equal(told(made.stdout), told(expected.stdout));
  });
}

test('the command line answers as the native program does', { skip }, () => {
  fs.writeFileSync(path.join(folder, 'text.onnx'), 'no model');
  // What reads these throws, and is caught far from there.
  fs.writeFileSync(path.join(folder, 'cut.onnx'), fs.readFileSync(classifier).subarray(0, 9999));
  fs.writeFileSync(path.join(folder, 'broken.json'), '{\n  "components": ');
  fs.writeFileSync(path.join(folder, 'odd.webgpu.json'), '{ "subbyte": 1, "format": "x" }');
  for (const args of [
    ['convert', 'cut.onnx'],
    ['convert', classifier, '--mixed-precision-config', 'broken.json'],
    ['inspect', 'odd.webgpu.json'],
    ['verify', 'odd.webgpu.json'],
    ['convert', classifier, '--precision', '4bit', '--precision', '8bit'],
    ['convert', '--no-such-option'],
    ['--version'],
    ['convert', '--help'],
    ['list', 'precisions', '--format', 'json'],
    ['inspect', classifier, '--format', 'json'],
    ['convert', 'none.onnx'],
    ['convert', 'text.onnx'],
    ['convert', 'text.onnx', '--precision', '5bit'],
    ['detect', '.'],
    ['find', '.', '--format', 'json'],
  ]) {
    const expected = run(SUBBYTE, args);
    const found = program(args);
    assert.equal(found.stderr, expected.stderr, args.join(' '));
    assert.equal(found.stdout, expected.stdout, args.join(' '));
    assert.equal(found.status, expected.status, args.join(' '));
  }
});

/** Puts SCRIPT where the native program of this system would be installed, while BODY runs. */
async function withNative(script, body) {
  const name = `subbyte-${process.platform}-${process.arch}`;
  const bin = path.join(folder, 'node_modules', name, 'bin');
  fs.mkdirSync(bin, { recursive: true });
  fs.writeFileSync(path.join(bin, 'subbyte'), script, { mode: 0o755 });
  try {
    await body();
  } finally {
    fs.rmSync(path.join(folder, 'node_modules', name), { recursive: true });
  }
}

const skipNative = skip || (process.platform === 'win32' && 'a script is no program on Windows');

test('a native program that is installed is used', { skip: skipNative }, () =>
  withNative('#!/bin/sh\necho "native $*"; exit 7\n', () => {
    const { stdout, status } = program(['convert', 'x y']);
    assert.equal(stdout, 'native convert x y\n');
    assert.equal(status, 7);
  }),
);

test(
  'one that does not start on this system leaves the work to WebAssembly',
  { skip: skipNative },
  () =>
    // What a program for another C library answers: the loader that it names is not there.
    withNative('#!/nonexistent/ld-musl\n', () => {
      const { stdout, status } = program(['--version']);
      assert.match(stdout, /^subbyte \d/);
      assert.equal(status, 0);
    }),
);

test(
  'a signal to `npx subbyte` reaches the native program',
  { skip: skipNative, timeout: 60_000 },
  () =>
    withNative(
      '#!/bin/sh\ntrap "echo cleaned; trap - TERM; kill -TERM $$" TERM\necho ready\nwhile :; do sleep 0.05; done\n',
      async () => {
        const child = spawn(process.execPath, [path.join('node_modules', '.bin', 'subbyte'), 'x'], {
          cwd: folder,
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let told = '';
        child.stdout.on('data', (data) => {
          if (told === '') child.kill('SIGTERM');
          told += data;
        });
        const [, signal] = await new Promise((resolve) =>
          child.on('close', (...ended) => resolve(ended)),
        );
        assert.equal(told, 'ready\ncleaned\n');
        assert.equal(signal, 'SIGTERM');
      },
    ),
);

test(
  'a model comes as a path, bytes, a Blob or slices, and the files are the same',
  { skip },
  async () => {
    const bytes = fs.readFileSync(classifier);
    const sliced = {
      size: bytes.length,
      slice: async (start, end) => bytes.subarray(start, end),
    };
    const to = inFolder('by-path');
    const written = await subbyte.convert(classifier, {
      ...quickly,
      output: path.join(to, 'm.webgpu.js'),
    });
    assert.deepEqual(written.files, []);
    assert.equal(written.manifest.precision, '4bit');
    assert.deepEqual(written.filesRead, [classifier]);
    const expected = contents(to);
    for (const source of [classifier, bytes, new Blob([bytes]), sliced]) {
      const progress = [];
      const { files, manifest, summary } = await subbyte.convert(source, {
        ...quickly,
        name: 'ppocr-cls.onnx',
        outputName: 'm.webgpu.js',
        onProgress: (step) => progress.push(step),
      });
      assert.equal(files[0].name, 'm.webgpu.js');
      sameFiles(
        Object.fromEntries(
          await Promise.all(files.map(async (file) => [file.name, await file.arrayBuffer()])).then(
            (all) => all.sort(([a], [b]) => (a < b ? -1 : 1)),
          ),
        ),
        expected,
      );
      assert.deepEqual(manifest, written.manifest);
      assert.match(summary, /^'m\.webgpu\.js': .* bits a weight/);
      assert.ok(progress.every(({ done, count }) => done <= count));
      const units = Object.fromEntries(progress.map(({ stage, unit }) => [stage, unit]));
      const { reading, lowering, quantizing, writing } = units;
      assert.deepEqual(
        { reading, lowering, quantizing, writing },
        { reading: 'pieces', lowering: 'pieces', quantizing: 'bytes', writing: 'pieces' },
      );
    }
  },
);

test(
  'a folder is made, and what comes into it is called as the program calls it',
  { skip },
  async () => {
    const to = path.join(inFolder('by-folder'), 'a', 'b') + '/';
    const { manifest } = await subbyte.convert(classifier, { ...quickly, output: to });
    assert.equal(manifest.module.name, 'ppocr-cls.webgpu.js');
    const onnx = { ...quickly, precision: 'int4', targetFormat: 'onnx' };
    await subbyte.convert(classifier, { ...onnx, output: to });
    assert.ok(fs.existsSync(to + 'ppocr-cls.4bit.onnx'));
    const { files } = await subbyte.convert(fs.readFileSync(classifier), {
      ...onnx,
      name: 'm.onnx',
    });
    assert.deepEqual(
      files.map(({ name }) => name),
      ['m.4bit.onnx'],
    );
  },
);

test('inspect tells what the program tells', { skip }, async () => {
  const { stdout } = run(SUBBYTE, ['inspect', classifier, '--format', 'json']);
  const { file: _, ...expected } = JSON.parse(stdout);
  const { file: __, ...found } = await subbyte.inspect(fs.readFileSync(classifier));
  assert.deepEqual(found, expected);
});

test('errors have a code and name what the caller named', { skip }, async () => {
  const rejects = (promise, code, message) =>
    assert.rejects(promise, (error) => {
      assert.ok(error instanceof subbyte.SubbyteError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /subbyte-memory|^error: /);
      return true;
    });
  await rejects(subbyte.convert(new Uint8Array([1, 2, 3])), 'failed', /'model\.onnx'/);
  await rejects(subbyte.convert(new Uint8Array(3), { name: 'a/b.onnx' }), 'failed', /'b\.onnx'/);
  await rejects(
    subbyte.convert(classifier, { precision: '5bit' }),
    'usage',
    /5bit.*is not one of/s,
  );
  await rejects(subbyte.convert(classifier, { dims: { no: 1 } }), 'failed', /'no'/);
});

test(
  'what is no option, no model or no signal is refused, and a URL of a file is its path',
  { skip },
  async () => {
    const { convert, inspect } = subbyte;
    const refused = async (promise, message) =>
      assert.rejects(promise, (error) => {
        assert.equal(error.code, 'usage', error.stack);
        assert.match(error.message, message);
        return error instanceof subbyte.SubbyteError;
      });
    await refused(
      convert(classifier, { precison: '4bit' }),
      /no option 'precison'; there are .*precision/,
    );
    await refused(inspect(classifier, { precision: '4bit' }), /inspect: there is no option/);
    await refused(convert(classifier, null), /options are an object/);
    await refused(convert(classifier, { signal: 3 }), /AbortSignal/);
    await refused(convert(classifier, { onProgress: 'loud' }), /function/);
    for (const model of [undefined, null, 3, {}, [], { size: 3 }])
      await refused(convert(model), /the model: this is nothing to read a model from/);
    await refused(convert(new Uint8Array(1), { data: { 'w.bin': null } }), /data: 'w\.bin'/);
    await refused(
      convert(new URL('https://example.org/m.onnx')),
      /https:\/\/example\.org.*fetch it/,
    );
    const { inputs } = await inspect(pathToFileURL(classifier));
    assert.deepEqual(inputs, (await inspect(classifier)).inputs);
  },
);

test('a listener that throws ends the conversion with what it threw', { skip }, async () => {
  const to = inFolder('thrown');
  const onProgress = () => {
    throw new RangeError('mine');
  };
  for (const worker of [true, false]) {
    const promise = subbyte.convert(classifier, {
      ...quickly,
      output: to + '/',
      onProgress,
      worker,
    });
    await assert.rejects(promise, (error) => {
      assert.deepEqual([error.code, error.message], ['failed', 'mine']);
      return error.cause instanceof RangeError;
    });
  }
  assert.deepEqual(fs.readdirSync(to), []);
});

test('an aborted conversion leaves nothing', { skip }, async () => {
  const to = inFolder('aborted');
  const controller = new AbortController();
  const promise = subbyte.convert(path.join(models, 'ppocr-det.onnx'), {
    output: path.join(to, 'new', 'deeper') + '/',
    signal: controller.signal,
    onProgress: ({ stage }) => stage === 'weights' && controller.abort(),
  });
  await assert.rejects(promise, (error) => error.code === 'aborted');
  assert.deepEqual(fs.readdirSync(to), []);
});

test(
  'a signal ends the program, and nothing is left',
  { skip: skip || process.platform === 'win32' },
  async () => {
    const to = inFolder('interrupted');
    const child = spawn(
      process.execPath,
      [
        ...[path.join('node_modules', '.bin', 'subbyte'), 'convert'],
        ...[path.join(models, 'ppocr-det.onnx'), '--output', path.join(to, 'new') + '/'],
      ],
      { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    child.stderr.once('data', () => child.kill('SIGTERM'));
    const [, signal] = await new Promise((resolve) =>
      child.on('close', (...ended) => resolve(ended)),
    );
    assert.equal(signal, 'SIGTERM');
    assert.deepEqual(fs.readdirSync(to), []);
  },
);
