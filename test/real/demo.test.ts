/** `npm run demo` as a visitor meets it: what it prints is what happened, and what it says to type works. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { PackageFiles } from '../../packages/verify/src/package-files.ts';
import { verifyPackage } from '../../packages/verify/src/verify-package.ts';
import { requirePresent } from './require-present.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COLUMNS = 80;
/** It takes 5 to 8 s on a quiet machine. */
const START_MS = 120_000;
/** Writes a package again, with something else in one of its lists. */
const CHANGE_LIST = `
import sys, zipfile
source, target, name, before, after = sys.argv[1:]
with zipfile.ZipFile(source) as package, zipfile.ZipFile(target, "w") as changed:
    for file in package.namelist():
        data = package.read(file)
        if file.endswith(f"/{name}.jsonl"):
            assert before.encode() in data, data
            data = data.replace(before.encode(), after.encode())
        changed.writestr(file, data)
`;
const POPULATIONS = [
  'approvals',
  'denied',
  'changes',
  'changes-unapproved',
  'statements',
  'sessions',
  'masking-summary',
  'pii-flows',
  'masking-blocked',
  'reveals',
  'http-requests',
  'rerank-requests',
  'model-probes',
];
const HEADINGS = ['Recorded', 'Proven', 'Connect', 'Try', 'Approve', 'Others'];

interface Ready {
  readonly postgres: { readonly host: string; readonly port: number; readonly dbname: string };
  readonly api: { readonly url: string };
  readonly ledger: { readonly verifierKey: string };
  readonly people: Readonly<Record<string, { readonly user: string; readonly token: string }>>;
  readonly tour: {
    readonly sessions: number;
    readonly statements: number;
    readonly blocked: readonly { readonly rule: string; readonly sql: string }[];
    readonly approved: { readonly hold: string; readonly rowsCounted: number; readonly by: string };
    readonly reranking: { readonly calls: number; readonly documents: number };
    readonly promoted: {
      readonly hold: string;
      readonly rule: string;
      readonly as: string;
      readonly by: string;
    };
    readonly denied: { readonly hold: string; readonly rule: string; readonly as: string };
    readonly masking: {
      readonly shown: {
        readonly as: string;
        readonly sql: string;
        readonly row: Readonly<Record<string, string>>;
      };
      readonly exempt: string;
      readonly blocked: { readonly rule: string; readonly sql: string };
    };
  };
  readonly try: Readonly<
    Record<'blocked' | 'held' | 'masked' | 'maskBlocked', { readonly as: string; readonly sql: string }>
  >;
  readonly open: {
    readonly hold: string;
    readonly rule: string;
    readonly sql: string;
    readonly rows: number;
    readonly approve: { readonly method: string; readonly path: string; readonly body: unknown };
  };
  readonly evidence: {
    readonly file: string;
    readonly verified: boolean;
    readonly rows: Readonly<Record<string, number>>;
  };
}

const HAS_PSQL = await has('psql');
const HAS_PYTHON = await has('python3');

type Line = Readonly<Record<string, unknown>>;

async function has(program: string): Promise<boolean> {
  const present = await run(program, ['--version']).then(
    () => true,
    () => false,
  );
  return requirePresent(program, present);
}

/** A demo that runs; what it has printed so far grows. */
class Demo {
  readonly process: ChildProcess;
  readonly #stdout: Readable;
  output = '';

  constructor(...flags: readonly string[]) {
    const args = ['--conditions=source', 'examples/demo/main.ts', ...flags];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'] });
    this.process = child;
    this.#stdout = child.stdout;
    this.#stdout.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
  }

