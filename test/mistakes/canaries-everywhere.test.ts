/** The keys themselves are looked for: where each belongs it is, and nowhere else. */

import { execFile } from 'node:child_process';
import { createPrivateKey, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROUTES } from '../../packages/gateway/src/api/routes.ts';
import { readRecording } from '../../packages/gateway/src/recording/recording-reader.ts';
import { loadMaskingRing } from '../../packages/gateway/src/keys/masking-keys.ts';
import { loadSigningKey } from '../../packages/gateway/src/keys/signing-key.ts';
import { type Harness, startHarness } from '../e2e/harness.ts';

const PASSWORD = 'planted-password-of-the-target-5c1d';
/** Of a webhook that nobody answers. */
const WEBHOOK_KEY = randomBytes(32);
let harness: Harness;
let secrets: string;

beforeAll(async () => {
  secrets = await mkdtemp(join(tmpdir(), 'countersign-secrets-'));
  const file = join(secrets, 'webhook');
  await writeFile(file, `whsec_${WEBHOOK_KEY.toString('base64')}`, { mode: 0o600 });
  const webhook = `{ url: 'http://127.0.0.1:9/hook', secret: { file: ${file} } }`;
  harness = await startHarness({
    config: `tls: { mode: optional }\nnotify: { webhooks: [${webhook}] }`,
  });
}, 60_000);

afterAll(async () => {
  await harness?.[Symbol.asyncDispose]();
  await rm(secrets, { recursive: true, force: true });
});

interface Canary {
  readonly what: string;
  readonly forms: readonly Buffer[];
  /** The one file that may hold it. */
  readonly home?: string;
}

