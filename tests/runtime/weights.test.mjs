import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CHUNK, deviceTest, makeModule, rejects, settle, temporary } from './support.mjs';
import { checkModel, content, plan, randomBytes, weightPlan, wordAt } from './weight_plan.mjs';

deviceTest(
  'weights come from beside the module by default, and progress is told',
  async ({ device }) => {
    const { load } = await makeModule(plan, [content]);
    const events = [];
    const model = await load({ device, onProgress: (event) => events.push(event) });
    await checkModel(model);
    model.dispose();
    const download = events.filter(({ phase }) => phase === 'download');
    const compile = events.filter(({ phase }) => phase === 'compile');
    assert.deepEqual([...download, ...compile], events, 'one phase after the other');
    assert.deepEqual(download[0], { phase: 'download', loaded: 0, total: content.length });
    assert.equal(download.at(-1).loaded, content.length);
    download.forEach(({ loaded, total }, i) => {
      assert.equal(total, content.length);
      assert.ok(i === 0 || loaded > download[i - 1].loaded);
    });
    assert.deepEqual(compile.at(-1), { phase: 'compile', loaded: 3, total: 3 });
  },
);

/** A server of one file; `respond` may change what it does. */
async function serve(t, bytes, respond) {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push(request);
    if (respond) return respond(response, request);
    response.writeHead(200, { 'content-length': bytes.length });
    response.end(bytes);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}/`, requests };
}

for (const [name, make] of [
  ['a URL of http', async (t) => new URL((await serve(t, content)).url + 'w.bin')],
  ['a string of http', async (t) => (await serve(t, content)).url + 'w.bin'],
  ['the folder of the file', async (t) => (await serve(t, content)).url],
  ['a Response', async (t) => fetch((await serve(t, content)).url)],
  ['a Response made by hand', async () => new Response(content)],
  ['the promise of a Response', async () => Promise.resolve(new Response(content))],
  ['a Blob', async () => new Blob([content])],
  ['an ArrayBuffer', async () => content.slice().buffer],
  ['a view', async () => content.slice()],
  [
    'shared memory',
    async () => {
      const shared = new Uint8Array(new SharedArrayBuffer(content.length));
      shared.set(content);
      return shared.buffer;
    },
  ],
  [
    'a function',
    async () => async (file, offset, bytes) => content.slice(offset, offset + bytes).buffer,
  ],
  [
    'a function that gives views',
    async () => (file, offset, bytes) => content.subarray(offset, offset + bytes),
  ],
  ['an array', async () => [new Blob([content])]],
  [
    'a file: URL',
    async () => {
      writeFileSync(temporary('given.bin'), content);
      return pathToFileURL(temporary('given.bin'));
    },
  ],
  [
    'a string of file:',
    async () => {
      writeFileSync(temporary('given.bin'), content);
      return pathToFileURL(temporary('given.bin')).href;
    },
  ],
  [
    'a path on disk',
    async () => {
      writeFileSync(temporary('given.bin'), content);
      return temporary('given.bin');
    },
  ],
]) {
  deviceTest(
    `weights from ${name}`,
    async ({ device, t }) => {
      const { load } = await makeModule(plan, [content]);
      const model = await load({ device, weights: await make(t) });
      await checkModel(model);
      model.dispose();
    },
    ['plain'],
  );
}

deviceTest(
  'a function is asked for the file by name, in chunks, with a signal',
  async ({ device }) => {
    const { load, files } = await makeModule(plan, [content]);
    const asked = [];
    await load({
      device,
      weights: async (file, offset, bytes, signal) => {
        assert.ok(signal instanceof AbortSignal);
        asked.push([file, offset, bytes]);
        return content.slice(offset, offset + bytes).buffer;
      },
    });
    assert.deepEqual(asked, [
      [files[0].name, 0, CHUNK],
      [files[0].name, CHUNK, CHUNK],
      [files[0].name, 2 * CHUNK, CHUNK / 2],
    ]);
  },
  ['plain'],
);

deviceTest(
  'requestInit goes to fetch',
  async ({ device, t }) => {
    const { url, requests } = await serve(t, content);
    const { load } = await makeModule(plan, [content]);
    await load({ device, weights: url, requestInit: { headers: { authorization: 'Bearer x' } } });
    assert.equal(requests[0].headers.authorization, 'Bearer x');
  },
  ['plain'],
);

deviceTest('weights in the module itself', async ({ device }) => {
  const { load, text } = await makeModule(plan, [content], { inline: true });
  assert.ok(text.length > content.length);
  const model = await load({ device });
  await checkModel(model);
  // Each remainder of 3 at the end.
  for (const bytes of [4, 8, 12, 260]) {
    const small = randomBytes(bytes, bytes);
    const of = [{ file: 0, offset: 0, bytes }];
    const module = await makeModule(weightPlan(of), [small], { inline: true });
    const { y0 } = await (
      await module.load({ device })
    ).run({ x: { data: Uint32Array.of(bytes / 4 - 1), dims: [1] } });
    assert.equal(y0.data[0], wordAt(small, bytes / 4 - 1));
  }
});

deviceTest('several files: together, from a folder, an array, a function', async ({ device }) => {
  const contents = [randomBytes(CHUNK + 512, 2), randomBytes(1024, 3), randomBytes(300, 4)];
  const of = contents.map((bytes, file) => ({ file, offset: 0, bytes: bytes.length }));
  const { load, folder, files } = await makeModule(weightPlan(of), contents);
  const check = async (model) => {
    const x = { data: Uint32Array.of(0, 74), dims: [2] };
    const out = await model.run({ x });
    contents.forEach((bytes, i) => {
      assert.deepEqual(
        out[`y${i}`].data,
        x.data.map((index) => wordAt(bytes, index)),
      );
    });
    model.dispose();
  };
  await check(await load({ device }));
  await check(await load({ device, weights: `${folder}/` }));
  await check(await load({ device, weights: new URL(`${pathToFileURL(folder).href}/`) }));
  await check(await load({ device, weights: contents.map((bytes) => new Blob([bytes])) }));
  await check(
    await load({
      device,
      weights: async (file, offset, bytes) =>
        readFileSync(join(folder, file)).subarray(offset, offset + bytes),
    }),
  );
  await rejects(
    load({ device, weights: new Blob([contents[0]]) }),
    'bad-option',
    'load({ weights }): the model has 3 files of weights: give an array of as many, the URL of their folder (ending in "/"), or a function',
  );
  await rejects(
    load({ device, weights: [new Blob([contents[0]])] }),
    'bad-option',
    `load({ weights }): the array has 1 entries, but the model has 3 files: ${files.map((f) => f.name).join(', ')}`,
  );
});

deviceTest(
  'what is wrong with weights is said, and nothing is left behind',
  async ({ device, log, t }) => {
    const { load, files, folder } = await makeModule(plan, [content]);
    const [{ name }] = files;
    const advice =
      'deploy the module and its weights of one conversion, whole, and reload past any cache';
    const bad = async (weights, code, message) => {
      await rejects(load({ device, weights }), code, message);
      await settle();
      assert.equal(log.buffersDestroyed, log.buffersMade);
    };

    for (const position of [0, CHUNK - 1, CHUNK, 2.5 * CHUNK - 1]) {
      const broken = content.slice();
      broken[position] ^= 1;
      const first = Math.floor(position / CHUNK) * CHUNK;
      const last = Math.min(first + CHUNK, content.length) - 1;
      const message = new RegExp(
        `^the weights "${name}" are not this model's: the SHA-256 of bytes ${first} to ${last} is [0-9a-f]{64}, not [0-9a-f]{64}: ${advice}$`,
      );
      await bad(new Response(broken), 'integrity', message);
      await bad(new Blob([broken]), 'integrity', message);
    }
    const short = content.subarray(0, content.length - 1);
    await bad(
      new Response(short),
      'integrity',
      `the weights "${name}" end after ${short.length} bytes, but must have ${content.length} bytes: ${advice}`,
    );
    await bad(
      new Blob([short]),
      'integrity',
      `the weights "${name}" have ${short.length} bytes, but must have ${content.length} bytes: ${advice}`,
    );
    await bad(new Response(new Uint8Array(0)), 'integrity', /end after 0 bytes/);
    const long = new Uint8Array(content.length + 1);
    long.set(content);
    await bad(
      new Response(long),
      'integrity',
      `the weights "${name}" have more bytes, but must have ${content.length} bytes: ${advice}`,
    );
    await bad(long, 'integrity', /have 10485761 bytes/);
    await bad(
      (file, offset, bytes) => content.slice(offset, offset + bytes - 1),
      'integrity',
      /^the weights "[^"]+": 4194303 bytes came where 4194304 were asked for, at byte 0: deploy/,
    );
    await bad(
      () => Promise.reject(new Error('no network')),
      'download',
      `bytes 0 to ${CHUNK - 1} of the weights "${name}" cannot be read: no network`,
    );
    await bad(
      () => 'text',
      'bad-option',
      /must return an ArrayBuffer of the 4194304 bytes from 0 of/,
    );
    await bad(
      42,
      'bad-option',
      'load({ weights }) takes a URL, Response, Blob, ArrayBuffer or function (or an array of these, one for each file), not Number',
    );
    await bad(null, 'bad-option', /not null$/);
    const used = new Response(content);
    await used.arrayBuffer();
    await bad(used, 'download', `"${name}": the response has no body, or it was read already`);

    const missing = await serve(t, content, (response) => response.writeHead(404).end());
    await bad(
      `${missing.url}w.bin`,
      'download',
      `"${name}" from ${missing.url}w.bin: the server answered 404 Not Found: is the file deployed beside the module?`,
    );
    const page = await serve(t, content, (response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>'),
    );
    await bad(
      page.url + 'w.bin',
      'integrity',
      /\(the server sent a page of HTML: is the file deployed beside the module\?\)/,
    );
    const broken = await serve(t, content, (response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 100000), () => response.destroy());
    });
    await bad(
      broken.url + 'w.bin',
      'download',
      /broke off after \d+ of 10485760 bytes \(.*\): try again$/,
    );
    await bad(
      'http://127.0.0.1:9/w.bin',
      'download',
      /cannot be fetched from http:\/\/127\.0\.0\.1:9\/w\.bin \(.*\): check the address, the network and CORS headers$/,
    );
    await bad(
      join(folder, 'none.bin'),
      'download',
      /cannot be read from .*none\.bin \(ENOENT.*\): keep the file beside the module, or say where it is with load\(\{ weights \}\)$/,
    );
    await checkModel(await load({ device }));
  },
);

