// Weights that are kept between visits, in Cache Storage, by their hash.
import type { PlanFile } from './plan.js';
import type { LoadOptions } from './types.js';

/** Where a file of weights is kept, or may be. */
export interface Kept {
  /** The whole file, as far as is known. */
  match(): Promise<Response | undefined>;
  /** Resolves when all of the response has been stored, or nothing of it where there is no room. */
  put(response: Response): Promise<void>;
  remove(): Promise<unknown>;
}

/** Undefined where it is not wanted, or where this context has no Cache Storage or does not allow it. */
export async function keptFile(
  file: PlanFile,
  { cache: wanted }: LoadOptions,
): Promise<Kept | undefined> {
  if (!wanted) return undefined;
  try {
    const cache = await caches.open('subbyte');
    // A key must be an address; none is ever fetched (RFC 2606).
    const key = `https://subbyte.invalid/${file.sha256}`;
    return {
      match: () => cache.match(key).catch(() => undefined),
      // Without the headers of the server, some of which forbid it.
      put: ({ body }) => cache.put(key, new Response(body)).catch(() => {}),
      remove: () => cache.delete(key).catch(() => {}),
    };
  } catch {
    return undefined;
  }
}
