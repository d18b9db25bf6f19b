// Drives a browser through the Admin area of the real server: journeys, then every page; or takes the pictures of the
// documentation. bin/browser starts it, with GATEHOUSE, DATABASE_URL, PSQL and CHROMIUM.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startBrowser } from './browser.mjs';
import { serveGitaly } from './gitaly.mjs';
import { Installation, clean } from './installation.mjs';
import { takeJourneys } from './journeys.mjs';
import { lookAtPages } from './pages.mjs';
import { takePictures } from './pictures.mjs';

const began = Date.now();
const [command, pictures, minutes] = process.argv.slice(2);
const seconds = () => ((Date.now() - began) / 1000).toFixed(0);
const say = (words) => process.stderr.write(`${words}\n`);

/** Says what is wrong, and answers how much is. */
function judge(results) {
  let wrong = 0;
  for (const { name, faults, hints = [] } of results) {
    for (const hint of hints) say(`    ${name}: ${hint}`);
    if (faults.length > 0) wrong += 1;
    for (const fault of faults) say(`!!! ${name}: ${fault}`);
  }
  return wrong;
}

// Whatever hangs, hangs no longer than this.
const MOST_MINUTES = 10;

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-admin.'));
function giveUp(words) {
  say(words);
  clean();
  rmSync(folder, { recursive: true, force: true });
  process.exit(1);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => giveUp('stopped'));
const patience = (MOST_MINUTES + Number(minutes ?? 0)) * 60_000;
setTimeout(() => giveUp(`!!! not done after ${MOST_MINUTES} minutes`), patience).unref();
let gitaly;
let browser;
try {
  gitaly = await serveGitaly();
  browser = await startBrowser();
  const seed = await Installation.make(folder, 'seed', gitaly.address);
  const make = async (name) => (await Installation.make(folder, name, gitaly.address, seed)).serve();
  if (command === '--screenshots') {
    await takePictures(browser, await make('pictures'), pictures, Number(minutes ?? 0));
  } else {
    const looking = make('pages').then((here) => lookAtPages(browser, here));
    const [journeys, pages] = await Promise.all([takeJourneys(browser, make), looking]);
    const wrongJourneys = judge(journeys);
    say(`    ${journeys.length - wrongJourneys} of ${journeys.length} journeys arrived`);
    const wrongPages = judge(pages);
    say(
      `    ${pages.length - wrongPages} of ${pages.length} pages are as committed, without a serious fault, ` +
        `on a desk and a phone, light and dark (${seconds()} s)`,
    );
    if (wrongJourneys + wrongPages > 0) process.exitCode = 1;
  }
} catch (error) {
  say(`${error.stack}\n${error.stderr ?? ''}`);
  process.exitCode = 1;
} finally {
  await browser?.close();
  clean();
  gitaly?.end();
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