/** Raw, and as text would carry it. */
function canary(what: string, secret: Uint8Array, home?: string): Canary {
  const bytes = Buffer.from(secret);
  const texts = ['hex', 'base64', 'base64url'].map((form) =>
    Buffer.from(bytes.toString(form as BufferEncoding).replaceAll('=', '')),
  );
  return { what, forms: [bytes, ...texts], ...(home === undefined ? {} : { home }) };
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

it('no key and no credential is in a file, a recording, a leaf, an answer, a package or a backup but its own', async () => {
  const { gateway, data } = harness;
  const { rooms } = gateway;
  const home = join(data, 'gateway');
  await harness.apply('kind: Person\nname: root\ndisplayName: Root\ngroups: [administrators]\n');
  await harness.apply(
    'kind: Connection\nname: sealed\nprotocol: postgres\ntarget: { host: 127.0.0.1, port: 1, database: x, tls: disable }\ncredential: { user: x, password: { sealed: true } }\n',
  );
  const root = await harness.token('root');
  const token = await harness.token('ana');

  const keys: number[] = [];
  const client = new Client({
    host: '127.0.0.1',
    port: gateway.postgres.port,
    user: 'ana',
    password: token,
    database: 'db',
    ssl: { rejectUnauthorized: false },
  });
  (
    client as unknown as {
      connection: { on(event: string, listener: (message: { secretKey: number }) => void): void };
    }
  ).connection.on('backendKeyData', ({ secretKey }) => keys.push(secretKey));
  await client.connect();
  await client.query('select 1');
  await client.query('select nothing').catch(() => undefined);
  await client.end();
  await harness.finishedLog();
  const log = await harness.log();
  const session = log.find(({ leaf }) => leaf.type === 'session.start')?.leaf.session ?? '';
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The leaf has one.
  const sessionId = session as Parameters<typeof readRecording>[0]['sessionId'];
  const scopeKey = (await rooms.keys.find(session)) ?? new Uint8Array(0);
  const signing = await loadSigningKey({
    file: join(home, 'ledger-key.sealed'),
    installationKey: rooms.installationKey,
    randomBytes: noKeyIsMade,
  });
  await rooms.maskingKeys.ring();
  const ring = await loadMaskingRing({ ...rooms, randomBytes: noKeyIsMade });
  const tlsPem = await readFile(join(home, 'tls-self-signed.key'), 'utf8');
  const tlsKey = createPrivateKey(tlsPem).export({ format: 'jwk' });
  const cancelSecret = Buffer.alloc(4);
  cancelSecret.writeInt32BE(keys[0] ?? 0);

  const base = `http://127.0.0.1:${gateway.api.port}`;
  const backup = join(data, 'backup');
  const period = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: 'looking' };
  const resources = 'kind: Person\nname: zoe\ndisplayName: Zoe\n';
  const bodies: Record<string, unknown> = {
    'PUT /v1/connections/:name/password': { password: PASSWORD },
    'POST /v1/evidence/export': period,
    'POST /v1/backup': { directory: backup },
    'POST /v1/resources/apply': { text: resources },
    'POST /v1/resources/diff': { text: resources },
    'POST /v1/tokens': { name: 'x' },
    'POST /v1/invitations': { name: 'ana' },
    'POST /v1/login': { name: 'ana', password: PASSWORD },
    'POST /v1/enrol': { code: 'csenrol_x', name: 'ana', displayName: 'Ana', password: PASSWORD },
  };
  const answers: { readonly key: string; readonly bytes: Buffer }[] = [];
  // What is destroyed comes last; a shred would take the recording away.
  for (const { key } of ROUTES.toSorted(
    (a, b) => Number(a.key.startsWith('DELETE')) - Number(b.key.startsWith('DELETE')),
  )) {
    const [method = '', path = ''] = key.split(' ');
    const url = path
      .replace('/sessions/:id', `/sessions/${session}`)
      .replace('/connections/:name', '/connections/sealed')
      .replace('/tokens/:id', `/tokens/tok_${'0'.repeat(26)}`)
      .replace(':kind', 'Connection')
      .replace(':name', 'sealed')
      .replace(':index', '0')
      .replace(':node', 'gw1')
      .replace('*', 'entries/000');
    const body = bodies[key];
    // oxlint-disable-next-line no-await-in-loop -- In this order.
    const response = await fetch(base + url, {
      method,
      headers: {
        authorization: `Bearer ${root}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    // oxlint-disable-next-line no-await-in-loop -- In this order.
    answers.push({ key: `${key} ${response.status}`, bytes: Buffer.from(await response.arrayBuffer()) });
  }
  const zip = answers.find(({ key }) => key === 'POST /v1/evidence/export 200');
  const file = join(data, 'package.zip');
  await writeFile(file, zip?.bytes ?? '');
  const unpacked = join(data, 'unpacked');
  await promisify(execFile)('unzip', ['-q', file, '-d', unpacked]);

  const recorded: Buffer[] = [];
  for await (const entry of readRecording({ directory: join(home, 'recordings'), sessionId, scopeKey })) {
    if (entry.kind === 'bytes') recorded.push(Buffer.from(entry.bytes));
  }

  const canaries: Canary[] = [
    canary('the installation key', rooms.installationKey.reveal(), 'installation.key'),
    canary('the seed of the signing key', signing.seed.reveal()),
    canary('the key of the session', scopeKey),
    canary('the key of masks', ring?.keys[0]?.secret.reveal() ?? new Uint8Array(0)),
    canary('the secret of the webhook', WEBHOOK_KEY),
    canary('the TLS key', Buffer.from(tlsKey.d ?? '', 'base64url'), 'tls-self-signed.key'),
    {
      what: 'the TLS key as PEM',
      forms: [Buffer.from(tlsPem.split('\n')[1] ?? '')],
      home: 'tls-self-signed.key',
    },
    { what: 'the password of the target', forms: [Buffer.from(harness.server.password)] },
    { what: 'the sealed password', forms: [Buffer.from(PASSWORD)] },
    { what: 'the administrator’s token', forms: [Buffer.from(root)] },
    { what: 'the user’s token', forms: [Buffer.from(token)] },
    { what: 'the first code', forms: [Buffer.from(gateway.firstCode?.reveal() ?? '')] },
  ];
  expect(canaries.flatMap(({ forms }) => forms).filter(({ length }) => length < 12)).toEqual([]);
  const found: string[] = [];
  const look = (where: string, bytes: Buffer, list: readonly Canary[]): void => {
    for (const { what, forms, home: own } of list) {
      if (own !== undefined && where.endsWith(own)) continue;
      if (forms.some((form) => bytes.includes(form))) found.push(`${where}: ${what}`);
    }
  };
  const files = [...(await filesBelow(home)), ...(await filesBelow(backup)), ...(await filesBelow(unpacked))];
  // oxlint-disable-next-line no-await-in-loop -- One file in memory at a time.
  for (const path of files) look(path, await readFile(path), canaries);
  for (const { key, bytes } of answers) look(key, bytes, canaries);
  look('errors', Buffer.from(harness.errors.join('\n')), canaries);
  look('bodies of leaves', Buffer.from(JSON.stringify(log)), canaries);
  look('the recording', Buffer.concat(recorded), canaries);
  // Four bytes are found anywhere by chance: they are looked for where the session itself is told.
  const cancel: Canary = { what: 'the cancel key', forms: [cancelSecret] };
  look('the recording', Buffer.concat(recorded), [cancel]);
  look('bodies of leaves', Buffer.from(JSON.stringify(log)), [
    { ...cancel, forms: [Buffer.from(String(keys[0])), Buffer.from(cancelSecret.toString('hex'))] },
  ]);

  expect(found).toEqual([]);
  // Every canary that has a home is there, so that the search is known to find it.
  expect(files.some((path) => path.endsWith('installation.key'))).toBe(true);
  const pem = canaries.find(({ what }) => what === 'the TLS key as PEM');
  expect((await readFile(join(home, 'tls-self-signed.key'))).includes(pem?.forms[0] ?? 'x')).toBe(true);
  expect(recorded.length).toBeGreaterThan(2);
  const good = answers.filter(({ key }) => / 2\d\d$/.test(key)).length;
  console.info(answers.map(({ key, bytes }) => `${key} (${bytes.length})`).join(', '));
  expect(good).toBeGreaterThan(15);
});

function noKeyIsMade(): never {
  throw new Error('no key is made here');
}
