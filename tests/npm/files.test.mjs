// Paths, files in memory and imports of models: what the npm package decides without the compiler.
import assert from 'node:assert/strict';
import {
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

import { library } from './library.mjs';

const { FileError, errors, MountedFiles, normalPath } = await library('files.js');
const { MemoryFiles, sourceOfBytes } = await library('memory_files.js');
const { NodeFiles, programPath, systemPath } = await library('node_files.js');
const { convertArguments } = await library('options.js');
const { parseImport } = await library('plugins/import_query.js');

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
});

test('the disk tells of what is written and read, and its errors are those of WASI', () => {
  const folder = mkdtempSync(join(tmpdir(), 'subbyte-files-'));
  try {
    const seen = [];
    const files = new NodeFiles({
      read: (path) => seen.push(['read', path]),
      temporary: (path) => seen.push(['temporary', path]),
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
      check: false,
      calibration: false,
      dims: { batch: 1 },
      inputs: { scale: 0.5 },
      args: ['--rename', 'a=b'],
    }),
    [
      ...['--precision', '4bit', '--calibration', 'none', '--no-check'],
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
});
