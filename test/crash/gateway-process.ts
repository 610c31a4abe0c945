/**
 * A gateway in a process of its own, so that a test can kill it.
 *
 * Arguments: data directory, PostgreSQL port, target port. The target's password is in DB_PASSWORD.
 * Prints one line of JSON when it is ready: port and the token of `ana`.
 */

import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { startGateway } from '../../packages/gateway/src/main.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';

const [data = '', port = '0', targetPort = '0'] = process.argv.slice(2);
const gateway = await startGateway(
  loadConfig('tls: { mode: off }', { data, postgresPort: Number(port), apiPort: 0 }),
  {
    onError: (error, where) =>
      process.stderr.write(
        `${where} ${error.code} ${error.message} ${error.cause instanceof Error ? error.cause.message : ''}\n`,
      ),
  },
);
const { resources, identity, bootId, ledger } = gateway.rooms;
await resources.apply(
  parseResources(`
kind: Connection
name: db
protocol: postgres
target: { host: 127.0.0.1, port: ${targetPort}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
kind: Person
name: ana
displayName: Ana
---
kind: Access
name: all
who: [ana]
to: [db]
`),
  { name: 'test', kind: 'system', keyId: bootId },
);
const ana = await identity.principals.findByName('ana');
if (ana === undefined) throw new Error('ana is missing');
// A person has a bounded number of tokens, and this process is started hundreds of times.
for (const token of await identity.tokens.liveTokens(ana.id)) {
  await identity.tokens.revoke(token.id, { reason: 'another start', revokedBy: undefined });
}
const made = await identity.tokens.createToken(ana, {
  name: 'test',
  lifetimeMs: 3_600_000,
  createdBy: undefined,
});
const ready = { port: gateway.postgres.port, token: made.token.reveal(), verifierKey: ledger.verifierKey };
process.stdout.write(`${JSON.stringify(ready)}\n`);
process.on('SIGTERM', () => {
  void gateway.close('SIGTERM').then(() => process.exit(0));
});
