// What administrators come for, done as they do it: with scripts and without, on a desk and on a phone, by keyboard.

import assert from 'node:assert/strict';

import { DESKTOP, PHONE, open, signIn } from './browser.mjs';
import { tokens } from './installation.mjs';

const WAYS = [
  ['with scripts, on a desk', { viewport: DESKTOP }],
  ['without scripts, on a phone in the dark', { viewport: PHONE, colorScheme: 'dark', javaScriptEnabled: false }],
];

const said = (page, words) => page.getByRole('status').filter({ hasText: words }).waitFor();
const heading = (page, name) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const row = (page, words) => page.getByRole('row').filter({ hasText: words });

/** By the navigation, as people go. */
async function go(page, name) {
  await page.getByRole('navigation', { name: 'Admin area' }).getByRole('link', { name, exact: true }).click();
  await heading(page, name);
}

/** Opens what asks first, and presses the button in it. */
async function confirm(place, label) {
  await place.locator('summary', { hasText: label }).click();
  await place.getByRole('button', { name: label }).click();
}

const JOURNEYS = {
  async 'signs in and out'(visit) {
    const { page, expected } = visit;
    await page.goto('/admin/users?state=active');
    await heading(page, 'Sign in');
    expected.add(401);
    await page.getByLabel('Personal access token').fill('glpat-nobody-has-this');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').filter({ hasText: 'There is no such token.' }).waitFor();
    await page.getByLabel('Personal access token').fill(tokens.acts);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await heading(page, 'Users');
    assert.equal(new URL(page.url()).search, '?state=active', 'it goes where one wanted to go');
    const [cookie] = await visit.context.cookies();
    assert.ok(cookie.httpOnly && cookie.sameSite === 'Strict', 'no script sees the cookie, and no other site sends it');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await heading(page, 'Sign in');
    await page.goBack();
    await heading(page, 'Sign in');
  },

  async 'explains a refusal, and gives what it names'({ page, here }) {
    const attempt = { action: 'git-receive-pack', project: 'acme/platform/web', user_id: 7 };
    const refused = await here.allowed(attempt);
    assert.equal(refused.status, false, 'rubi is a reporter there');
    await go(page, 'Refusals');
    const kept = row(page, refused.message).first();
    // Refusals are written behind the answers.
    for (let tries = 0; tries < 50 && (await kept.count()) === 0; tries += 1) {
      await page.waitForTimeout(100);
      await page.reload();
    }
    await kept.getByRole('link', { name: /^[A-Z]\d/ }).click();
    await heading(page, 'Explain');
    await page.getByText('denied', { exact: true }).first().waitFor();
    const words = await page.getByRole('definition').filter({ hasText: /^needs / }).innerText();
    const level = words.replace(/^needs /, '').trim();
    here.apply({ projects: [{ path: 'acme/platform/web', members: { rubi: level } }] });
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('allowed', { exact: true }).first().waitFor();
    assert.equal((await here.allowed(attempt)).status, true, `as a ${level} rubi may push`);
  },

  async 'explains what the form asks'({ page }) {
    await go(page, 'Explain');
    await page.getByLabel('Name, id or fingerprint').fill('dana');
    await page.getByLabel('Project', { exact: true }).fill('gnuwget/wget2');
    await page.getByLabel('Action').selectOption('push');
    await page.getByLabel('Ref of a push').fill('main');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByRole('definition').filter({ hasText: 'needs maintainer' }).waitFor();
    await row(page, 'R13').filter({ hasText: 'denied' }).waitFor();
    await page.getByRole('link', { name: 'rubi' }).first().click();
    await heading(page, 'Users');
    await row(page, 'rubi@example.com').waitFor();
  },

  async 'retries a dead job'({ page, scripts, here }) {
    await go(page, 'Jobs');
    await page.getByLabel('State').selectOption('dead');
    if (!scripts) await page.getByRole('button', { name: 'Search' }).click();
    await page.waitForURL('**/jobs?state=dead*');
    const dead = row(page, 'post_receive');
    const id = await dead.getByRole('rowheader').innerText();
    await dead.getByRole('button', { name: `Retry job ${id}` }).click();
    await said(page, `Job ${id} will be tried again now.`);
    await page.goto('/admin/jobs?state=dead');
    assert.equal(await row(page, 'post_receive').count(), 0);
    const events = here.sql("select count(*) from audit_events where details like '%job_retried%'");
    assert.equal(events, '1', 'it is an audit event');
  },

  async 'adds an exclusion, and removes it'({ page }) {
    await go(page, 'Provisioning');
    await page.getByRole('link', { name: 'Storage exclusions' }).click();
    await heading(page, 'Storage exclusions');
    await page.getByLabel('Top-level namespace').fill('acme');
    await page.getByLabel('Reason').fill('moves its data <b>soon</b>');
    await page.getByRole('button', { name: 'Exclude' }).click();
    await said(page, 'has no limit on its storage now.');
    const excluded = row(page, 'moves its data <b>soon</b>');
    await excluded.waitFor();
    await confirm(excluded, 'Remove');
    await said(page, 'holds again.');
    assert.equal(await excluded.count(), 0);
    await page.getByRole('link', { name: 'Ledger' }).click();
    await row(page, 'moves its data').first().waitFor();
  },

  async 'revokes a token, and the next call is refused'({ page, here }) {
    assert.equal(await here.subscription(tokens.portal), 200);
    await go(page, 'Users');
    await page.getByRole('link', { name: 'root', exact: true }).click();
    await heading(page, 'root');
    await confirm(row(page, 'portal'), 'Revoke');
    await row(page, 'portal').filter({ hasText: 'revoked' }).waitFor();
    assert.equal(await here.subscription(tokens.portal), 401);
  },

  async 'finds a user by the beginning of a name'({ page, scripts }) {
    await go(page, 'Users');
    await page.getByLabel('Username, or e-mail address').pressSequentially('dan');
    // With scripts it answers as one types.
    if (!scripts) await page.getByLabel('Username, or e-mail address').press('Enter');
    await page.waitForURL('**/users?search=dan*');
    await page.getByRole('link', { name: 'rubi' }).waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'dana' }).click();
    await heading(page, 'dana');
    await page.goBack();
    await page.getByRole('link', { name: 'dana' }).waitFor();
  },

  async 'blocks a user, and lets them in again'({ page, here }) {
    const attempt = { action: 'git-upload-pack', project: 'acme/platform/web', user_id: 29 };
    await page.goto('/admin/users/29');
    await confirm(page.locator('main'), 'Block');
    await said(page, 'The user was blocked.');
    assert.equal((await here.allowed(attempt)).status, false);
    await confirm(page.locator('main'), 'Unblock');
    await said(page, 'The user was unblocked.');
    assert.equal((await here.allowed(attempt)).status, true);
  },

  async 'is shown no button with a token that looks'(visit) {
    const { page } = visit;
    await page.getByRole('button', { name: 'Sign out' }).click();
    await signIn(visit, tokens.looks);
    await page.getByText('root (looks only)').waitFor();
    for (const path of ['/admin/users/1', '/admin/jobs', '/admin/provisioning/exclusions', '/admin/scim/instance']) {
      await page.goto(path);
      const buttons = await page.locator('main').getByRole('button').allInnerTexts();
      assert.deepEqual(buttons.filter((label) => label !== 'Search'), [], path);
    }
    await page.getByRole('button', { name: 'Sign out' }).click();
    await heading(page, 'Sign in');
  },

  async 'is out once somebody ends the session'(visit) {
    const { page, context, here } = visit;
    const other = await open(context.browser(), here, { javaScriptEnabled: visit.scripts });
    await signIn(other, tokens.looks, '/admin/users');
    await go(page, 'Sessions');
    await row(page, 'looks').getByRole('button', { name: 'End' }).click();
    await said(page, 'The session was ended.');
    // A script is told so by the status.
    other.expected.add(401);
    const search = other.page.getByLabel('Username, or e-mail address');
    await search.pressSequentially('x');
    if (!other.scripts) await search.press('Enter');
    await heading(other.page, 'Sign in');
    await other.context.close();
    visit.faults.push(...other.faults);
  },
};

