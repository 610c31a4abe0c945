import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseCsv } from '@countersign/ledger/csv';
import { FileSource, nodeHost } from '@countersign/verify/node-host';
import type { Report } from '@countersign/verify/report';
import { verifyPackage } from '@countersign/verify/verify-package';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { verifyWithGo, whyNoGo } from '../../../../test/conformance/go-log.ts';
import { LogReader } from '../audit/log-reader.ts';
import { CountersignError } from '../core/errors.ts';
import { type EvidenceResult, exportEvidence } from './export.ts';
import { exportInThread } from './export-thread.ts';
import { openTestingLog, type TestingExport, writeTestingLog } from './testing-log.ts';

const run = promisify(execFile);
const STATEMENTS = 300;

let directory: string;
let options: TestingExport;
let result: EvidenceResult;
let bag: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-evidence-'));
  await writeTestingLog(directory, STATEMENTS);
  options = openTestingLog(directory);
  await mkdir(join(directory, 'out'));
  result = await exportEvidence({ ...options, out: outFile('package.zip') });
  await run('unzip', ['-q', outFile('package.zip'), '-d', join(directory, 'unzipped')]);
  bag = join(directory, 'unzipped', result.directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function outFile(name: string): string {
  return join(directory, 'out', name);
}

async function verify(file: string): Promise<Report> {
  await using source = await FileSource.open(file);
  return await verifyPackage(source, { host: nodeHost(), vkey: options.verifierKeys[0] });
}

async function rows(name: string): Promise<Record<string, string>[]> {
  const [header = [], ...cells] = parseCsv(await readFile(join(bag, 'data/populations', name), 'utf8'));
  return cells.map((row) => Object.fromEntries(header.map((column, i) => [column, row[i] ?? ''])));
}

describe('a package', () => {
  it('is verified', async () => {
    const report = await verify(outFile('package.zip'));
    expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    expect(report).toMatchObject({ verdict: 'verified', packageId: result.packageId, leaves: result.leaves });
    expect(await readdir(join(directory, 'out'))).toEqual(['package.zip']);
  });

  it('is the same, byte for byte, under another time zone', async () => {
    const zones = ['UTC', 'Pacific/Kiritimati'];
    const program = `
      import { exportEvidence } from './export.ts';
      import { openTestingLog } from './testing-log.ts';
      const [directory, out] = process.argv.slice(1);
      console.log((await exportEvidence({ ...openTestingLog(directory), out })).sha256);`;
    const hashes = await Promise.all(
      zones.map(async (zone, i) => {
        const flags = ['--conditions=source', '--input-type=module-typescript', '--eval', program];
        const { stdout } = await run(process.execPath, [...flags, directory, outFile(`${i}.zip`)], {
          cwd: import.meta.dirname,
          env: { ...process.env, TZ: zone },
        });
        return stdout.trim();
      }),
    );
    expect(hashes).toEqual([result.sha256, result.sha256]);
  });

  it('is the same out of a thread of its own, while this thread goes on', async () => {
    const out = outFile('thread.zip');
    const { reader: _, ...rest } = options;
    let turns = 0;
    const turning = setInterval(() => (turns += 1), 1);
    const made = await exportInThread({ ...rest, log: join(directory, 'ledger'), out });
    clearInterval(turning);
    expect(made).toEqual(result);
    expect(await readFile(out)).toEqual(await readFile(outFile('package.zip')));
    expect(turns).toBeGreaterThan(0);
  });

  it('out of a thread fails as it does in this one, and leaves nothing behind', async () => {
    const { reader: _, ...rest } = options;
    const failing = {
      ...rest,
      log: join(directory, 'ledger'),
      out: outFile('failed.zip'),
      sign: () => Promise.reject(new CountersignError('LEDGER_HALTED', { reason: 'disk' })),
    };
    await expect(exportInThread(failing)).rejects.toMatchObject({ code: 'LEDGER_HALTED' });
    await expect(exportInThread({ ...failing, toUs: 0 })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    expect(existsSync(outFile('failed.zip'))).toBe(false);
    expect((await readdir(join(directory, 'out'))).filter((name) => !name.endsWith('.zip'))).toEqual([]);
  });

  it('is a zip for unzip, and a bag for sha256sum', async () => {
    expect((await run('unzip', ['-t', outFile('package.zip')])).stdout).toContain('No errors detected');
    for (const manifest of ['manifest-sha256.txt', 'tagmanifest-sha256.txt']) {
      await run('sha256sum', ['--check', '--quiet', '--strict', manifest], { cwd: bag });
    }
  });

  it('is checked by the commands of its VERIFY.md', async () => {
    const text = await readFile(join(bag, 'data/VERIFY.md'), 'utf8');
    const commands = text
      .split('\n')
      .filter((line) => line.startsWith('    ') && !/countersign|fingerprint|go run/.test(line))
      .map((line) => line.slice(4).replaceAll('/tmp/', `${directory}/`));
    const { status, stdout, stderr } = spawnSync('bash', ['-e', '-c', commands.join('\n')], {
      cwd: bag,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout.match(/Signature Verified Successfully/g)).toHaveLength(2);
    const [fingerprint = ''] = /[0-9a-f]{64}/.exec(stdout) ?? [];
    expect(text).toContain(`fingerprint ${fingerprint}`);
  });

  it.skipIf(whyNoGo() !== undefined)(
    'has a log that Go’s sumdb/note and sumdb/tlog accept',
    async () => {
      const vkey = options.verifierKeys.at(-1) ?? '';
      const verdict = await verifyWithGo(join(bag, 'data/ledger/gw1'), vkey);
      expect(verdict).toBe(`ok: ${result.endSize} leaves`);
    },
    120_000,
  );

  it('lists every statement of the period with who, from where and what came of it', async () => {
    const statements = await rows('statements.csv');
    // The loop, the one with quotes, the one that was shredded, five changes, the one without an outcome.
    expect(statements.length).toBe(STATEMENTS + 8);
    const early = statements.find(({ sql }) => sql === 'select 1');
    expect(early).toMatchObject({
      actor_name: 'early@example.test',
      src_ip: '127.0.0.1',
      status: 'ok',
      rows: '3',
    });
    expect(statements.find(({ sql }) => sql?.includes('quotes'))?.['sql']).toBe(
      '\'-- a comment,\r\nwith "quotes" and ünïcode ✓',
    );
    expect(statements.filter(({ body_state: state }) => state === 'shredded')).toMatchObject([
      { sql: '', actor_name: '', status: 'ok' },
    ]);
    const open = statements.at(-1);
    expect(open).toMatchObject({ sql: 'select pg_sleep(1000)', status: '', outcome_leaf_index: '' });
    expect(statements.some(({ sql }) => sql?.includes('the period'))).toBe(false);
  });

  it('lists sessions, logins and changes, and guards cells that a spreadsheet would run', async () => {
    expect((await rows('sessions.csv')).map((row) => [row['display_name'], row['status']])).toEqual([
      ['', 'ok'],
      ['Ana "A", Ltd', 'ok'],
    ]);
    expect((await rows('authentication.csv')).map((row) => [row['event_type'], row['actor_name']])).toEqual([
      ['auth.login', 'ana'],
      ['auth.login', "'=cmd()"],
      ['auth.lockout', 'ana'],
      ['session.refused', 'ana'],
    ]);
    expect(
      (await rows('administrative-changes.csv')).map((row) => [
        row['event_type'],
        row['actor_name'],
        row['object'],
      ]),
    ).toEqual([
      ['resource.apply', 'ana', 'search-team'],
      ['token.create', 'ana', 'laptop'],
      ['ledger.key.rotate', 'ops', ''],
    ]);
    expect(
      (await rows('approvals.csv')).map((row) => [
        row['hold_id'],
        row['outcome'],
        row['approved'],
        row['status'],
      ]),
    ).toEqual([
      ['hld_1', 'executed', '1', 'ok'],
      ['hld_2', 'denied', '0', ''],
      ['hld_4', 'executed', '0', 'ok'],
      ['hld_9', 'executed', '1', 'ok'],
      ['hld_3', 'open', '0', ''],
      ['hld_5', 'granted', '0', ''],
    ]);
    expect((await rows('denied.csv')).map((row) => [row['actor_name'], row['rule'], row['comment']])).toEqual(
      [
        ['bo', 'bulk', 'no'],
        ['ana@example.test', '', ''],
      ],
    );
  });

  it('lists changes with who approved them, and those that nobody did', async () => {
    const changes = (await rows('changes.csv')).filter(({ kinds }) => kinds !== '["undisclosed"]');
    expect(
      shown(changes, 'kinds', 'tables', 'approvers', 'approved_before_executed', 'status', 'database'),
    ).toEqual([
      ['["data"]', '["rr.scores"]', '["bo"]', 'true', 'ok', 'rerank'],
      ['["data"]', '["a"]', '', '', 'ok', 'rerank'],
      ['["schema"]', '', '', '', 'ok', 'rerank'],
      ['["data"]', '["c"]', '', 'false', 'ok', 'rerank'],
      ['["data"]', '["rr.models"]', '', 'false', 'ok', 'rerank'],
      // A model, over HTTP: once as people approved it, and once more.
      ['["model"]', '', '["bo"]', 'true', 'ok', 'rerank'],
      ['["model"]', '', '', 'false', 'ok', 'rerank'],
      // And once more, behind the gate's back.
      ['["model"]', '', '', 'false', 'changed', ''],
      // Still running, and nobody has read it.
      ['["unknown"]', '', '', '', '', 'rerank'],
    ]);
    expect(shown(changes.slice(0, 1), 'rules', 'hold_ids', 'rows', 'tags')).toEqual([
      ['[{"rule":"bulk","verdict":"hold","version":3}]', '["hld_1"]', '3', '["UPDATE 3"]'],
    ]);
    // Cells that a spreadsheet would run are guarded here too.
    expect(shown(await rows('changes-unapproved.csv'), 'tags', 'why', 'reason')).toEqual([
      ['["DROP TABLE"]', 'unruled', ''],
      ['["DELETE 9"]', 'held', "'=delete"],
      ['["UPDATE 1"]', 'break-glass', ''],
      ['', 'held', ''],
      ['', 'unannounced', expect.stringMatching(/^was [0-9a-f]{64}, is [0-9a-f]{64}$/)],
    ]);
    const looks = await rows('model-probes.csv');
    expect(shown(looks, 'status', 'finding', 'source')).toEqual([
      ['same', 'false', 'tei GET /info'],
      ['changed', 'false', 'tei GET /info'],
      ['changed', 'true', 'tei GET /info'],
    ]);
    const models = changes.filter(({ kinds }) => kinds === '["model"]');
    expect(shown(models.slice(0, 1), 'method', 'path', 'operation', 'http_status', 'rules')).toEqual([
      [
        'POST',
        '/admin/models/lexical/activate',
        'model lexical',
        '200',
        '[{"rule":"models","verdict":"hold","version":2}]',
      ],
    ]);
  });

  it('lists every request over HTTP, and of rerank calls what was ranked and in which order', async () => {
    const requests = await rows('http-requests.csv');
    expect(shown(requests, 'method', 'path', 'decision', 'status', 'http_status')).toEqual([
      ['GET', '/v1/models', 'allow', 'ok', '200'],
      ['POST', '/v2/rerank', 'allow', 'ok', '200'],
      ['POST', '/v2/rerank', 'allow', 'ok', '200'],
      ['POST', '/v2/rerank', 'block', 'blocked', '403'],
      ['POST', '/admin/models/lexical/activate', 'hold', 'ok', '200'],
      ['POST', '/admin/models/lexical/activate', 'hold', 'ok', '200'],
    ]);
    const calls = await rows('rerank-requests.csv');
    const columns = ['decision', 'status', 'model', 'model_effective', 'model_known_from', 'order', 'unread'];
    expect(shown(calls, ...columns)).toEqual([
      ['allow', 'ok', 'lexical', 'lexical-2', 'response', '1:0.70 0:1.0e-3', ''],
      ['allow', 'ok', 'lexical', '', 'request', '', 'it is no JSON: syntax'],
      ['block', 'blocked', 'lexical', '', 'request', '', ''],
    ]);
    expect(shown(calls.slice(0, 1), 'actor_name', 'src_ip', 'documents', 'documents_count')).toEqual([
      ['ana@example.test', '127.0.0.1', `'=d1=${'01'.repeat(32)} ${'23'.repeat(32)}`, '2'],
    ]);
    expect(shown(calls, 'lineage_matched', 'lineage_of', 'lineage_leaves')).toEqual([
      ['1', '2', `[${requests[0]?.['leaf_index']}]`],
      ['', '', ''],
      ['', '', ''],
    ]);
    expect(calls.map((row) => row['intent_leaf_index'])).toEqual(
      requests.slice(1, 4).map((row) => row['leaf_index']),
    );
  });

  it('lists what was opened by break-glass, and what nobody has reviewed', async () => {
    const broken = await rows('breakglass.csv');
    expect(shown(broken, 'hold_id', 'actor_name', 'reason', 'verdict', 'comment', 'status')).toEqual([
      ['hld_4', 'ana', 'the shop is down', 'justified', "'=it was down", 'ok'],
      ['hld_5', 'ana', 'the shop is down', '', '', ''],
    ]);
    expect(shown(await rows('breakglass-unreviewed.csv'), 'hold_id')).toEqual([['hld_5']]);
    const report = await verify(outFile('package.zip'));
    const notes = report.checks.find(({ name }) => name === 'populations')?.notes;
    expect(notes).toContain('opened by break-glass and not reviewed in the range: 1');
    expect(report.rows).toMatchObject({ breakglass: 2, 'breakglass-unreviewed': 1 });
  });

  it('is good in parts', async () => {
    const out = outFile('parts.zip');
    await exportEvidence({ ...options, out, partBytesMax: 20_000 });
    const report = await verify(out);
    expect(report.verdict).toBe('verified');
    const { stdout } = await run('unzip', ['-Z1', out]);
    expect(stdout).toMatch(/populations\/statements-0002\.csv/);
    expect(stdout).toMatch(/gw1\/leaves-0010\.jsonl/);
  });

  it('is good with fields that are withheld, and has nothing of them', async () => {
    const out = outFile('withheld.zip');
    await exportEvidence({ ...options, out, withheldFields: ['sql', 'name', 'display_name'] });
    expect((await verify(out)).verdict).toBe('verified');
    const { stdout } = await run('unzip', ['-p', out], { maxBuffer: 1e8, encoding: 'latin1' });
    expect(stdout).not.toMatch(/pg_sleep|ana@example|early@example/);
  });

  it('is good where nothing happened, and where the period is all of the log', async () => {
    const { fromUs, toUs } = options;
    const periods = [
      { fromUs: fromUs - 2e9, toUs: fromUs - 1e9 },
      { fromUs: toUs + 1e9, toUs: toUs + 2e9 },
      { fromUs: 0, toUs: toUs + 1e9 },
    ];
    for (const [i, period] of periods.entries()) {
      const out = outFile(`period-${i}.zip`);
      await exportEvidence({ ...options, ...period, out });
      const report = await verify(out);
      expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    }
  });

  it('asks for a checkpoint where the history does not cover the period', async () => {
    const reader = new LogReader(join(directory, 'ledger'));
    const checkpoints = vi.spyOn(reader, 'checkpoints').mockResolvedValue([]);
    const exported = exportEvidence({ ...options, reader, out: outFile('none.zip') });
    await expect(exported).rejects.toThrow('the history covers the period');
    expect(checkpoints).toHaveBeenCalledTimes(1);
    expect(existsSync(outFile('none.zip'))).toBe(false);
  });

  it('is refused for a period that ends before it begins, and leaves nothing behind', async () => {
    const { fromUs, toUs } = options;
    const backwards = { ...options, fromUs: toUs, toUs: fromUs, out: outFile('backwards.zip') };
    await expect(exportEvidence(backwards)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    const broken = {
      ...options,
      out: outFile('broken.zip'),
      sign: () => Promise.reject(new Error('no key')),
    };
    await expect(exportEvidence(broken)).rejects.toThrow('no key');
    expect((await readdir(join(directory, 'out'))).filter((name) => !name.endsWith('.zip'))).toEqual([]);
    expect(existsSync(outFile('broken.zip'))).toBe(false);
  });
});

function shown(list: readonly Readonly<Record<string, string>>[], ...columns: string[]): unknown {
  return list.map((row) => columns.map((column) => row[column]));
}
