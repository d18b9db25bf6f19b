// Every page of the area: its structure, as those hear it who do not see it, is the committed one; axe-core finds no
// serious fault, in the light and in the dark, on a desk and on a phone; and nothing is wider than a phone.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { DESKTOP, PHONE, open, signIn } from './browser.mjs';
import { axe } from './tools.mjs';

const SNAPSHOTS = join(dirname(fileURLToPath(import.meta.url)), 'snapshots');
const BLESS = process.env.GATEHOUSE_BLESS === '1';
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const COLOURS = ['cat.color'];

const push = 'project=gnuwget/wget2&action=push&ref=main&change=update';

/** Names, and paths or what leads there; where figures are others each time, they are left out of the structure. */
const PAGES = [
  // The overview says what was judged last: what the check says comes first.
  ['check', '/admin/check', { figures: true }],
  ['overview', '/admin', { figures: true }],
  ['explain', '/admin/explain'],
  ['explain_denied', `/admin/explain?kind=user&actor=dana&${push}`],
  ['explain_allowed', `/admin/explain?kind=user&actor=rubi&${push}`],
  ['explain_key', '/admin/explain?kind=key&actor=7&project=rubi/errors&action=pull'],
  ['explain_refused', '/admin/explain?actor=rubi&project=gnuwget/wget2&ip=x', { status: 422 }],
  ['refusals', '/admin/refusals'],
  ['refusals_none', '/admin/refusals?rule=B1'],
  ['projects', '/admin/projects'],
  ['projects_none', '/admin/projects?search=nothing'],
  ['project', '/admin/projects/3'],
  ['project_push_rules', '/admin/projects/7'],
  ['project_members', '/admin/projects/7/members'],
  ['groups', '/admin/groups'],
  ['group', '/admin/groups/1234'],
  ['group_members', '/admin/groups/1234/members'],
  ['users', '/admin/users'],
  ['users_administrators', '/admin/users?admins=1'],
  ['user', '/admin/users/7'],
  ['user_administrator', '/admin/users/1'],
  ['user_none', '/admin/users/999999', { status: 404 }],
  ['jobs', '/admin/jobs'],
  ['jobs_none', '/admin/jobs?state=retrying'],
  ['hooks', '/admin/hooks'],
  ['hooks_failing', '/admin/hooks?failing=1'],
  ['hook', '/admin/hooks/1'],
  ['agents', '/admin/agents'],
  ['agent', '/admin/agents/1'],
  ['provisioning', '/admin/provisioning'],
  ['provisioning_add_ons', '/admin/provisioning/add_ons'],
  ['provisioning_minutes', '/admin/provisioning/minutes'],
  ['provisioning_reconciliations', '/admin/provisioning/reconciliations'],
  ['provisioning_exclusions', '/admin/provisioning/exclusions'],
  ['provisioning_ledger', '/admin/provisioning/ledger'],
  ['scim', '/admin/scim'],
  ['scim_scope', '/admin/scim/instance'],
  ['scim_new_token', newToken],
  ['expiring', '/admin/expiring'],
  ['expiring_keys', '/admin/expiring/keys'],
  ['expiring_unused_keys', '/admin/expiring/unused_keys'],
  ['expiring_unused_tokens', '/admin/expiring/unused_tokens'],
  ['audit', '/admin/audit'],
  ['audit_none', '/admin/audit?event=no_such_event'],
  ['sessions', '/admin/sessions'],
  ['no_such_page', '/admin/nothing', { status: 404 }],
];

const committed = () => (existsSync(SNAPSHOTS) ? readdirSync(SNAPSHOTS) : []);

/** A page that comes after a form, and by no address. */
async function newToken(page) {
  await page.goto('/admin/scim/instance');
  await page.locator('summary', { hasText: 'New token' }).click();
  await page.getByRole('button', { name: 'New token' }).click();
  await page.getByLabel('Token').waitFor();
}

/** What is another each time, as what it is. */
function stable(text, figures) {
  const same = text
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC/g, 'TIME')
    .replaceAll(/\d{4}-\d\d-\d\d/g, 'DAY')
    .replaceAll(/glsoat-[\w-]{20,}/g, 'TOKEN')
    .replaceAll(/(127\.0\.0\.1|localhost):\d+/g, 'ADDRESS')
    .replaceAll(/Chrome\/[\d.]+/g, 'Chrome/VERSION')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/\b[0-9a-f]{32}\b/g, 'HEX');
  return figures ? same.replaceAll(/(?<!level=)\d+(\.\d+)*/g, 'N') : same;
}

