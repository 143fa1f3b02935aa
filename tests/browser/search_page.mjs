// Drives the example page as a person would.
export { PATIENT, openExample as openSearch } from './example_page.mjs';

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
