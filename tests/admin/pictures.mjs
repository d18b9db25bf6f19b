// The pictures of the documentation: PNG, and small.

import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { open, signIn } from './browser.mjs';

const WIDTH = 1280;
const MOST = 150 * 1024;

/** Names, heights, and what they show. */
const PICTURES = [
  ['admin-overview.png', 800, '/admin'],
  ['admin-explain.png', 800, '/admin/explain?actor=dana&project=gnuwget/wget2&action=push&ref=main'],
  ['admin-user.png', 800, '/admin/users/7'],
];

/** Asks what clients ask, some of it refused, for so many minutes: the charts are of real requests. */
async function ask(here, minutes) {
  const web = { action: 'git-receive-pack', project: 'acme/platform/web' };
  const refused = [
    { ...web, user_id: 7 },
    { action: 'git-upload-pack', project: 'rubi/errors', user_id: 29 },
    { ...web, user_id: 7, protocol: 'http' },
    { action: 'git-upload-pack', project: 'gnuwget/wget', key_id: 7 },
  ];
  const end = Date.now() + minutes * 60_000;
  let asked = 0;
  do {
    // About twice as many in one minute as in another.
    const wave = 1.5 + Math.sin(Date.now() / 90_000);
    for (let number = 0; number < 10 * wave; number += 1) {
      await here.allowed({ action: 'git-upload-pack', project: 'gnuwget/wget2', key_id: 11 });
    }
    if (asked < 8 || asked % 50 === 0) await here.allowed(refused[asked % refused.length]);
    asked += 1;
    await new Promise((resolve) => setTimeout(resolve, minutes > 0 ? 1000 : 50));
  } while (Date.now() < end || asked < 8);
}

export async function takePictures(browser, here, folder, minutes) {
  mkdirSync(folder, { recursive: true });
  const visit = await open(browser, here);
  await ask(here, minutes);
  await signIn(visit);
  // The first overview has everything judged, and the next one says how that went.
  await visit.page.waitForTimeout(3000);
  for (const [name, height, path] of PICTURES) {
    await visit.page.setViewportSize({ width: WIDTH, height });
    await visit.page.goto(path);
    const file = join(folder, name);
    await visit.page.screenshot({ path: file, animations: 'disabled' });
    const { size } = statSync(file);
    process.stderr.write(`    ${file}: ${(size / 1024).toFixed(1)} KiB\n`);
    if (size >= MOST) throw new Error(`${file} has ${size} bytes, and ${MOST} are the most`);
  }
  if (visit.faults.length > 0) throw new Error(visit.faults.join('\n'));
}
