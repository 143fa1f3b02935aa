// node npm/pack_native.mjs PROGRAM LICENCES FOLDER: packs the native program of this system, with the texts of the licences of all
// that is linked in, as the package that `npx subbyte` uses where npm has installed it (npm/src/cli.ts).
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

import { npmPack } from './npm_pack.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(here);
const [program, licences, folder] = process.argv.slice(2);
if (folder === undefined)
  throw new Error('usage: node npm/pack_native.mjs PROGRAM LICENCES FOLDER');

const { version, license, optionalDependencies } = JSON.parse(
  fs.readFileSync(path.join(here, 'package.json'), 'utf8'),
);
const name = `subbyte-${process.platform}-${process.arch}`;
if (optionalDependencies[name] !== version)
  throw new Error(`npm/package.json: optionalDependencies do not name ${name} ${version}`);
const made = path.join(root, 'build', name);
fs.rmSync(made, { recursive: true, force: true });
fs.mkdirSync(path.join(made, 'bin'), { recursive: true });
fs.copyFileSync(program, path.join(made, 'bin', 'subbyte'));
fs.chmodSync(path.join(made, 'bin', 'subbyte'), 0o755);
fs.cpSync(licences, path.join(made, 'licences'), { recursive: true });
fs.copyFileSync(path.join(root, 'LICENSE'), path.join(made, 'LICENSE'));
const manifest = {
  name,
  version,
  description: `The native program of subbyte for ${process.platform} on ${process.arch}, which \`npx subbyte\` uses where it is installed`,
  license,
  preferUnplugged: true,
  os: [process.platform],
  cpu: [process.arch],
  // By its symbols, glibc 2.34 and newer (tools/dev/pack_python.sh).
  ...(process.platform === 'linux' && { libc: ['glibc'] }),
  files: ['bin', 'licences', 'LICENSE', 'README.md'],
};
fs.writeFileSync(path.join(made, 'package.json'), JSON.stringify(manifest, undefined, 2) + '\n');
fs.writeFileSync(
  path.join(made, 'README.md'),
  `# ${name}\n\n${manifest.description}. Install \`subbyte\`, which brings it. It needs nothing but glibc 2.34 or newer;\n` +
    'the licences of the libraries that are linked in are in `licences/`.\n',
);
npmPack(made, folder);
