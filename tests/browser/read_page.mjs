// Drives the page that reads lines as a person would.
import { launch, openPage } from './chromium.mjs';
import { serve } from './server.mjs';

/** Opens the example in `folder`, as its owner would serve it, and waits until it reads. Close it. */
export async function openRead(folder, { timeout = 300_000, ...options } = {}) {
  const requests = [];
  const server = await serve({ '/': folder }, { onRequest: (name) => requests.push(name) });
  const browser = await launch();
  const close = async () => {
    await browser.close();
    await server.close();
  };
  try {
    const { page, complaints } = await openPage(browser, options);
    await page.goto(server.url);
    await page.waitForSelector('html[data-ready], #loading.failed', { timeout });
    if (await page.$('#loading.failed')) throw new Error(await page.textContent('#status'));
    return { page, browser, complaints, requests, url: server.url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Types a line and waits for both readings: { float32: { text, sure, size }, '8bit': ..., summary }. */
export async function readLine(page, line) {
  await page.fill('#line', line);
  return readings(page, line);
}

/** The readings of what is named `about`: a line, or the file of an image. */
export async function readings(page, about) {
  await page.waitForFunction(
    (text) => document.getElementById('readings').dataset.line === text,
    about,
  );
  return page.evaluate(() => ({
    ...Object.fromEntries(
      [...document.querySelectorAll('.reading')].map((card) => {
        const told = (name) => card.querySelector(name).textContent;
        return [
          card.dataset.precision,
          { text: told('.text'), sure: told('.sure'), size: told('.size') },
        ];
      }),
    ),
    summary: document.getElementById('summary').textContent,
  }));
}
