// What every example page uses: elements, sizes and times in words, files beside the page, and the word on WebGPU.

export const element = (id) => document.getElementById(id);

/** A new element of a tag, a class ('' for none) and either a text or children. */
export function part(tag, name, ...content) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...content);
  return made;
}

/** Fetches a file that lies beside the page. */
export async function get(name) {
  const response = await fetch(new URL(name, document.baseURI));
  if (!response.ok)
    throw new Error(`${name} could not be loaded: the server answered ${response.status}.`);
  return response;
}

/** Throws, in words for a visitor, where WebGPU cannot be used here. Else shows a notice where it runs on the CPU. */
export async function requireGpu() {
  if (!navigator.gpu) {
    throw new Error(
      'This browser has no WebGPU. Chrome and Edge 113, Safari 26 and Firefox 141 or newer have it, on most machines; ' +
        'the page must come over https or from localhost.',
    );
  }
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) {
    throw new Error('This browser has WebGPU but found no graphics card that it can use it on.');
  }
  const notice = element('software');
  if (notice && runsOnCpu(adapter)) {
    notice.textContent =
      'WebGPU runs on the processor here, without a graphics card: correct, but far slower.';
    notice.hidden = false;
  }
}

/** A browser tells by a flag of the adapter or, in older versions, by its name. */
export function runsOnCpu({ info, isFallbackAdapter }) {
  if (info?.isFallbackAdapter ?? isFallbackAdapter) return true;
  return /swiftshader|llvmpipe|lavapipe|basic render/i.test(
    `${info?.architecture} ${info?.device} ${info?.description}`,
  );
}

/** The bar and the line below it, in the element #loading; a share of null is a bar of what has no length. */
export function progress(share, text) {
  element('loading').hidden = false;
  element('loading').classList.remove('failed');
  if (share === null) element('progress').removeAttribute('value');
  else element('progress').value = share;
  element('status').textContent = text;
}

/** What `load` tells, in words: { share: 0..1, text }. */
export function loadingOf({ phase, loaded, total }, what) {
  const text =
    phase === 'download'
      ? `Downloading ${what}: ${megabytes(loaded)} of ${megabytes(total)}`
      : `Preparing the GPU for ${what}: ${loaded} of ${total} programs`;
  return { share: loaded / total, text };
}

/** Shows what went wrong in place of the bar; nothing is being computed any more. */
export function fail(error) {
  console.error(error);
  for (const busy of document.querySelectorAll('[aria-busy="true"]')) busy.ariaBusy = 'false';
  element('loading').hidden = false;
  element('loading').classList.add('failed');
  element('status').textContent = error.message;
}

/** Pairs of a name and a value, as the list #facts. */
export function showFacts(facts) {
  element('facts').replaceChildren(
    ...facts.map(([name, value]) => part('div', '', part('dt', '', name), part('dd', '', value))),
  );
  element('facts').hidden = false;
}

/** A function that answers one question at a time: of those that come meanwhile only the last one waits. */
export function lastWins(answer) {
  let running = false;
  let waiting = null;
  return async (question) => {
    waiting = { question };
    if (running) return;
    running = true;
    try {
      while (waiting) {
        const next = waiting.question;
        waiting = null;
        await answer(next);
      }
    } catch (error) {
      fail(error);
    } finally {
      running = false;
    }
  };
}

export function duration(milliseconds) {
  if (milliseconds >= 1000) return `${(milliseconds / 1e3).toFixed(1)} s`;
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** The same in the unit that fits. */
export const sizeText = (bytes) =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : megabytes(bytes);