/** Presses Tab until the focus is there, and sees that it shows. */
async function tabTo(page, target) {
  await target.first().waitFor();
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press('Tab');
    const here = await target.first().evaluate((element) => {
      if (element !== document.activeElement) return '';
      return getComputedStyle(element).outlineStyle === 'none' ? 'unseen' : 'seen';
    });
    if (here === 'seen') return;
    assert.equal(here, '', 'the focus shows');
  }
  assert.fail(`Tab does not lead to ${target}`);
}

async function byKeyboard({ page }) {
  const press = async (target, key = 'Enter') => {
    await tabTo(page, target);
    await page.keyboard.press(key);
  };
  const link = (name) => page.getByRole('link', { name, exact: true });
  await page.goto('/admin');
  await tabTo(page, page.getByLabel('Personal access token'));
  await page.keyboard.type(tokens.acts);
  await page.keyboard.press('Enter');
  await heading(page, 'Overview');
  await press(link('Provisioning'));
  await heading(page, 'Provisioning');
  await press(link('Skip to the content'));
  await page.keyboard.press('Tab');
  const first = await page.evaluate(() => document.activeElement.closest('main') !== null);
  assert.ok(first, 'the navigation is skipped');
  await press(link('Storage exclusions'));
  await heading(page, 'Storage exclusions');
  await tabTo(page, page.getByLabel('Top-level namespace'));
  await page.keyboard.type('test_group');
  await page.keyboard.press('Tab');
  await page.keyboard.type('by keyboard');
  await page.keyboard.press('Enter');
  await said(page, 'has no limit on its storage now.');
  const excluded = row(page, 'by keyboard');
  await press(excluded.locator('summary'));
  await press(excluded.getByRole('button', { name: 'Remove' }), 'Space');
  await said(page, 'holds again.');
  await press(page.getByRole('button', { name: 'Sign out' }), 'Space');
  await heading(page, 'Sign in');
}

/** Takes one, and answers what went wrong. */
async function take(browser, here, name, journey, options, signedIn) {
  const began = Date.now();
  const visit = await open(browser, here, options);
  const faults = [];
  try {
    if (signedIn) await signIn(visit);
    await journey(visit);
  } catch (error) {
    faults.push(`${error.message}\n  at ${visit.page.url()}`);
  }
  faults.push(...visit.faults);
  await visit.context.close();
  return { name, faults, seconds: (Date.now() - began) / 1000 };
}

/** All of them, each way on an installation of its own, which `make` makes. */
export async function takeJourneys(browser, make) {
  const takeWay = async ([way, options]) => {
    const here = await make(options.javaScriptEnabled === false ? 'plain' : 'scripts');
    const results = [];
    for (const [name, journey] of Object.entries(JOURNEYS)) {
      const signedIn = name !== 'signs in and out';
      results.push(await take(browser, here, `${name}, ${way}`, journey, options, signedIn));
    }
    results.push(await take(browser, here, `does it by keyboard alone, ${way}`, byKeyboard, options, false));
    await here.stop();
    return results;
  };
  return (await Promise.all(WAYS.map(takeWay))).flat();
}
