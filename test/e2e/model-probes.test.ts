/**
 * A model that changes: through the gate with somebody's consent, and behind its back. The demo's reranking service, the
 * gateway and the command line, each in a process of its own.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCsv } from '../../packages/ledger/src/csv.ts';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { verifyPackage } from '../../packages/verify/src/verify-package.ts';
import { type GatewayProcess, type Ready, startProcess } from '../crash/processes.ts';

const run = promisify(execFile);
const RERANKER = fileURLToPath(new URL('../../examples/demo/reranker/main.ts', import.meta.url));
const CLI = fileURLToPath(new URL('../../packages/gateway/bin/countersign.js', import.meta.url));
const SECRET = 'model-probe-secret-canary';
const ACTIVATE = '/admin/models/lexical-blend/activate';

let data: string;
let notices: string;
let service: ChildProcess;
let serviceUrl: string;
let gateway: GatewayProcess;
let ready: Ready;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'countersign-models-'));
  notices = join(data, 'notices');
  service = spawn(process.execPath, ['--conditions=source', RERANKER, '--port', '0'], {
    env: { ...process.env, RERANKER_API_KEY: SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const tell = JSON.stringify(['sh', '-c', `cat >> ${notices}; echo >> ${notices}`]);
  gateway = startProcess({
    data: join(data, 'gateway'),
    targetPort: 1,
    password: 'x',
    env: { COUNTERSIGN_CONFIG: `{ tls: { mode: off }, notify: { commands: [${tell}] } }`, MODEL_KEY: SECRET },
  });
  const said = new Promise<string>((resolve) => {
    service.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
  });
  [serviceUrl, ready] = await Promise.all([said, gateway.ready]);
  await api('POST', '/v1/resources/apply', { text: resourcesOf() });
}, 120_000);

afterAll(async () => {
  service.kill('SIGKILL');
  gateway.child.kill('SIGTERM');
  await gateway.exited;
  await rm(data, { recursive: true, force: true });
});

/** Looks are asked for here: the schedule has its first one at once, and the next in an hour. */
function resourcesOf(probes = 'model: lexical-blend, identity: tei, canary: cohere-v2'): string {
  return `
kind: Group
name: model-owners
members: [bo]
---
kind: Connection
name: reranker
protocol: http
target: { url: '${serviceUrl}', tls: disable }
credential: { scheme: bearer, password: { env: MODEL_KEY } }
dialect: cohere-v2
probes: { ${probes}, reviewers: ['group:model-owners'] }
---
kind: Access
name: rankers
who: [ana]
to: [reranker]
may: [read, rerank]
---
kind: Rule
name: model-changes
on: [reranker]
when: { effects: [model-change] }
then: { hold: { approvers: ['group:model-owners'] } }
`;
}

