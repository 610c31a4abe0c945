/**
 * A gateway in a process of its own, whose memory, descriptors and log are asked for from outside.
 *
 * Started by big-gateway.ts, to which it talks; arguments: data directory, target port. The target's
 * password is in DB_PASSWORD.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LogReader } from '../../packages/gateway/src/audit/log-reader.ts';
import { openStoredBody } from '../../packages/gateway/src/audit/find-leaf.ts';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { parseId } from '../../packages/gateway/src/core/ids.ts';
import { startGateway } from '../../packages/gateway/src/main.ts';
import {
  type ExpectedSegment,
  readRecording,
} from '../../packages/gateway/src/recording/recording-reader.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';
import { bodyValues } from '../../packages/ledger/src/body.ts';
import { type Leaf, parseLeaf } from '../../packages/ledger/src/leaf.ts';
import type { BigLog, BigReady, BigRecording } from './big-gateway.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const [data = '', targetPort = '0'] = process.argv.slice(2);
const config = loadConfig('tls: { mode: off }', { data, postgresPort: 0, apiPort: 0 });
const gateway = await startGateway(config, {
  onError: (error, where) => process.stderr.write(`${where}: ${error.code} ${error.message}\n`),
});
const { resources, identity, bootId, ledger, keys } = gateway.rooms;
const documents = `kind: Connection
name: db
protocol: postgres
target: { host: 127.0.0.1, port: ${targetPort}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
kind: Person
name: ana
displayName: Ana
---
kind: Person
name: root
displayName: Root
groups: [administrators]
---
kind: Access
name: all
who: [ana]
to: [db]
`;
await resources.apply(parseResources(documents), { name: 'test', kind: 'system', keyId: bootId });

async function tokenOf(name: string): Promise<string> {
  const owner = await identity.principals.findByName(name);
  if (owner === undefined) throw new Error(`nobody is called ${name}`);
  const request = { name: 'test', lifetimeMs: 86_400_000, createdBy: undefined };
  return (await identity.tokens.createToken(owner, request)).token.reveal();
}

async function* leaves(): AsyncGenerator<{ leaf: Leaf; sealed: Uint8Array | undefined }> {
  for await (const { leaf, sealed } of new LogReader(config.ledger.directory).leaves(0, ledger.size)) {
    const parsed = parseLeaf(leaf);
    if (parsed.kind !== 'leaf') throw new Error(`a leaf of version ${parsed.v}`);
    yield { leaf: parsed.leaf, sealed };
  }
}

async function readLog(): Promise<BigLog> {
  const counts: Record<string, number> = {};
  const intents = new Set<number>();
  for await (const { leaf } of leaves()) {
    const what = leaf.status === undefined ? leaf.type : `${leaf.type} ${leaf.status}`;
    counts[what] = (counts[what] ?? 0) + 1;
    if (leaf.type === 'statement.intent') intents.add(leaf.n);
    if (leaf.type === 'statement.outcome') intents.delete(leaf.ref ?? -1);
  }
  return { counts, unanswered: intents.size };
}

/** Every block of the newest session's recording opened, every segment held against its leaf. */
async function readNewest(): Promise<BigRecording> {
  let session: string | undefined;
  const expected = new Map<number, ExpectedSegment>();
  for await (const { leaf, sealed } of leaves()) {
    if (leaf.type === 'session.start') {
      session = leaf.session;
      expected.clear();
    }
    if (leaf.type !== 'recording.segment' || leaf.session !== session) continue;
    const body = sealed === undefined ? undefined : await openStoredBody(leaf, sealed, keys);
    const { number, sha256 } = body === undefined ? {} : bodyValues(body);
    if (typeof number !== 'number' || typeof sha256 !== 'string') throw new Error('a segment without digest');
    expected.set(number, { sha256, status: leaf.status === 'truncated' ? 'truncated' : 'ok' });
  }
  const sessionId = parseId('session', session ?? '');
  const scopeKey = await keys.find(sessionId);
  if (scopeKey === undefined) throw new Error('the key of the session is gone');
  const { directory } = config.recording;
  const bytes = [0, 0, 0, 0];
  let truncated = false;
  for await (const entry of readRecording({ directory, sessionId, scopeKey, expected })) {
    if (entry.kind === 'bytes') bytes[entry.channel] = (bytes[entry.channel] ?? 0) + entry.bytes.length;
    if (entry.kind === 'truncated') truncated = true;
  }
  return { segments: expected.size, bytes, truncated };
}

const answers: Readonly<Record<string, () => Promise<unknown>>> = {
  'live bytes': async () => {
    collect();
    return { bytes: process.memoryUsage().heapUsed };
  },
  live: async () => ({ live: gateway.sessions.count }),
  log: readLog,
  recording: readNewest,
};

process.on('message', (asked: string) => {
  if (asked === 'stop') void gateway.close('the test is over').then(() => process.exit(0));
  const answer = answers[asked];
  if (answer === undefined) return;
  answer().then(
    (value) => process.send?.({ value }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(1));
const value: BigReady = {
  port: gateway.postgres.port,
  apiPort: gateway.api.port,
  token: await tokenOf('ana'),
  rootToken: await tokenOf('root'),
};
process.send?.({ value });
