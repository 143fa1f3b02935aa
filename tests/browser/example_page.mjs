// Opens an example's page as its owner would serve it.
import { launch, openPage } from './chromium.mjs';
import { serve } from './server.mjs';

/** A GPU that is made of software, on a machine that is slow or busy: ms that a page of a demo may take for each answer. */
export const PATIENT = 900_000;

/** Serves `folder` and waits until its page is ready, or throws what the page says. Close it. */
export async function openExample(folder, { port = 0, timeout = 300_000, ...options } = {}) {
  const requests = [];
  const server = await serve({ '/': folder }, { port, onRequest: (name) => requests.push(name) });
  const browser = await launch();
  const close = async () => {
    await browser.close();
    await server.close();
  };
  try {
    const { page, complaints } = await openPage(browser, options);
    // A GPU that is made of software, on a machine that is busy, takes its time for answers too.
    page.setDefaultTimeout(timeout);
    await page.goto(server.url);
    await page.waitForSelector('html[data-ready], #loading.failed');
    if (await page.$('#loading.failed')) throw new Error(await page.textContent('#status'));
    return { page, browser, complaints, requests, url: server.url, close };
  } catch (error) {
    await close();
    throw error;
  }
}
