// Bundles the runtime into one classic script that defines `subbyte_runtime`: node runtime/build.mjs [OUTPUT]
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

/** Properties of the runtime's own objects: no plan, no user and no part of WebGPU knows them, so that they may be shortened. */
const OWN = `
  active allocation allocations before index kept key least limit start stop apart arenas arrived capacities capacity checked checks chunkEntries compiled copies
  counted destroyed dispatches disposed downloaded encoded engine fitting fixed give giveBack given groups groupsMade
  isIdle isKnownAhead isOurs isStarted job keptBytes launch launches layouts lentBy make memory mostIdle need note onCpu outOfMemory
  outside outsideGroups owned paramBytes pending places pool ports program ranges readbacks reads region regions release
  again arena errors group kind mapped output remove source step
  request result serves settle sizes slices slots spec staging take totals turns unconfirmed uploads written`;

/** Where Node stops at an error that nobody catches, it shows the whole line above the message. */
const LONGEST_LINE = 240;

const root = fileURLToPath(new URL('../', import.meta.url));
const output = process.argv[2] ?? `${root}build/runtime/runtime.js`;
const bundled = await build({
  absWorkingDir: root,
  entryPoints: ['runtime/src/main.ts'],
  bundle: true,
  minifySyntax: true,
  // What a constructor assigns is not declared as well.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
  mangleProps: new RegExp(`^(${OWN.trim().split(/\s+/).join('|')})$`),
  format: 'esm',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  write: false,
});
// As a module it has no helpers that define exports; what it exports is the value of one function.
const { text: module } = bundled.outputFiles[0];
const [list, names] = module.match(/export \{([^}]*)\};\s*$/) ?? [];
if (!list) throw new Error('the bundle must end with its exports');
const script = `var subbyte_runtime = (() => { ${module.slice(0, -list.length)} return {${names}}; })();`;
const { code } = await minify(script, {
  ecma: 2022,
  compress: {
    // More make it smaller, and larger once it is compressed.
    passes: 2,
    ecma: 2022,
    keep_fargs: false,
    pure_getters: true,
    inline: 1,
    unsafe_arrows: true,
    keep_classnames: /^SubbyteError$/,
  },
  mangle: { keep_classnames: /^SubbyteError$/, reserved: ['SubbyteError'] },
  format: { semicolons: false, max_line_len: LONGEST_LINE },
});
// The comments that keep webpack and Vite from resolving the import of what only Node has are gone by now.
const comments = '/* webpackIgnore: true *//* @vite-ignore */';
const text = code.replace(/\bimport\((?=\w+\))/g, `import(${comments}`);
if (text.split(comments).length !== 2) throw new Error('the runtime must have one dynamic import');
mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, `${text}\n`);
