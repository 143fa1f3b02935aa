// Drives the example page as a person would.
import { launch, openPage } from './chromium.mjs';
import { serve } from './server.mjs';

/** Opens the example in `folder` and waits until it answers. Close it. */
export async function openSearch(folder, { port = 0, timeout = 300_000, ...options } = {}) {
  const requests = [];
  const server = await serve({ '/': folder }, { port, onRequest: (name) => requests.push(name) });
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
    return { page, complaints, requests, url: server.url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Types a query and reads the answer: { hits: [{ topic, score, text }], summary }. */
export async function ask(page, query) {
  await page.fill('#query', query);
  await page.press('#query', 'Enter');
  await page.waitForFunction(
    (text) => document.getElementById('hits').dataset.query === text,
    query,
  );
  return page.evaluate(() => ({
    hits: [...document.querySelectorAll('#hits li')].map((item) => ({
      topic: item.querySelector('.topic').textContent,
      score: Number(item.querySelector('.score').textContent),
      text: item.querySelector('.text').textContent,
    })),
    summary: document.getElementById('summary').textContent,
  }));
}

/** What the page says of the model: { 'Precision': '4bit', ... }. */
export function facts(page) {
  return page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll('#facts > div')].map((pair) => [
        pair.querySelector('dt').textContent,
        pair.querySelector('dd').textContent,
      ]),
    ),
  );
}

/** The unit vectors of all passages, in the order of passages.txt, as [[number]]. */
export function passageVectors(page) {
  return page.evaluate(async () => {
    const { ready } = await import('/search.js');
    return (await ready).vectors.map((vector) => [...vector]);
  });
}
