// Runs sessions (session.mjs) in Node or in headless Chromium; in the latter every session has a page of its own.
//   node run_sessions.mjs node|chromium SESSIONS.json RESULTS.json
// Both files hold a list; `module` is a path. Shaders are left in the folder $SUBBYTE_WGSL_DUMP, if it is set.
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { runSession } from './session.mjs';

/** Runs the sessions in this process, on the npm package `webgpu`. */
export async function runInNode(sessions) {
  useSoftwareGpu();
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { gpu: create([]) },
  });
  const results = [];
  for (const session of sessions) {
    const { load } = await import(pathToFileURL(session.module).href);
    results.push(await runSession(session, load));
  }
  return results;
}

// The Vulkan driver that Debian's Chromium ships, unless the caller has chosen one.
function useSoftwareGpu() {
  process.env.XDG_RUNTIME_DIR ??= '/tmp';
  if (process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES) return;
  process.env.VK_ICD_FILENAMES = '/usr/lib/chromium/vk_swiftshader_icd.json';
}

/** Runs the sessions in headless Chromium, each page served from its module's folder. */
export async function runInChromium(sessions) {
  const [{ launch, openPage }, { serve }] = [
    await import('./chromium.mjs'),
    await import('./server.mjs'),
  ];
  const folders = { '/': path.dirname(fileURLToPath(import.meta.url)) };
  sessions.forEach((session, index) => (folders[`/m${index}/`] = path.dirname(session.module)));
  const server = await serve(folders);
  const browser = await launch();
  try {
    const results = [];
    for (const [index, session] of sessions.entries()) {
      const { page, complaints } = await openPage(browser);
      await page.goto(`${server.url}/page.html`);
      await page.waitForFunction(() => window.ready);
      const module = `/m${index}/${encodeURIComponent(path.basename(session.module))}`;
      // As text: a name such as `__proto__` would not survive the browser protocol's own copying of objects.
      const text = await page.evaluate(
        (given) => window.runSession(given),
        JSON.stringify({ ...session, module }),
      );
      const result = JSON.parse(text);
      result.errors.push(...complaints);
      results.push(result);
      await page.close();
    }
    return results;
  } finally {
    await browser.close();
    await server.close();
  }
}

async function keepShaders(results) {
  const folder = process.env.SUBBYTE_WGSL_DUMP;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  for (const code of new Set(results.flatMap((result) => result.shaders))) {
    const name = createHash('sha256').update(code).digest('hex').slice(0, 16);
    await writeFile(path.join(folder, `${name}.wgsl`), code);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [target, from, to] = process.argv.slice(2);
  try {
    const sessions = JSON.parse(await readFile(from, 'utf8'));
    const results = await { node: runInNode, chromium: runInChromium }[target](sessions);
    await keepShaders(results);
    await writeFile(to, JSON.stringify(results));
  } catch (error) {
    // Not the stack: a generated module's lines are as long as its plan.
    console.error(`${error.name}${error.code ? ` (${error.code})` : ''}: ${error.message}`);
    process.exit(1);
  }
  // Dawn keeps threads that would keep the process.
  process.exit(0);
}
