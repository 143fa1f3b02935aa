// The example that reads lines: converts the recogniser to float32 and to 8 bits, and has the page read some lines.
import { makeSite } from '../../examples/read/site.mjs';
import { PATIENT, openRead, readLine } from '../../tests/browser/read_page.mjs';
import { takeScreenshots } from './demo_screenshots.mjs';
import { manifestOf, tellAfter, tellBefore, tellFiles } from './demo_sizes.mjs';

const precisions = ['float32', '8bit'];
// The last of them is in the screenshot.
const lines = [
  'Invoice 2024-0137, due in 30 days',
  'https://example.org/?q=a+b',
  '请勿吸烟 No smoking',
  'Sphinx of black quartz, judge my vow!',
];

/** Makes the site in `folder` and prints the sizes. */
export async function makeRead(folder, programs) {
  console.log('\nRead a line');
  const started = performance.now();
  await makeSite(folder, { ...programs, aloud: true });
  console.log(`converted in ${((performance.now() - started) / 1e3).toFixed(1)} s`);
  for (const [index, precision] of precisions.entries()) {
    const manifest = await manifestOf(folder, `read-${precision}`);
    if (index === 0) tellBefore(manifest);
    tellAfter(manifest);
    await tellFiles(folder, `read-${precision}`, manifest);
  }
}

/** Opens the site in headless Chromium, prints both readings of some lines, and leaves screenshots in `folder`. */
export async function tryRead(folder) {
  const site = await openRead(folder, { viewport: { width: 900, height: 680 }, timeout: PATIENT });
  try {
    console.log('\nReading in headless Chromium');
    for (const line of lines) {
      const told = await readLine(site.page, line);
      console.log(`\n> ${line}`);
      for (const precision of precisions) {
        const { text, size, sure } = told[precision];
        console.log(`  ${precision.padEnd(7)} ${size.padStart(8)}  ${text}   (${sure})`);
      }
    }
    await takeScreenshots(site.page, folder, 'read');
    if (site.complaints.length)
      throw new Error(`the reading page complained:\n${site.complaints.join('\n')}`);
  } finally {
    await site.close();
  }
}
