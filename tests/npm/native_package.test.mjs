// The npm package of the native program (SUBBYTE_NATIVE_PACKAGE), which `./dev pack native` makes, as npm installs it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';

const {
  SUBBYTE_MODELS: models,
  SUBBYTE_NATIVE_PACKAGE: pack,
  SUBBYTE_PACKAGE: whole,
} = process.env;
const skip =
  pack === undefined && 'SUBBYTE_NATIVE_PACKAGE names no package: ./dev pack native makes one';
const name = `subbyte-${process.platform}-${process.arch}`;

let folder;

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: folder, encoding: 'utf8', ...options });
}

before(() => {
  if (skip) return;
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'subbyte native '));
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  const packages = [whole, pack].filter((file) => file !== undefined);
  const { status, stderr } = run('npm', [
    ...['install', '--offline', '--no-audit', '--no-fund', '--silent'],
    ...packages.map((file) => path.resolve(file)),
  ]);
  assert.equal(status, 0, stderr);
});
after(() => {
  if (folder) fs.rmSync(folder, { recursive: true });
});

const installed = (...parts) => path.join(folder, 'node_modules', name, ...parts);

test('the program converts with nothing of this machine on its way', { skip }, () => {
  const { status, stdout, stderr } = run(
    installed('bin', 'subbyte'),
    [
      ...[
        'convert',
        path.join(models, 'ppocr-cls.onnx'),
        '--precision',
        '4bit',
        '--output',
        'm.webgpu.js',
      ],
      ...['--calibration', 'none', '--no-check'],
    ],
    { env: {} },
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^'m\.webgpu\.js': .* bits a weight/);
  assert.ok(fs.existsSync(path.join(folder, 'm.webgpu.json')));
});

test('the package says where it runs, and whose licences are in it', { skip }, () => {
  const manifest = JSON.parse(fs.readFileSync(installed('package.json'), 'utf8'));
  const { optionalDependencies } = JSON.parse(
    fs.readFileSync(new URL('../../npm/package.json', import.meta.url), 'utf8'),
  );
  assert.equal(optionalDependencies[name], manifest.version);
  assert.deepEqual([manifest.os, manifest.cpu], [[process.platform], [process.arch]]);
  const licences = fs.readdirSync(installed('licences')).join(' ');
  for (const library of [
    'fmt',
    'hwy',
    'zip',
    'png',
    'turbojpeg',
    'ssl',
    'zlib1g',
    'nlohmann',
    'protozero',
    'stdc',
  ])
    assert.match(licences, new RegExp(library));
});

test(
  '`npx subbyte` is this program where both are installed',
  { skip: skip || (whole === undefined && 'SUBBYTE_PACKAGE names no package') },
  () => {
    const line = ['list', 'precisions'];
    // Without what it falls back to.
    fs.rmSync(path.join(folder, 'node_modules', 'subbyte', 'subbyte.wasm'));
    const npx = run(process.execPath, [path.join('node_modules', '.bin', 'subbyte'), ...line]);
    const own = run(installed('bin', 'subbyte'), line);
    assert.deepEqual([npx.status, npx.stdout], [own.status, own.stdout], npx.stderr);
  },
);
