// Drives the page that reads lines as a person would.
export { PATIENT, openExample as openRead } from './example_page.mjs';

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
