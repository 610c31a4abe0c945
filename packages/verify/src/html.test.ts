/** The promise of verify.html: it opens from disk in a real browser, with no network, and tells good from bad. */

import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportEvidence } from '../../gateway/src/evidence/export.ts';
import { openTestingLog, writeTestingLog } from '../../gateway/src/evidence/testing-log.ts';
import { missing, rowsFor } from '../../../test/conformance/attacks/table.ts';
import { attackSeed, makeGoodPackage, VKEY } from '../../../test/conformance/evidence-files.ts';
import { buildHtml } from '../build-html.ts';
import { VERIFY_HTML } from './html-file.ts';
import { type Check, CHECK_NAMES, CHECKS, type Report } from './report.ts';

const SEED = attackSeed();

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
if (CHROMIUM === undefined) console.warn('NOT TESTED: verify.html in a browser: apt-get install chromium');

it('is the page that its sources give', async () => {
  expect(await readFile(VERIFY_HTML, 'utf8')).toBe(await buildHtml());
});

it('has a browser where the project is tested as a whole', () => {
  const required = process.env['COUNTERSIGN_CI'] !== undefined;
  expect(required && CHROMIUM === undefined).toBe(false);
});

describe.skipIf(CHROMIUM === undefined)('in a browser', () => {
  let directory: string;
  let browser: Browser;
  let page: Page;
  let vkey: string;
  const requests: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'countersign-html-'));
    await writeTestingLog(directory, 300);
    const options = openTestingLog(directory);
    vkey = options.verifierKeys[0] ?? '';
    await exportEvidence({ ...options, out: join(directory, 'good.zip') });
    const zip = await readFile(join(directory, 'good.zip'));
    const at = Math.floor(zip.length / 3);
    zip.writeUInt8(zip.readUInt8(at) ^ 1, at);
    await writeFile(join(directory, 'changed.zip'), zip);
    await writeFile(join(directory, 'none.zip'), '<img src=x onerror=alert(1)>');
    await copyFile(VERIFY_HTML, join(directory, 'verify.html'));
    browser = await chromium.launch({
      executablePath: CHROMIUM ?? '',
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
    page = await browser.newPage();
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(pathToFileURL(join(directory, 'verify.html')).href);
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await rm(directory, { recursive: true, force: true });
  });

  type Given = string | { readonly name: string; readonly mimeType: string; readonly buffer: Buffer };

  async function give(file: Given, key: string): Promise<void> {
    await page.getByLabel(/verifier key/).fill(key);
    await page.getByLabel(/Drop the package/).setInputFiles([]);
    await page.getByLabel(/Drop the package/).setInputFiles(file);
    // Looked at each frame; a locator looks twice a second by then.
    await page.waitForFunction(
      () =>
        document.getElementById('progress')?.hidden === true &&
        document.getElementById('result')?.hidden === false,
    );
  }

  async function verdict(file: string, key: string): Promise<string> {
    await give(join(directory, file), key);
    return (await page.locator('#result .banner strong').textContent()) ?? '';
  }

  /** What a reader of the page sees of each check. */
  async function shownReport(): Promise<Pick<Report, 'verdict' | 'checks'>> {
    const title = await page.locator('#result .banner strong').textContent();
    const shown = await page.locator('.checks > li').evaluateAll((items) =>
      items.map((item) => ({
        says: item.children[1]?.textContent ?? '',
        status: item.className,
        problems: [...item.querySelectorAll('.problems > li')].map((problem) => problem.textContent),
      })),
    );
    const checks = CHECK_NAMES.map((name): Check => {
      const check = shown.find(({ says }) => says === CHECKS[name]);
      const status = check?.status === 'passed' || check?.status === 'failed' ? check.status : 'not checked';
      const problems = check?.problems ?? [];
      return { name, says: CHECKS[name], status, problems, problemsCount: problems.length, notes: [] };
    });
    return { verdict: title === 'Failed' ? 'failed' : 'verified', checks };
  }

  it('verifies a good package under the key that was given', async () => {
    expect(await verdict('good.zip', vkey)).toBe('Verified');
    expect(await page.locator('.checks > li.passed').count()).toBe(CHECK_NAMES.length);
    expect(await page.locator('dl').textContent()).toContain('Key came fromyou');
  });

  it('calls it consistent without a key, and shows the fingerprint', async () => {
    expect(await verdict('good.zip', '')).toBe('Consistent, key not confirmed');
    expect(await page.locator('dl').textContent()).toMatch(
      /Fingerprint[0-9a-f]{64}Key came fromthe package itself/,
    );
  });

  it('finds a changed byte, a wrong key, and what is no package', async () => {
    expect(await verdict('changed.zip', vkey)).toBe('Failed');
    expect(await page.locator('.problems li').first().textContent()).toMatch(/data\/|zip:/);
    expect(await verdict('none.zip', vkey)).toBe('Not a package');
    expect(await verdict('good.zip', 'no key')).toBe('Not checked');
  });

  it('shows each attack as the command does, check by check', async () => {
    const good = await makeGoodPackage(await mkdtemp(join(directory, 'attacked-')));
    const wrong: string[] = [];
    for (const { title, make, found } of rowsFor('page', SEED)) {
      await give(
        { name: 'attacked.zip', mimeType: 'application/zip', buffer: Buffer.from(make(good)) },
        VKEY,
      );
      for (const problem of missing(found, await shownReport())) wrong.push(`${title}: ${problem}`);
    }
    expect(wrong).toEqual([]);
  }, 300_000);

  it('asks for nothing but itself, and nothing is complained about', () => {
    expect(requests.filter((url) => !url.startsWith('file:'))).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it('cannot be made to load or run anything else', async () => {
    const blocked = await page.evaluate(async () => {
      const script = document.createElement('script');
      script.textContent = 'window.name = "ran"';
      document.body.append(script);
      const fetched = await fetch('http://127.0.0.1:9/').then(
        () => 'fetched',
        () => 'blocked',
      );
      return `${fetched} ${window.name}`;
    });
    expect(blocked).toBe('blocked ');
  });
});