async function api<T>(method: string, path: string, body?: object, as = 'root'): Promise<T> {
  const answer = await fetch(`http://127.0.0.1:${ready.apiPort}${path}`, {
    method,
    headers: { authorization: `Bearer ${ready.tokens[as] ?? ''}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

async function countersign(...words: string[]): Promise<{ readonly out: string; readonly status: number }> {
  const env = {
    ...process.env,
    HOME: data,
    COUNTERSIGN_SERVER: `http://127.0.0.1:${ready.apiPort}`,
    COUNTERSIGN_TOKEN: ready.tokens['root'] ?? '',
  };
  try {
    const { stdout } = await run(process.execPath, ['--conditions=source', CLI, ...words], { env });
    return { out: stdout, status: 0 };
  } catch (error) {
    const { stdout = '', code = -1 } = error as { stdout?: string; code?: number };
    return { out: stdout, status: code };
  }
}

/** `identity same, canary same`; a finding has an exclamation mark. */
async function look(): Promise<string> {
  const { looks } = await api<{ looks: readonly { kind: string; status: string; finding: boolean }[] }>(
    'POST',
    '/v1/models/reranker/probe',
    {},
  );
  return looks.map(({ kind, status, finding }) => `${kind} ${status}${finding ? '!' : ''}`).join(', ');
}

/** Ana asks through the gate, and waits; Bo agrees. */
async function promote(version: string): Promise<void> {
  const asked = fetch(`http://127.0.0.1:${ready.httpPort}/reranker${ACTIVATE}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ready.tokens['ana'] ?? ''}`, 'content-type': 'application/json' },
    body: JSON.stringify({ version }),
  });
  for (;;) {
    const { approvals } = await api<{ approvals: readonly { id: string }[] }>(
      'GET',
      '/v1/approvals',
      undefined,
      'bo',
    );
    const [open] = approvals;
    if (open !== undefined) {
      await api('POST', `/v1/approvals/${open.id}/approve`, {}, 'bo');
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const answer = await asked;
  expect([answer.status, (await answer.text()).includes(version)]).toEqual([200, true]);
}

/** Somebody who can reach the service itself. */
async function swap(version: string): Promise<void> {
  const answer = await fetch(`${serviceUrl}${ACTIVATE}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'application/json' },
    body: JSON.stringify({ version }),
  });
  expect(answer.status).toBe(200);
}

async function told(count: number): Promise<readonly { type: string; data: Record<string, unknown> }[]> {
  for (;;) {
    const text = await readFile(notices, 'utf8').catch(() => '');
    const all = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { type: string; data: Record<string, unknown> });
    const models = all.filter(({ type }) => type === 'model.changed');
    if (models.length >= count) return models;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function populations(
  ...names: readonly string[]
): Promise<readonly (readonly (readonly string[])[])[]> {
  const answer = await fetch(`http://127.0.0.1:${ready.apiPort}/v1/evidence/export`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ready.tokens['root'] ?? ''}`, 'content-type': 'application/json' },
    body: JSON.stringify({ from: '2020-01-01', to: '2100-01-01', reason: 'test' }),
  });
  expect(answer.status).toBe(200);
  const file = join(data, 'package.zip');
  await writeFile(file, new Uint8Array(await answer.arrayBuffer()));
  await using source = await FileSource.open(file);
  const report = await verifyPackage(source, { host: nodeHost(), vkey: ready.verifierKey });
  expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
  expect(report.verdict).toBe('verified');
  return Promise.all(
    names.map(async (name) => {
      const { stdout } = await run('unzip', ['-p', file, `*/data/populations/${name}.csv`]);
      return parseCsv(stdout);
    }),
  );
}

describe('a model', () => {
  it('is a finding where it changed behind the gate’s back, and none where people had agreed', async () => {
    expect(await look()).toBe('identity same, canary same');
    const list = await countersign('models', 'list');
    expect(list.status).toBe(0);
    expect(list.out.split('\n').map((line) => line.split(/\s+/).slice(0, 2).join(' '))).toEqual([
      'CONNECTION LOOK',
      'reranker identity',
      'reranker canary',
      '',
    ]);
    expect(await look()).toBe('identity same, canary same');

    await promote('1.5.0');
    const agreed = await countersign('models', 'probe', 'reranker');
    expect(agreed.out).toMatch(/identity: changed from [0-9a-f]{12} to [0-9a-f]{12}, let by leaf [0-9]+/);
    expect(agreed.out).toMatch(/canary: changed from [0-9a-f]{12} to [0-9a-f]{12}, let by leaf [0-9]+/);
    expect(agreed.status).toBe(0);
    expect(await look()).toBe('identity same, canary same');
    expect(await readFile(notices, 'utf8')).not.toContain('model.changed');

    await swap('1.3.0');
    const found = await countersign('models', 'probe', 'reranker');
    expect(found.out).toMatch(
      /identity: CHANGED from [0-9a-f]{12} to [0-9a-f]{12}, and nobody had agreed to that/,
    );
    expect(found.out).toMatch(/canary: CHANGED/);
    expect(found.status).toBe(3);
    // Back to what people had agreed to: that, too, nobody had.
    await swap('1.5.0');
    expect(await look()).toBe('identity changed!, canary changed!');
    const notes = await told(4);
    const kinds = notes.map((note) => String(note.data['what']));
    expect(kinds.toSorted((a, b) => a.localeCompare(b))).toEqual([
      'canary',
      'canary',
      'identity',
      'identity',
    ]);
    expect(notes[0]?.data).toMatchObject({
      connection: 'reranker',
      model: 'lexical-blend',
      reviewers: ['group:model-owners'],
      link: expect.stringMatching(/\/v1\/models\/reranker$/),
    });

    service.kill('SIGKILL');
    const gone = await countersign('models', 'probe', 'reranker');
    expect(gone.out).toMatch(/identity: nobody can tell: .*(ECONNREFUSED|hang up|reset)/);
    expect(gone.status).toBe(5);
    const shown = await api<{ probes: readonly { findings: readonly object[]; failure?: string }[] }>(
      'GET',
      '/v1/models/reranker',
    );
    expect(shown.probes.map(({ findings }) => findings.length)).toEqual([2, 2]);
    expect(shown.probes.every(({ failure }) => failure !== undefined)).toBe(true);
  }, 120_000);

  it('stands in the package, each look a row, each finding a change that nobody approved', async () => {
    const [probes = [], unapproved = []] = await populations('model-probes', 'changes-unapproved');
    const [head = [], ...rows] = probes;
    const cell = (row: readonly string[], name: string): string => row[head.indexOf(name)] ?? '';
    const identities = rows.filter((row) => cell(row, 'event_type') === 'model.identity');
    expect(identities.map((row) => [cell(row, 'status'), cell(row, 'finding')].join(' '))).toEqual(
      // The schedule's first look, that of the command, and so on.
      [
        'same false',
        'same false',
        'same false',
        'changed false',
        'same false',
        'changed true',
        'changed true',
        'unknown ',
      ],
    );
    expect(rows.length).toBe(2 * identities.length);
    expect(cell(identities[3] ?? [], 'approval')).toMatch(/^[0-9]+$/);
    const [changeHead = [], ...changes] = unapproved;
    const of = (row: readonly string[], name: string): string => row[changeHead.indexOf(name)] ?? '';
    expect(
      changes.map((row) => [of(row, 'why'), of(row, 'operation'), of(row, 'target')].join(', ')),
    ).toEqual([
      'unannounced, another model, reranker',
      'unannounced, another answer, reranker',
      'unannounced, another model, reranker',
      'unannounced, another answer, reranker',
    ]);
    expect(JSON.stringify([probes, unapproved])).not.toContain(SECRET);
  }, 120_000);
});