  /** What it has printed, once that matches. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.output);
      if (found !== null) return found;
      if (this.process.exitCode !== null) throw new Error(`it ended; it had printed: ${this.output}`);
      await Promise.race([once(this.#stdout, 'data'), once(this.process, 'exit')]);
    }
  }

  async end(): Promise<number | null> {
    if (this.process.exitCode === null) {
      const ended = once(this.process, 'exit');
      this.process.kill('SIGTERM');
      await ended;
    }
    return this.process.exitCode;
  }
}

describe('npm run demo -- --json', () => {
  let demo: Demo;
  let ready: Ready;
  const lines: Record<string, readonly Line[]> = {};

  beforeAll(async () => {
    demo = new Demo('--json');
    await demo.printed(/\n/);
    ready = JSON.parse(demo.output) as Ready;
    await using source = await FileSource.open(ready.evidence.file);
    const files = await PackageFiles.open(source, nodeHost());
    for (const name of POPULATIONS) {
      const text = await files.text(`data/populations/${name}.jsonl`, 10_000_000);
      lines[name] = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
    }
  }, START_MS);
  afterAll(() => demo?.end());

  const find = (population: string, holdId: string): Line | undefined =>
    lines[population]?.find((line) => JSON.stringify(line).includes(holdId));

  it('prints one line, of what the ledger says too', () => {
    expect(demo.output.split('\n')).toHaveLength(2);
    const { tour, evidence } = ready;
    expect(lines['statements']).toHaveLength(tour.statements);
    expect(lines['sessions']).toHaveLength(tour.sessions);
    for (const [name, rows] of Object.entries(lines)) expect(rows).toHaveLength(evidence.rows[name] ?? -1);
  });

  it('makes a package that verifies under its key', async () => {
    await using source = await FileSource.open(ready.evidence.file);
    const report = await verifyPackage(source, { host: nodeHost(), vkey: ready.ledger.verifierKey });
    expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    expect(report.verdict).toBe('verified');
    expect(ready.evidence.verified).toBe(true);
  });

  it('has what was approved, by whom, and that it changed as many rows as were counted', () => {
    const { hold, rowsCounted, by } = ready.tour.approved;
    expect(rowsCounted).toBeGreaterThan(99);
    expect(find('approvals', hold)).toMatchObject({
      outcome: 'executed',
      status: 'ok',
      exact_rows: rowsCounted,
      rows: rowsCounted,
      same_person: false,
      approved: 1,
      votes: [{ decision: 'approve', approver: by }],
    });
    expect(find('changes', hold)).toMatchObject({
      approved_before_executed: true,
      rows: rowsCounted,
      approvers: [by],
      kinds: ['data'],
    });
  });

  it('has the change of the model, which an owner of the models approved', () => {
    const { promoted, reranking } = ready.tour;
    expect(reranking.documents).toBeGreaterThan(reranking.calls);
    expect(promoted.rule).toBe('rr-model-service');
    expect(find('approvals', promoted.hold)).toMatchObject({
      outcome: 'executed',
      requester: promoted.as,
      votes: [{ decision: 'approve', approver: promoted.by }],
    });
    const changes = lines['changes'] ?? [];
    const [change, ...others] = changes.filter(({ kinds }) => JSON.stringify(kinds) === '["model"]');
    expect(others).toEqual([]);
    expect(change).toMatchObject({
      event_type: 'http.intent',
      target: 'reranker',
      hold_ids: [promoted.hold],
      approvers: [promoted.by],
      approved_before_executed: true,
      status: 'ok',
    });
    expect(JSON.stringify(change?.['rules'])).toContain(promoted.rule);
  });

  it('has each rerank call with its order, and each request, which its session counts', () => {
    const calls = lines['rerank-requests'] ?? [];
    expect(calls).toHaveLength(ready.tour.reranking.calls);
    for (const call of calls) {
      expect(call).toMatchObject({ status: 'ok', target: 'reranker', order: expect.stringContaining(':') });
      expect(call).not.toHaveProperty('unread');
    }
    const requests = lines['http-requests'] ?? [];
    expect(requests.length).toBeGreaterThan(calls.length);
    for (const session of (lines['sessions'] ?? []).filter(({ protocol }) => protocol === 'http')) {
      if (session['end_leaf_index'] === undefined) continue;
      const its = requests.filter(({ session_id }) => session_id === session['session_id']);
      expect(session['statements']).toBe(its.length);
    }
    expect(lines['sessions']).toContainEqual(
      expect.objectContaining({ target: 'reranker', protocol: 'http' }),
    );
  });

  it('has what was denied and what was blocked, and nothing of either among the changes that ran', () => {
    const { denied, blocked } = ready.tour;
    expect(find('approvals', denied.hold)).toMatchObject({ outcome: 'denied', requester: denied.as });
    expect(find('denied', denied.hold)).toMatchObject({ event_type: 'approval.denied', rule: denied.rule });
    for (const { sql, rule } of blocked) {
      // Where Masks reach a session, the literals of what was stopped are hidden.
      const row = lines['denied']?.find((line) => withoutLiterals(line['sql']) === withoutLiterals(sql));
      expect(row).toMatchObject({ event_type: 'statement.intent', decision: 'block' });
      expect(JSON.stringify(row?.['rules'])).toContain(rule);
    }
    // One request, and one statement that a Mask blocked.
    // What the server refused when it was asked, a slip of the pen of the tour's, nobody has denied.
    expect(lines['denied']).toHaveLength(blocked.length + 2);
    expect(lines['changes-unapproved']).toEqual([]);
  });

  it('has what was masked, for whom, and what a Mask stopped', async () => {
    const { shown, blocked } = ready.tour.masking;
    expect(shown.row).toEqual({
      full_name: '[REDACTED:COLUMN]',
      email: expect.stringMatching(/^.\*+@example\.com$/),
      phone: expect.stringMatching(/^[+* ]+\d\d$/),
    });
    expect(ready.try.masked).toEqual({ as: shown.as, sql: shown.sql });
    const flows = lines['pii-flows'] ?? [];
    for (const mask of ['rr-mask-columns', 'rr-mask-email', 'rr-mask-phone']) {
      expect(lines['masking-summary']).toContainEqual(expect.objectContaining({ what: 'values', mask }));
      expect(flows).toContainEqual(expect.objectContaining({ flow: 'masked', actor_name: shown.as, mask }));
    }
    expect(lines['masking-blocked']).toHaveLength(1);
    expect(withoutLiterals(lines['masking-blocked']?.[0]?.['sql'])).toBe(withoutLiterals(blocked.sql));
    expect(JSON.stringify(lines['masking-blocked'])).not.toContain('a%');
    expect(JSON.stringify(lines['masking-blocked'])).toContain(blocked.rule);
  });

  it.skipIf(!HAS_PYTHON)('is computed again by the program of docs/guides/evidence.md', async () => {
    const guide = await readFile(join(ROOT, 'docs/guides/evidence.md'), 'utf8');
    const [, program = ''] = /Compute it again.*?```python\n(.*?)```/s.exec(guide) ?? [];
    const [, printed] = /it prints:\n\n```\n(.*?)```/s.exec(guide) ?? [];
    const { file } = ready.evidence;
    expect((await run('python3', ['-c', program, file])).stdout).toBe(printed);

    const changed = join(dirname(file), 'changed.zip');
    for (const [list, from, to, says] of [
      ['approvals', '"same_person":false', '"same_person":true', 'does not cover it'],
      ['approvals', '"outcome":"executed"', '"outcome":"denied"', 'denied, and used'],
      [
        'changes',
        '"decision":"allow","effects"',
        '"decision":"block","effects"',
        'is not in changes-unapproved',
      ],
      // Of a model, each change needs an approval of its own.
      ['changes', '"kinds":["data"]', '"kinds":["model"]', 'is not in changes-unapproved'],
    ] as const) {
      await run('python3', ['-c', CHANGE_LIST, file, changed, list, from, to]);
      const failed = await run('python3', ['-c', program, changed]).catch(
        (error: { stdout: string }) => error,
      );
      expect(failed.stdout).toContain(says);
    }
  });

  it('has one request open, which somebody else can approve and its client then runs', async () => {
    const { open, api, people, postgres } = ready;
    expect(find('approvals', open.hold)).toMatchObject({ outcome: 'open', exact_rows: open.rows });
    const count = async (): Promise<unknown> => {
      const { user, token: password } = people['rankingOwner']!;
      const client = new Client({ ...postgres, database: postgres.dbname, user, password });
      await client.connect();
      const [, where] = open.sql.split(' where ');
      const text = `select count(*)::int from rr.ranking_scores where boost = 1.2::real and ${where}`;
      const { rows } = await client.query<{ count: number }>(text);
      await client.end();
      return rows[0]?.count;
    };
    expect(await count()).toBe(0);
    const vote = async (role: string): Promise<Response> =>
      fetch(`${api.url}${open.approve.path}`, {
        method: open.approve.method,
        headers: { authorization: `Bearer ${people[role]?.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(open.approve.body),
      });
    expect((await vote('analyst')).status).toBe(403);
    expect((await vote('rankingOwner')).status).toBe(200);
    const detail = async (): Promise<string> => {
      const headers = { authorization: `Bearer ${people['analyst']?.token}` };
      const answer = await fetch(`${api.url}/v1/approvals/${open.hold}`, { headers });
      return ((await answer.json()) as { approval: { state: string } }).approval.state;
    };
    await expect.poll(detail, { timeout: 10_000 }).toBe('executed');
    expect(await count()).toBe(open.rows);
  });

  it('ends when it is told to, and leaves nothing behind', async () => {
    expect(await demo.end()).toBe(0);
    expect(existsSync(dirname(ready.evidence.file))).toBe(false);
  });
});

interface Shell {
  /** Its exit status. */
  readonly done: Promise<number | null>;
  /** What it has said so far. */
  readonly said: () => string;
}

