// Weights that are kept in Cache Storage, here an imitation: Node has none, the tests in Chromium use its own.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { deviceTest, makeModule, rejects } from './support.mjs';
import { checkModel, content, plan } from './weight_plan.mjs';

/** As much of Cache Storage as there is to use; `broken` names the operations that reject. */
function imitation(broken = []) {
  const stored = new Map();
  const refuse = (name) => {
    if (broken.includes(name)) throw new Error(`${name} is refused`);
  };
  return {
    stored,
    caches: {
      async open(name) {
        refuse('open');
        assert.equal(name, 'subbyte');
        return {
          async match(key) {
            refuse('match');
            const bytes = stored.get(key);
            return bytes && new Response(bytes);
          },
          async put(key, response) {
            const bytes = new Uint8Array(await response.arrayBuffer());
            refuse('put');
            stored.set(key, bytes);
          },
          delete: async (key) => stored.delete(key),
        };
      },
    },
  };
}

/** A server of bytes that may be replaced, which counts its answers. */
async function serve(t, bytes) {
  const state = { bytes, answers: 0, url: '' };
  const server = createServer((request, response) => {
    ++state.answers;
    response.writeHead(200, { 'content-length': state.bytes.length, vary: '*' });
    response.end(state.bytes);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.url = `http://127.0.0.1:${server.address().port}/w.bin`;
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return state;
}

async function withCaches(caches, body) {
  Object.defineProperty(globalThis, 'caches', { configurable: true, value: caches });
  try {
    await body();
  } finally {
    delete globalThis.caches;
  }
}

deviceTest('weights are fetched once and kept by their hash', async ({ device, t }) => {
  const { load, files } = await makeModule(plan, [content]);
  const server = await serve(t, content);
  const { stored, caches } = imitation();
  await withCaches(caches, async () => {
    for (let visit = 0; visit < 3; ++visit) {
      const events = [];
      const onProgress = ({ phase, loaded }) => phase === 'download' && events.push(loaded);
      const model = await load({ device, weights: server.url, cache: true, onProgress });
      await checkModel(model);
      model.dispose();
      assert.equal(events.at(-1), content.length);
      assert.equal(server.answers, 1);
    }
    assert.deepEqual([...stored.keys()], [`https://subbyte.invalid/${files[0].sha256}`]);
    (await load({ device, weights: server.url })).dispose();
    assert.equal(server.answers, 2, 'only where it is asked for');
  });
});

deviceTest('a copy that is damaged or cut is fetched again', async ({ device, log, t }) => {
  const { load } = await makeModule(plan, [content]);
  const server = await serve(t, content);
  const { stored, caches } = imitation();
  await withCaches(caches, async () => {
    (await load({ device, weights: server.url, cache: true })).dispose();
    const [key] = stored.keys();
    const flipped = content.slice();
    flipped[content.length - 1] ^= 1;
    for (const damaged of [flipped, content.subarray(0, 5000000), new Uint8Array()]) {
      stored.set(key, damaged);
      const { answers } = server;
      let last = 0;
      const onProgress = ({ phase, loaded }) => phase === 'download' && (last = loaded);
      const model = await load({ device, weights: server.url, cache: true, onProgress });
      await checkModel(model);
      model.dispose();
      assert.equal(server.answers, answers + 1);
      assert.equal(last, content.length);
      assert.deepEqual(stored.get(key), content, 'mended');
    }
    // What comes is checked as ever, and not kept where it is wrong.
    stored.clear();
    server.bytes = flipped;
    await rejects(load({ device, weights: server.url, cache: true }), 'integrity');
    assert.equal(stored.size, 0);
    assert.equal(log.liveBytes, 0);
  });
});

deviceTest('without Cache Storage, or room in it, weights are fetched', async ({ device, t }) => {
  const { load } = await makeModule(plan, [content]);
  const server = await serve(t, content);
  const use = async () => {
    const model = await load({ device, weights: server.url, cache: true });
    await checkModel(model);
    model.dispose();
  };
  await use();
  for (const broken of ['open', 'match', 'put']) {
    await withCaches(imitation([broken]).caches, use);
  }
  assert.equal(server.answers, 4);
  const model = await load({ device, cache: true });
  await checkModel(model);
});
