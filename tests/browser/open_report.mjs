// node open_report.mjs PAGE...: what pages of --report show in Chromium, as a line of JSON for each.
import { pathToFileURL } from 'node:url';
import { launch, openPage } from './chromium.mjs';

const browser = await launch();
for (const file of process.argv.slice(2)) {
  const { page, complaints } = await openPage(browser, { viewport: { width: 390, height: 800 } });
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  const url = pathToFileURL(file).href;
  await page.goto(url);
  const shown = await page.evaluate(() => ({
    title: document.querySelector('h1').textContent,
    headings: [...document.querySelectorAll('h2')].map((heading) => heading.textContent),
    text: document.getElementById('report').textContent,
    width: document.documentElement.scrollWidth,
    scripts: document.querySelectorAll('script').length,
    images: document.querySelectorAll('img').length,
  }));
  const others = requests.filter((request) => request !== url);
  console.log(JSON.stringify({ ...shown, complaints, requests: others }));
  await page.close();
}
await browser.close();
