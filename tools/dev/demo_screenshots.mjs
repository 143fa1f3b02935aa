// Pictures of a page as people see it: wide and narrow, light and dark.
import path from 'node:path';

const widths = { wide: 1280, narrow: 390 };
const schemes = ['light', 'dark'];

/** Leaves NAME-1280-light.png and its three relatives in `folder`; the page is as it was, afterwards. */
export async function takeScreenshots(page, folder, name) {
  const before = page.viewportSize();
  for (const width of Object.values(widths)) {
    for (const colorScheme of schemes) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await page.screenshot({
        path: path.join(folder, `${name}-${width}-${colorScheme}.png`),
        fullPage: true,
      });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(before);
  const shown = path.relative(process.cwd(), path.join(folder, name));
  console.log(
    `\nscreenshots: ${shown}-{${Object.values(widths).join(',')}}-{${schemes.join(',')}}.png`,
  );
}
