// Paths, files in memory, options and imports of models: what the npm package decides without the compiler.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix, win32 } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { copyPage } from '../../examples/shared/copy.mjs';
import { compiler, library, made, root } from './library.mjs';

const { FileError, errors, MountedFiles, normalPath } = await library('files.js');
const { MemoryFiles, sourceOfBytes } = await library('memory_files.js');
const { NodeFiles, programPath, systemPath } = await library('node_files.js');
const { convertArguments, manifestPath, precisions, withEffort } = await library('options.js');
const { fault, stages } = await library('job.js');
const { convertWith, SubbyteError } = await library('api.js');
const { Leftovers } = await library('node_engine.js');
const { argumentsOf, parseImport } = await library('plugins/import_query.js');
const { convertCached } = await library('plugins/convert_cached.js');

const reading = { write: false, create: false, exclusive: false, truncate: false };
const creating = { write: true, create: true, exclusive: true, truncate: false };
const fails = (call, name) =>
  assert.throws(call, (error) => error instanceof FileError && error.errno === errors[name]);
const bytes = (text) => new TextEncoder().encode(text);

function contentOf(files, path) {
  const open = files.open(path, reading);
  const into = new Uint8Array(Number(open.status().size));
  let at = 0;
  // In pieces that fit no piece as it was written.
  while (at < into.length) {
    const got = open.read(into.subarray(at, at + 3), at);
    assert.ok(got > 0);
    at += got;
  }
  assert.equal(open.read(new Uint8Array(1), at), 0);
  return new TextDecoder().decode(into);
}

test('paths of Windows are those of the program and back', () => {
  for (const [system, program] of [
    ['C:\\models\\a b.onnx', '/C:/models/a b.onnx'],
    ['c:/models/m.onnx', '/c:/models/m.onnx'],
    ['models\\m.onnx', 'models/m.onnx'],
    ['..\\m.onnx', '../m.onnx'],
    ['\\\\server\\share\\m.onnx', '//server/share/m.onnx'],
    ['D:\\', '/D:/'],
  ])
    assert.equal(programPath(system, win32), program);
  for (const [program, system] of [
    ['/C:/models/a b.onnx', 'C:\\models\\a b.onnx'],
    ['//C:/models/m.onnx', 'C:\\models\\m.onnx'],
    ['/C:', 'C:\\'],
    ['/C:/a/../b', 'C:\\b'],
    ['//server/share/m.onnx', '\\\\server\\share\\m.onnx'],
  ])
    assert.equal(systemPath(program, win32), system);
  // The name of an input is not a path: a drive is followed by a slash.
  assert.equal(programPath('x:0=1', win32), 'x:0=1');
  for (const path of ['/a/b.onnx', 'a\\b.onnx', 'C:/a']) {
    assert.equal(programPath(path, posix), path);
    assert.equal(systemPath(path, posix), path);
  }
});

test('normal paths stay below the root', () => {
  assert.equal(normalPath('/a/./b//../c'), '/a/c');
  assert.equal(normalPath('/../../x'), '/x');
  assert.equal(normalPath('/'), '/');
});

test('files in memory are read, written in order, renamed and removed', () => {
  const files = new MemoryFiles();
  files.put('m.onnx', sourceOfBytes(bytes('model')));
  assert.equal(contentOf(files, '/m.onnx'), 'model');
  fails(() => files.open('/none', reading), 'ENOENT');
  fails(() => files.open('/m.onnx', creating), 'EEXIST');
  fails(() => files.open('/no/folder', creating), 'ENOENT');
  const open = files.open('/.subbyte-1.tmp', creating);
  open.write(bytes('first '), 0);
  open.write(bytes('second'), 6);
  fails(() => open.write(bytes('x'), 0), 'ENOTSUP');
  assert.deepEqual(files.written(), []);
  files.rename('/.subbyte-1.tmp', '/out.bin');
  assert.equal(contentOf(files, '/out.bin'), 'first second');
  assert.deepEqual(
    files.written().map(({ name }) => name),
    ['out.bin'],
  );
  files.remove('/out.bin');
  fails(() => files.status('/out.bin', true), 'ENOENT');
});

test('a folder in memory stands among those of the disk', () => {
  const inside = new MemoryFiles();
  const rest = new MemoryFiles();
  inside.put('a', sourceOfBytes(bytes('inside')));
  rest.put('a', sourceOfBytes(bytes('rest')));
  const files = new MountedFiles('/mine', inside, rest);
  assert.equal(contentOf(files, '/mine/a'), 'inside');
  assert.equal(contentOf(files, '/mine/../a'), 'rest');
  fails(() => files.rename('/mine/a', '/b'), 'EXDEV');
  // As the program asks for a folder that it is to write into.
  for (const path of ['/mine', '/mine/']) assert.equal(files.status(path, true).kind, 3);
});

