// Parts of the runtime for tests, without all that the tests of the runtime itself share.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const sources = fileURLToPath(new URL('../../runtime/src/', import.meta.url));

/** A source file of the runtime, bundled alone, so that its functions can be tested. */
export async function internals(name) {
  const result = await build({
    entryPoints: [sources + name],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  return import(
    `data:text/javascript;base64,${Buffer.from(result.outputFiles[0].contents).toString('base64')}`
  );
}