/** Compares with the committed structure, and answers how they differ. */
function compare(name, structure) {
  const file = join(SNAPSHOTS, `${name}.yml`);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (before === structure) return [];
  if (BLESS) {
    mkdirSync(SNAPSHOTS, { recursive: true });
    writeFileSync(file, structure);
    return [];
  }
  const diff = spawnSync('diff', ['-u', '--label', 'committed', '--label', 'seen', file, '-'], { input: structure });
  const how = before ? diff.stdout.toString() : 'no structure is committed';
  return [`its structure is another; where that is meant, GATEHOUSE_BLESS=1 renews it:\n${how}`];
}

/** What axe-core finds by rules of these tags, the serious apart from the rest. */
async function judge(page, look, values) {
  const options = { runOnly: { type: 'tag', values }, resultTypes: ['violations'] };
  const found = await page.evaluate((options) => window.axe.run(document, options), options);
  const faults = [];
  const hints = [];
  for (const { id, impact, help, nodes } of found.violations) {
    const words = `${id} (${impact}): ${help}: ${nodes[0].html.slice(0, 200)} (${nodes.length})`;
    if (impact === 'serious' || impact === 'critical') faults.push(`${look}: ${words}`);
    else hints.push(words);
  }
  return { faults, hints };
}

const wider = () => {
  const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth > clientWidth ? `${scrollWidth} pixels wide on ${clientWidth}` : '';
};

/** One page, in all looks. */
async function look(visit, [name, path, options = {}]) {
  const { page } = visit;
  visit.faults = [];
  visit.expected = new Set(options.status ? [options.status] : []);
  const hints = new Set();
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: 'light' });
  if (typeof path === 'string') {
    const answer = await page.goto(path);
    if (answer.status() !== (options.status ?? 200)) visit.faults.push(`was answered ${answer.status()}`);
  } else {
    await path(page);
  }
  const faults = visit.faults;
  const structure = await page.locator('main').ariaSnapshot();
  faults.push(...compare(name, `${stable(structure, options.figures)}\n`));
  await page.evaluate(axe.source);
  // What is closed is judged too.
  await page.evaluate(() => document.querySelectorAll('details').forEach((part) => part.setAttribute('open', '')));
  for (const [place, size] of [['desk', DESKTOP], ['phone', PHONE]]) {
    await page.setViewportSize(size);
    // Nothing but colours is another in the dark.
    for (const [colorScheme, rules] of [['light', RULES], ['dark', COLOURS]]) {
      await page.emulateMedia({ colorScheme });
      const found = await judge(page, `${place}, ${colorScheme}`, rules);
      faults.push(...found.faults);
      found.hints.forEach((hint) => hints.add(hint));
    }
    const wide = await page.evaluate(wider);
    if (wide) faults.push(`${place}: ${wide}`);
  }
  return { name, faults, hints: [...hints] };
}

/** Refused attempts for the pages to show, one after the other. */
async function beRefused(here) {
  const attempts = [
    { action: 'git-receive-pack', project: 'acme/platform/web', user_id: 7 },
    { action: 'git-upload-pack', project: 'rubi/errors', user_id: 29, protocol: 'http' },
    { action: 'git-upload-pack', project: 'no/such', user_id: 7 },
  ];
  for (const [done, attempt] of attempts.entries()) {
    await here.allowed(attempt);
    // They are written behind the answers, and may change places there.
    for (let tries = 0; tries < 100 && here.sql('select count(*) from access_refusals') !== `${done + 1}`; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** All pages; the navigation stands once, and the page that signs in is seen before. */
export async function lookAtPages(browser, here) {
  const results = [];
  await beRefused(here);
  const stranger = await open(browser, here);
  results.push(await look(stranger, ['sign_in', '/admin/sign_in?to=/admin/users']));
  await stranger.context.close();
  const visit = await open(browser, here);
  await signIn(visit);
  const banner = `${await visit.page.getByRole('banner').ariaSnapshot()}\n`;
  results.push({ name: 'navigation', faults: compare('navigation', banner), hints: [] });
  for (const page of PAGES) {
    results.push(await look(visit, page).catch((error) => ({ name: page[0], faults: [error.message], hints: [] })));
  }
  await visit.context.close();
  const known = new Set(results.map(({ name }) => `${name}.yml`));
  for (const file of committed().filter((file) => !known.has(file))) {
    if (BLESS) rmSync(join(SNAPSHOTS, file));
    else results.push({ name: file, faults: ['no page is compared with it'], hints: [] });
  }
  return results;
}