deviceTest(
  'loading can be aborted: before, while downloading, whatever the source does',
  async ({ device, log, t }) => {
    const { load } = await makeModule(plan, [content]);
    await rejects(
      load({ device, signal: AbortSignal.abort() }),
      'aborted',
      /^loading was aborted: /,
    );
    const reason = new Error('enough');
    const error = await rejects(
      load({ device, signal: AbortSignal.abort(reason) }),
      'aborted',
      'loading was aborted: enough',
    );
    assert.equal(error.cause, reason);
    assert.equal(log.buffersMade, 0);

    const slow = await serve(t, content, (response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, CHUNK + 1000));
    });
    const never = () => new Promise(() => {});
    const slowBlob = {
      size: content.length,
      arrayBuffer: never,
      slice: () => ({ arrayBuffer: never }),
    };
    for (const weights of [slow.url + 'w.bin', never, slowBlob]) {
      const controller = new AbortController();
      const events = [];
      const loading = load({
        device,
        weights,
        signal: controller.signal,
        onProgress: (event) => events.push(event),
      });
      setTimeout(() => controller.abort(), 50);
      await rejects(loading, 'aborted');
      const count = events.length;
      await settle();
      assert.equal(events.length, count, 'no progress after the end');
      assert.equal(log.buffersDestroyed, log.buffersMade);
    }
    await checkModel(await load({ device, signal: new AbortController().signal }));
  },
);

