// Starts headless Chromium with WebGPU on the CPU, and listens to what its pages complain of.
import { chromium } from 'playwright-core';

const flags = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/** A browser with a fresh profile. Close it. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    // As root, as in a container, Chromium starts only without its sandbox.
    chromiumSandbox: process.getuid?.() !== 0,
    args: flags,
  });
}

/** A page, and the list of errors that it prints or throws. */
export async function openPage(browser, options = {}) {
  const page = await browser.newPage(options);
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning')
      complaints.push(`${message.type()}: ${message.text()}`);
  });
  return { page, complaints };
}
