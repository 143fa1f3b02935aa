// A static file server for tests and the demo: no dependencies, loopback only.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.bin': 'application/octet-stream',
};

/**
 * Serves folders: `folders` maps a URL prefix that begins and ends with "/" to a folder. Returns { url, close() }.
 * `onRequest(path)` hears of every request, before it is answered.
 */
export async function serve(folders, { port = 0, onRequest = () => {} } = {}) {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  const server = createServer(async (request, response) => {
    const requested = new URL(request.url, 'http://localhost').pathname;
    onRequest(requested);
    const file = await find(requested);
    if (!file) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end(`there is no ${requested}\n`);
      return;
    }
    response.writeHead(200, {
      'content-type': types[path.extname(file.name)] ?? 'application/octet-stream',
      'content-length': file.size,
      'cache-control': 'no-store',
    });
    if (request.method === 'HEAD') response.end();
    else createReadStream(file.name).pipe(response);
  });

  async function find(requested) {
    const prefix = prefixes.find((candidate) => requested.startsWith(candidate));
    if (prefix === undefined) return null;
    const folder = path.resolve(folders[prefix]);
    let name;
    try {
      name = path.join(folder, decodeURIComponent(requested.slice(prefix.length)));
    } catch {
      return null;
    }
    if (name !== folder && !name.startsWith(folder + path.sep)) return null;
    try {
      let found = await stat(name);
      if (found.isDirectory()) {
        name = path.join(name, 'index.html');
        found = await stat(name);
      }
      return found.isFile() ? { name, size: found.size } : null;
    } catch {
      return null;
    }
  }

  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