deviceTest('loading can be aborted while pipelines compile', async ({ device, log }) => {
  const { load } = await makeModule(plan, [content]);
  const original = device.createComputePipelineAsync;
  const compile = original.bind(device);
  let controller;
  let after;
  Object.defineProperty(device, 'createComputePipelineAsync', {
    configurable: true,
    value: async (descriptor) => {
      setTimeout(() => controller.abort(new Error('enough')), 20);
      const pipeline = await compile(descriptor);
      await after;
      return pipeline;
    },
  });
  // Both where compiling ends after the signal, and where it never does.
  for (after of [new Promise((resolve) => setTimeout(resolve, 60)), new Promise(() => {})]) {
    controller = new AbortController();
    const { signal } = controller;
    await rejects(load({ device, signal }), 'aborted', 'loading was aborted: enough');
    await settle();
    assert.equal(log.buffersDestroyed, log.buffersMade);
  }
});

deviceTest('what onProgress throws is what load rejects with', async ({ device, log }) => {
  const { load } = await makeModule(plan, [content]);
  const mine = new Error('mine');
  const onProgress = ({ loaded }) => {
    if (loaded > 0) throw mine;
  };
  await assert.rejects(load({ device, onProgress }), (error) => error === mine);
  await settle();
  assert.equal(log.buffersDestroyed, log.buffersMade);
});