test('the disk tells of what is written and read, and its errors are those of WASI', () => {
  const folder = mkdtempSync(join(tmpdir(), 'subbyte-files-'));
  try {
    const seen = [];
    const files = new NodeFiles({
      read: (path) => seen.push(['read', path]),
      temporary: (path) => seen.push(['temporary', path]),
      folder: (path) => seen.push(['folder', path]),
      commit: () => seen.push(['commit']),
    });
    const temporary = join(folder, '.subbyte-1.tmp');
    const open = files.open(temporary, creating);
    open.write(bytes('abc'), 0);
    open.sync();
    open.close();
    fails(() => files.open(temporary, creating), 'EEXIST');
    files.rename(temporary, join(folder, 'a'));
    assert.equal(contentOf(files, join(folder, 'a')), 'abc');
    assert.deepEqual(seen, [
      ['temporary', temporary],
      ['temporary', temporary],
      ['commit'],
      ['read', join(folder, 'a')],
    ]);
    seen.length = 0;
    files.makeFolder(join(folder, 'new'));
    fails(() => files.makeFolder(join(folder, 'new')), 'EEXIST');
    assert.deepEqual(seen, [['folder', join(folder, 'new')]]);
    files.removeFolder(join(folder, 'new'));
    fails(() => files.open(join(folder, 'none'), reading), 'ENOENT');
    fails(() => files.list(join(folder, 'a')), 'ENOTDIR');
    writeFileSync(join(folder, 'b'), 'x');
    symlinkSync('b', join(folder, 'l'));
    assert.equal(files.readLink(join(folder, 'l')), 'b');
    assert.equal(files.status(join(folder, 'l'), true).size, 1n);
    assert.equal(files.status(join(folder, 'l'), false).kind, 7);
    assert.deepEqual(readdirSync(folder).sort(), ['a', 'b', 'l']);
    assert.equal(readFileSync(join(folder, 'a'), 'utf8'), 'abc');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('options are those of the command line', () => {
  assert.deepEqual(
    convertArguments({
      precision: '4bit',
      targetSize: '20MB',
      targetBits: 3.2,
      maxLoss: 'error=1%',
      check: false,
      calibration: false,
      dims: { batch: 1 },
      inputs: { scale: 0.5 },
      args: ['--rename', 'a=b'],
    }),
    [
      ...['--precision', '4bit', '--target-size', '20MB', '--target-bits', '3.2'],
      ...['--max-loss', 'error=1%', '--calibration', 'none', '--no-check'],
      ...['--dim', 'batch=1', '--input', 'scale=0.5', '--rename', 'a=b'],
    ],
  );
  assert.deepEqual(convertArguments({}), []);
});

test('an import says how its model is converted', () => {
  assert.deepEqual(parseImport('./m.onnx?subbyte&precision=4bit&dim=batch=1&no-check'), {
    file: './m.onnx',
    args: ['--precision=4bit', '--dim=batch=1', '--no-check'],
  });
  assert.deepEqual(parseImport('/a/m.onnx?effort=best&subbyte&t=17'), {
    file: '/a/m.onnx',
    args: ['--effort=best'],
  });
  assert.equal(parseImport('./m.onnx'), undefined);
  assert.equal(parseImport('./m.onnx?url'), undefined);
  for (const query of ['output=/etc/x', 'log-file=x', 'calibration=x.npz', 'Force', 'a b=1'])
    assert.throws(() => parseImport(`./m.onnx?subbyte&${query}`), /cannot stand in an import/);
  assert.deepEqual(parseImport('./m.onnx?subbyte&calibration=none').args, ['--calibration=none']);
  const ruled = parseImport(`${join(root, 'm.onnx')}?subbyte&mixed-precision-config=./w.json`);
  assert.deepEqual(argumentsOf(ruled), [`--mixed-precision-config=${join(root, 'w.json')}`]);
});

test('what a run leaves is removed: files, and folders that are empty then', () => {
  const folder = mkdtempSync(join(tmpdir(), 'subbyte-leftovers-'));
  try {
    const leftovers = new Leftovers();
    for (const name of ['a', 'a/b', 'kept', 'never'])
      leftovers.note({ folder: join(folder, name) });
    for (const name of ['a/b/.subbyte-1', 'none'])
      leftovers.note({ temporary: join(folder, name) });
    for (const name of ['a', 'a/b', 'kept']) mkdirSync(join(folder, name));
    for (const name of ['a/b/.subbyte-1', 'kept/x']) writeFileSync(join(folder, name), 'x');
    leftovers.remove();
    assert.deepEqual(readdirSync(folder, { recursive: true }).sort(), ['kept', join('kept', 'x')]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const sourceText = (name) => readFileSync(join(root, name), 'utf8');

test('precisions are the words of the program, in its types too', () => {
  const names = sourceText('src/quantize/assign.cc').matchAll(/PrecisionName\{"(\w+)"/g);
  const others = /row\.other_words = ([^;]*);/.exec(sourceText('src/cli/options.cc'))[1];
  const words = [...names, ...others.matchAll(/\{"(\w+)", "\w+"\}/g)].map(([, word]) => word);
  assert.deepEqual([...precisions].sort(), [...words, 'mixed'].sort());
  const client = sourceText('npm/client.d.ts').matchAll(/subbyte&precision=(\w+)'/g);
  assert.deepEqual([...client].map(([, word]) => word).sort(), [...precisions].sort());
});

test('a file of widths that the program wrote is a mixedPrecision', () => {
  const widths = {
    model_name: 'm',
    written_by: 'subbyte quantize',
    precision: 'mixed',
    tensors: {
      a: { precision: '4bit', group: 32, zero_point_bits: 4, loss: 0.01 },
      b: { precision: 'float16' },
    },
  };
  const text = [
    "import { convert } from './lib/node.js';",
    `const widths = ${JSON.stringify(widths)};`,
    "await convert('m', { mixedPrecision: widths });",
    "await convert('m', { precision: 'int4' });",
    "await convert('m', { targetBits: 3, args: [] });",
    '// @ts-expect-error There are no 5 bits.',
    "await convert('m', { precision: '5bit' });",
    '// @ts-expect-error A width is no number.',
    "await convert('m', { mixedPrecision: { tensors: { a: 4 } } });",
  ];
  writeFileSync(join(made, 'widths.ts'), text.join('\n'));
  const compilerOptions = {
    ...{ target: 'es2022', module: 'nodenext', moduleResolution: 'nodenext' },
    ...{ lib: ['es2022', 'dom'], types: [], strict: true, skipLibCheck: true, noEmit: true },
  };
  const project = join(made, 'tsconfig.json');
  writeFileSync(project, JSON.stringify({ compilerOptions, files: ['widths.ts'] }));
  const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', project]);
  assert.equal(status, 0, String(stdout));
});

test('stages are those that a conversion tells of, and the playground has words for each', async () => {
  const folder = 'src/compile';
  const told = readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.cc') && !/_test|^evaluate/.test(name))
    .flatMap((name) => [
      ...sourceText(`${folder}/${name}`).matchAll(
        /\b(?:begin|stage|progress|progress_bytes)\(\s*"([a-z ]+)"/g,
      ),
    ])
    .map(([, stage]) => stage);
  assert.deepEqual([...stages].sort(), [...new Set(told)].sort());
  const page = mkdtempSync(join(tmpdir(), 'subbyte-page-'));
  try {
    writeFileSync(join(page, 'package.json'), '{ "type": "module" }');
    await copyPage(page, join(root, 'examples', 'playground'), ['stages.js']);
    const { progressOf, stages: texts } = await import(pathToFileURL(join(page, 'stages.js')).href);
    assert.deepEqual(Object.keys(texts).sort(), [...stages].sort());
    assert.deepEqual(
      progressOf({ stage: 'quantizing', done: 6_900_000, count: 69_000_000, unit: 'bytes' }),
      { share: 0.1, text: 'Packing the weights: 6.9 MB of 69.0 MB' },
    );
    assert.deepEqual(progressOf({ stage: 'calibrating', done: 1, count: 4, unit: 'pieces' }), {
      share: 0.25,
      text: 'Calibrating: 1 of 4',
    });
    assert.deepEqual(progressOf({ stage: 'checking', done: 0, count: 0, unit: 'pieces' }), {
      share: null,
      text: 'Comparing with the model',
    });
  } finally {
    rmSync(page, { recursive: true });
  }
});

test('a stack that is too small is told apart from memory that is', () => {
  const deeper = (n) => 1 + deeper(n + 1);
  const thrown = (call) => {
    try {
      call();
    } catch (error) {
      return error;
    }
  };
  assert.match(fault(thrown(() => deeper(0))), /^the model nests deeper than the stack/);
  const huge = thrown(() => new ArrayBuffer(Number.MAX_SAFE_INTEGER));
  assert.ok(huge instanceof RangeError);
  assert.match(fault(huge), /needs more memory than there is/);
  assert.match(fault(new WebAssembly.RuntimeError('unreachable')), /fault of its own/);
  assert.equal(fault(new Error('of something else')), undefined);
});

test('effort is what a command line says, else what its place is for', () => {
  assert.deepEqual(withEffort(['--no-check'], 'fast'), ['--no-check', '--effort', 'fast']);
  const none = ['--calibration', 'none'];
  for (const args of [['--effort=best'], ['--effort', 'good', '--no-check'], none])
    assert.deepEqual(withEffort(args, 'fast'), args);
});

test('a manifest lies beside its module, in a folder by the name of the model', () => {
  for (const [output, model, expected] of [
    ['web/', 'm.onnx', 'web/m.webgpu.json'],
    ['web\\', 'a.b.onnx', 'web\\a.b.webgpu.json'],
    ['web/', 'm', 'web/m.webgpu.json'],
    ['web/', '.onnx', 'web/.onnx.webgpu.json'],
    ['web/x.mjs', 'm.onnx', 'web/x.json'],
  ])
    assert.equal(manifestPath(output, model), expected);
});

/** An engine whose program ends as `run` says; what it was asked for is in `jobs`. */
function engineOf(run = () => ({})) {
  const jobs = [];
  const nothing = { status: 0, stdout: '', stderr: '', files: [], filesRead: [] };
  return {
    jobs,
    path: (path) => path,
    readJson: async (path) => ({ path }),
    run: async (job) => (jobs.push(job), { ...nothing, ...run(job) }),
  };
}
const rejects = (promise, code, message) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof SubbyteError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });

test('a conversion into a folder hands back the manifest there', async () => {
  const engine = engineOf();
  const { manifest } = await convertWith(engine, 'models/m.onnx', { output: 'web/' });
  assert.deepEqual(manifest, { path: 'web/m.webgpu.json' });
  const { args } = engine.jobs[0];
  assert.equal(args[args.indexOf('--output') + 1], 'web/');
});

test('the program names what is handed back, where the caller does not', async () => {
  const file = (name) => ({ name, pieces: [bytes('{"format":1}')] });
  const engine = engineOf(() => ({
    files: ['m.webgpu.d.ts', 'm.webgpu.json', 'm.webgpu.js'].map(file),
  }));
  const module = await convertWith(engine, 'm.onnx', {});
  assert.equal(module.files[0].name, 'm.webgpu.js');
  assert.deepEqual(module.manifest, { format: 1 });
  const onnx = engineOf(() => ({ files: ['m.4bit.onnx.data', 'm.4bit.onnx'].map(file) }));
  for (const options of [{ targetFormat: 'onnx' }, { args: ['--target-format=onnx'] }]) {
    const result = await convertWith(onnx, 'm.onnx', options);
    assert.equal(result.files[0].name, 'm.4bit.onnx');
    assert.equal(result.manifest, undefined);
  }
  const output = ({ args }) => args[args.indexOf('--output') + 1];
  assert.deepEqual([...new Set([...engine.jobs, ...onnx.jobs].map(output))], ['/subbyte-memory/']);
});

test('rules replace nothing that the caller gave', async () => {
  const engine = engineOf();
  const options = { output: 'x.js', mixedPrecision: { components: { head: '8bit' } } };
  const model = new Uint8Array([1]);
  const data = { 'rules.json': new Uint8Array([2]) };
  await convertWith(engine, model, { ...options, data, name: 'mixed.json' });
  const { args, inputs } = engine.jobs[0];
  const names = inputs.map(({ name }) => name);
  assert.equal(new Set(names).size, 3);
  const rules = args[args.indexOf('--mixed-precision-config') + 1].replace('/subbyte-memory/', '');
  const { content } = inputs.find(({ name }) => name === rules);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(content)), options.mixedPrecision);
  // No caller can give that name.
  const given = engineOf();
  await convertWith(given, model, { output: 'x.js', name: rules });
  assert.notEqual(given.jobs[0].inputs[0].name, rules);
  await rejects(convertWith(given, model, { data: { [rules]: model } }), 'usage', /^data: /);
  await rejects(convertWith(given, model, { outputName: rules }), 'usage', /^outputName: /);
  await rejects(
    convertWith(given, model, { name: 'm', data: { m: model } }),
    'usage',
    /the model's own name/,
  );
  await rejects(
    convertWith(given, model, { output: 'x.js', outputName: 'y.js' }),
    'usage',
    /leave one of the two out/,
  );
});

test('a value of another kind than an option has is told', async () => {
  const idle = engineOf(() => assert.fail('nothing is run'));
  const wrong = [
    [{ calibration: 'none' }, "calibration is to be true or false, and is 'none'"],
    [{ singleFile: 1 }, 'singleFile is to be true or false, and is 1'],
    [{ check: 'never' }, "check is to be true, false or 'always', and is 'never'"],
    [{ args: '--force' }, "args is to be an array of strings, and is '--force'"],
    [{ args: ['--dim', 3] }, 'args is to be an array of strings, and is an array'],
    [{ dims: ['batch=1'] }, 'dims is to be an object, and is an array'],
    [{ mixedPrecision: 'rules.json' }, "mixedPrecision is to be an object, and is 'rules.json'"],
    [{ output: 3 }, 'output is to be a string, and is 3'],
    [{ onProgress: 3 }, 'onProgress is to be a function, and is 3'],
    [{ signal: new AbortController() }, /^convert: signal is to be an AbortSignal/],
    [{ worker: null }, 'worker is to be true or false, and is null'],
  ];
  for (const [options, message] of wrong)
    await rejects(
      convertWith(idle, 'm.onnx', options),
      'usage',
      message instanceof RegExp ? message : new RegExp(`^convert: ${message}$`),
    );
});

test('whatever is thrown is a SubbyteError, which names an option as its caller does', async () => {
  const broken = engineOf(() => {
    throw new Error('no space');
  });
  await rejects(convertWith(broken, 'm.onnx', {}), 'failed', /^no space$/);
  const stderr =
    "error: --mixed-precision-config '/subbyte-memory/options\\\\mixedPrecision': unknown key\n";
  const refused = engineOf(() => ({ status: 1, stderr }));
  await rejects(convertWith(refused, 'm.onnx', {}), 'failed', /^mixedPrecision: unknown key$/);
  const alone =
    "error: '/subbyte-memory/m.onnx': its external data file 'm.data' is missing; " +
    "put it beside the model, in the folder '/subbyte-memory'\n";
  await rejects(
    convertWith(
      engineOf(() => ({ status: 1, stderr: alone })),
      'm.onnx',
      {},
    ),
    'failed',
    /^'m\.onnx': its external data file 'm\.data' is missing; give its bytes in `data`$/,
  );
});

test('a page converts at effort fast, and forgets its signal', async (context) => {
  const jobs = [];
  class PageWorker {
    postMessage({ job }) {
      jobs.push(job);
      const files = ['m.json', 'm.js'].map((name) => ({ name, pieces: [bytes('{}')] }));
      const outcome = { status: 0, stdout: '', stderr: '', files, filesRead: [] };
      queueMicrotask(() => {
        this.onmessage({
          data: { progress: { stage: 'reading', done: 0, count: 0, unit: 'bytes' } },
        });
        this.onmessage({ data: { outcome } });
      });
    }
    terminate() {}
  }
  const before = { fetch: globalThis.fetch, Worker: globalThis.Worker };
  context.after(() => Object.assign(globalThis, before));
  // The smallest module.
  const module = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  Object.assign(globalThis, { fetch: async () => new Response(module), Worker: PageWorker });
  const { convert } = await library('browser.js');
  const { signal } = new AbortController();
  const listening = new Set();
  signal.addEventListener = (_, listener) => listening.add(listener);
  signal.removeEventListener = (_, listener) => listening.delete(listener);
  await convert(new Uint8Array(1), { signal });
  await convert(new Uint8Array(1), { effort: 'best' });
  assert.equal(listening.size, 0);
  const effort = ({ args }) => args[args.indexOf('--effort') + 1];
  assert.deepEqual(jobs.map(effort), ['fast', 'best']);
  // What its listener throws is how it ends, and not an error of the page.
  const onProgress = () => {
    throw new RangeError('mine');
  };
  await rejects(convert(new Uint8Array(1), { onProgress }), 'failed', /^mine$/);
});

test('conversions of two folders of a cache are two', async () => {
  const model = { file: join(tmpdir(), 'subbyte-no-such-model.onnx'), args: [] };
  const [a, again, b] = ['a', 'a', 'b'].map((cacheFolder) => convertCached(model, { cacheFolder }));
  assert.equal(a, again);
  assert.notEqual(a, b);
  for (const promise of [a, b]) await assert.rejects(promise, /there is no such model/);
});