/** A shell into which somebody types these lines. */
function shell(lines: readonly string[]): Shell {
  const PATH = `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}`;
  const child = spawn('bash', ['-c', `exec 2>&1; ${lines.join('\n')}`], {
    cwd: ROOT,
    env: { ...process.env, PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  return { done: once(child, 'close').then(([status]) => status as number | null), said: () => said };
}

describe.skipIf(!HAS_PSQL)('npm run demo', () => {
  let demo: Demo;
  /** The lines that are indented as what can be typed is, by the heading above them. */
  const typed = new Map<string, readonly string[]>();

  beforeAll(async () => {
    demo = new Demo();
    await demo.printed(/Ctrl-C.*\n/);
    let heading = '';
    for (const line of demo.output.split('\n')) {
      heading = HEADINGS.find((word) => line.startsWith(`  ${word}`)) ?? heading;
      if (/^ {4}/.test(line)) typed.set(heading, [...(typed.get(heading) ?? []), line.trim()]);
    }
  }, START_MS);
  afterAll(() => demo?.end());

  function psql(sql: string): readonly string[] {
    const [password = '', connect = ''] = typed.get('Connect') ?? [];
    return [password, `${connect} -X -c "${sql}"`];
  }

  it('prints lines that 80 columns can show, but for the key, which is one word', () => {
    // A path is as long as the directory for temporary files has it.
    const overlong = demo.output.split('\n').filter((line) => line.length > COLUMNS);
    const long = overlong.filter((line) => !/^\s*\/\S+$/.test(line));
    expect(long).toEqual([expect.stringContaining('--vkey')]);
  });

  it('says truly what is blocked, and by which rule', async () => {
    const [says = '', sql = ''] = typed.get('Try') ?? [];
    const [, rule] = /^-- rule (\S+) blocks/.exec(says) ?? [];
    const { done, said } = shell(psql(sql));
    expect(await done).toBe(1);
    expect(said()).toContain(`ERROR:  Blocked by rule "${rule}"`);
  });

  it('says truly what is held, and how the other person approves it', async () => {
    const [says = '', sql = ''] = (typed.get('Try') ?? []).slice(2);
    const [, rule] = /^-- rule (\S+) holds/.exec(says) ?? [];
    const visitor = shell(psql(sql));
    const held = (): string => /NOTICE: {2}Held by .* approval (hld_\w+)/.exec(visitor.said())?.[1] ?? '';
    await expect.poll(held, { timeout: 20_000 }).not.toBe('');
    const hold = held();
    expect(visitor.said()).toContain(`Held by rule "${rule}"`);
    const approve = typed.get('Approve') ?? [];
    const [, open] = /approve (hld_\w+)/.exec(approve.at(-1) ?? '') ?? [];
    expect(hold).not.toBe(open);
    const owner = shell([...approve, approve.at(-1)?.replace(open ?? '', hold) ?? '']);
    expect(await owner.done).toBe(0);
    for (const id of [open, hold]) expect(owner.said()).toContain(`${id}: granted, 1 of 1 approved`);
    expect(await visitor.done).toBe(0);
    const [, rows = ''] = /UPDATE (\d+)/.exec(visitor.said()) ?? [];
    expect(Number(rows)).toBeGreaterThan(99);
    const [, by, written, waited] = await demo.printed(
      /Approved by (\w+): ana has written ([\d,]+) rows \((hld_\w+)\)/,
    );
    expect([waited, by]).toEqual([open, 'rolf']);
    expect(demo.output).toContain(`One request is open now: ana waits to write ${written} rows`);
  });

  it('says truly what is masked for whom, and which Mask blocks what would tell of it', async () => {
    const [, sql = '', says = '', telling = ''] = (typed.get('Try') ?? []).slice(4);
    const mine = shell(psql(sql));
    expect(await mine.done).toBe(0);
    expect(mine.said()).toMatch(/\[REDACTED:COLUMN\] *\| .\*+@example\.com/);
    const [, token = ''] = /^ +pia +(\S+) /m.exec(demo.output) ?? [];
    const [, connect = ''] = psql(sql);
    const hers = shell([`export PGPASSWORD=${token}`, connect.replace('user=ana', 'user=pia')]);
    expect(await hers.done).toBe(0);
    expect(hers.said()).toMatch(/\w@example\.com/);
    expect(hers.said()).not.toMatch(/REDACTED|\*/);

    const [, mask] = /^-- Mask (\S+) blocks/.exec(says) ?? [];
    const { done, said } = shell(psql(telling));
    expect(await done).toBe(1);
    expect(said()).toContain(`ERROR:  Blocked by rule "${mask}"`);
  });

  it('says truly how to check the package', async () => {
    const check = (typed.get('Proven') ?? []).slice(-2);
    const { done, said } = shell(check);
    expect(await done).toBe(0);
    expect(said()).toMatch(/verified/i);
  });

  it('leaves nothing behind', async () => {
    const [, file = ''] = /(\/\S+\.zip)/.exec(demo.output) ?? [];
    expect(existsSync(file)).toBe(true);
    expect(await demo.end()).toBe(0);
    expect(existsSync(dirname(file))).toBe(false);
  });
});

/** Literals in one form, as they come and as they are hidden. */
function withoutLiterals(sql: unknown): string {
  return String(sql)
    .replaceAll(/'[^']*'/g, "''")
    .replaceAll(/\b\d+(?:\.\d+)?\b/g, '0');
}
