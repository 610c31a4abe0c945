/**
 * A gateway in a process of its own, so that a test can kill it.
 *
 * Arguments: data directory, target port. The target's password is in DB_PASSWORD. The first start
 * makes people and their tokens, which are kept beside the data directory for the later ones.
 * COUNTERSIGN_CHORES makes it rotate its key, back up, shred, export and sign without a pause. Prints
 * one line of JSON when it is ready.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { type RunningGateway, startGateway } from '../../packages/gateway/src/main.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';
import { PEOPLE, type Ready } from './processes.ts';

const [data = '', targetPort = '0'] = process.argv.slice(2);
const config = loadConfig(process.env['COUNTERSIGN_CONFIG'] ?? 'tls: { mode: off }', {
  data,
  postgresPort: 0,
  apiPort: 0,
});
const gateway = await startGateway(config, {
  onError: (error, where) =>
    process.stderr.write(
      `${where} ${error.code} ${error.message} ${error.cause instanceof Error ? error.cause.message : ''}\n`,
    ),
});
const tokensFile = `${data}.tokens.json`;
if (!existsSync(tokensFile)) writeFileSync(tokensFile, JSON.stringify(await makePeople(gateway)));
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This program wrote it.
const tokens = JSON.parse(readFileSync(tokensFile, 'utf8')) as Record<string, string>;
const ready: Ready = {
  port: gateway.postgres.port,
  apiPort: gateway.api.port,
  httpPort: gateway.http.port,
  tokens,
  verifierKey: gateway.rooms.ledger.verifierKey,
};
process.stdout.write(`${JSON.stringify(ready)}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => void gateway.close(signal).then(() => process.exit(0)));
}
void gateway.halted.then(async (error) => {
  process.stderr.write(`${error.message}\n`);
  await gateway.close(error.message);
  process.exit(error.row.exit);
});
if (process.env['COUNTERSIGN_CHORES'] !== undefined) {
  // They end with the process, which is what they are for.
  const first = Number(process.env['COUNTERSIGN_CHORES']);
  await doChores(gateway, tokens['root'] ?? '', first).catch((error: unknown) =>
    process.stderr.write(`${String(error)}\n`),
  );
}

async function makePeople({ rooms }: RunningGateway): Promise<Record<string, string>> {
  const { resources, identity, bootId } = rooms;
  const people = PEOPLE.map((name) => `kind: Person\nname: ${name}\ndisplayName: ${name}\n`);
  const connection = `kind: Connection
name: db
protocol: postgres
target: { host: 127.0.0.1, port: ${targetPort}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
`;
  const access = `kind: Access\nname: all\nwho: [${PEOPLE.join(', ')}]\nto: [db]\n`;
  const root = 'kind: Person\nname: root\ndisplayName: Root\ngroups: [administrators]\n';
  const text = [connection, ...people, access, root].join('---\n');
  await resources.apply(parseResources(text), { name: 'test', kind: 'system', keyId: bootId });
  const made: Record<string, string> = {};
  for (const name of [...PEOPLE, 'root']) {
    const owner = await identity.principals.findByName(name);
    if (owner === undefined) throw new Error(`${name} is missing`);
    const lifetimeMs = 86_400_000;
    const { token } = await identity.tokens.createToken(owner, {
      name: 'test',
      lifetimeMs,
      createdBy: undefined,
    });
    made[name] = token.reveal();
  }
  return made;
}

/** What writes files beside the load, over and over. */
async function doChores({ rooms, api }: RunningGateway, token: string, first: number): Promise<void> {
  const base = `http://${api.host}:${api.port}`;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const post = (path: string, body: unknown): Promise<Response> =>
    fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const { rotateLedgerKey } = await import('../../packages/gateway/src/wiring/rotate-key.ts');
  const period = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: 'chores' };
  const chores = [
    async (): Promise<void> => {
      await rotateLedgerKey(
        rooms.ledger,
        { file: config.ledger.keyFile, installationKey: rooms.installationKey, randomBytes: random },
        { reason: 'chores', requestedBy: 'test' },
      );
      await rooms.ledger.checkpoint();
    },
    async (): Promise<void> => {
      const backups = await mkdtemp(join(dirname(data), 'backup-'));
      await post('/v1/backup', { directory: join(backups, 'copy') });
      await rm(backups, { recursive: true, force: true });
    },
    async (): Promise<void> => {
      const client = new Client({
        ...gateway.postgres,
        user: 'shred',
        password: tokens['shred'] ?? '',
        database: 'db',
      });
      await client.connect();
      await client.query('select 1');
      await client.end();
      const answer = await (await fetch(`${base}/v1/sessions?name=shred&limit=1`, { headers })).json();
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The shape is that of the API; a wrong one fails the test.
      const [session] = (answer as { sessions: { id: string }[] }).sessions;
      // Where its last leaf is not written yet, it is refused; the next turn has another.
      if (session !== undefined) await post('/v1/ledger/shred', { session: session.id, reason: 'chores' });
    },
    async (): Promise<void> => {
      await (await post('/v1/evidence/export', period)).arrayBuffer();
    },
  ];
  // Each life begins with another one, so that a kill finds all of them.
  for (let turn = first; ; turn++) {
    process.stdout.write('chore\n');
    await chores[turn % chores.length]?.();
  }
}

function random(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}
