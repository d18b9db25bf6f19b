// The browser, and what no page may do in it.

import { existsSync } from 'node:fs';

import { tokens } from './installation.mjs';
import { chromium } from './tools.mjs';

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 360, height: 740 };

/** Starts the browser that CHROMIUM names. */
export async function startBrowser() {
  const executablePath = process.env.CHROMIUM;
  if (!executablePath || !existsSync(executablePath)) throw new Error('CHROMIUM names no browser');
  // Root has no sandbox, and containers have a small /dev/shm.
  const args = ['--disable-dev-shm-usage', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])];
  const signals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
  return chromium.launch({ executablePath, args, timeout: 30_000, ...signals });
}

/** A page in a context of its own. `faults` keeps what no page may do, and `expected` has statuses that may come. */
export async function open(browser, here, options = {}) {
  const context = await browser.newContext({ baseURL: here.url, locale: 'en-GB', timezoneId: 'UTC', ...options });
  // Machines that do much else are slow; what waits so long waits in vain.
  context.setDefaultTimeout(20_000);
  context.setDefaultNavigationTimeout(60_000);
  const page = await context.newPage();
  const visit = { context, page, here, faults: [], expected: new Set(), scripts: options.javaScriptEnabled !== false };
  page.on('pageerror', (error) => visit.faults.push(`a script failed: ${error.message}`));
  page.on('console', (said) => {
    // The status of an answer is looked at below.
    if (said.type() === 'error' && !said.text().startsWith('Failed to load resource')) visit.faults.push(said.text());
  });
  context.on('request', (request) => {
    if (!request.url().startsWith(`${here.url}/`)) visit.faults.push(`asked elsewhere: ${request.url()}`);
  });
  context.on('response', (response) => {
    const status = response.status();
    if (status >= 400 && !visit.expected.has(status)) visit.faults.push(`${status}: ${response.url()}`);
  });
  return visit;
}

/** Signs in, and ends on the page at `to`. */
export async function signIn({ page }, token = tokens.acts, to = '/admin') {
  await page.goto(to);
  await page.getByLabel('Personal access token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}
