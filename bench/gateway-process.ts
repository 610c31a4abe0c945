/**
 * The gateway that is measured, in a process of its own: the program behind bench/peers/gateway.ts.
 *
 * Arguments: data directory, target port, port of the HTTP target. The target's password is in DB_PASSWORD, its certificate in
 * DB_CA. Prints one line of JSON when it is ready; ends at SIGTERM, and when its standard input ends.
 */

import { flushCompileCache } from 'node:module';
import { loadConfig } from '../packages/gateway/src/config/config.ts';
import { startGateway } from '../packages/gateway/src/main.ts';
import { parseResources } from '../packages/gateway/src/resources/parse.ts';

const [data = '', targetPort = '0', httpTarget = '9'] = process.argv.slice(2);
const config = loadConfig('tls: { mode: optional }', { data, postgresPort: 0, apiPort: 0 });
const gateway = await startGateway(config, {
  env: { ...process.env, API_SECRET: 'secret-of-the-target' },
  onError: (error, where) => {
    const cause = error.cause instanceof Error ? error.cause.message : '';
    process.stderr.write(`${where}: ${error.code} ${error.message} ${cause}\n`);
  },
});
const { resources, identity, bootId } = gateway.rooms;
const ca = JSON.stringify(process.env['DB_CA'] ?? '');
await resources.apply(
  parseResources(`
kind: Connection
name: db
protocol: postgres
target: { host: 127.0.0.1, port: ${targetPort}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
kind: Connection
name: db-tls
protocol: postgres
target: { host: localhost, port: ${targetPort}, database: postgres, tls: verify-full, ca: ${ca} }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
kind: Connection
name: db-ruled
protocol: postgres
target: { host: 127.0.0.1, port: ${targetPort}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
kind: Connection
name: db-ruled-by-text
protocol: postgres
target: { host: 127.0.0.1, port: ${targetPort}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
serverTree: off
---
kind: Connection
name: db-masked
protocol: postgres
target: { host: 127.0.0.1, port: ${targetPort}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
kind: Connection
name: db-detecting
protocol: postgres
target: { host: 127.0.0.1, port: ${targetPort}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
kind: Connection
name: reranker
protocol: http
target: { url: 'http://127.0.0.1:${httpTarget}', tls: disable }
credential: { scheme: bearer, password: { env: API_SECRET } }
---
kind: Connection
name: reranker-masked
protocol: http
target: { url: 'http://127.0.0.1:${httpTarget}', tls: disable }
credential: { scheme: bearer, password: { env: API_SECRET } }
---
kind: Connection
name: files
protocol: http
dialect: http
target: { url: 'http://127.0.0.1:${httpTarget}', tls: disable }
credential: { scheme: bearer, password: { env: API_SECRET } }
---
kind: Mask
name: numbers-of-people
on: [reranker-masked]
fields: ['/**/national_id']
as: redact
---
kind: Mask
name: whatever-looks-personal-in-answers
on: [reranker-masked]
detect: [email, card, iban, phone, secret]
as: redact
---
kind: Mask
name: contacts
on: [db-masked]
columns: [sixteen.contact]
as: partial
entity: EMAIL
---
kind: Mask
name: phones
on: [db-masked]
columns: [sixteen.phone]
as: redact
entity: PHONE
---
kind: Mask
name: whatever-looks-personal
on: [db-detecting]
detect: [email, card, iban, phone, secret]
as: redact
---
kind: Rule
name: nothing-is-destroyed
on: [db-ruled, db-ruled-by-text]
when: { effects: [drop, truncate, alter-drop, delete-unqualified, update-unqualified] }
then: block
---
kind: Rule
name: bulk
on: [db-ruled, db-ruled-by-text]
when: { writes: [pgbench_accounts], rows: '>= 100' }
then: block
---
kind: Rule
name: no-code
on: [db-ruled, db-ruled-by-text]
when: { effects: [run, administer, grant] }
then: block
---
kind: Person
name: ana
displayName: Ana
---
kind: Access
name: all
who: [ana]
to: [db, db-tls, db-ruled, db-ruled-by-text, db-masked, db-detecting]
---
kind: Access
name: requests
who: [ana]
to: [reranker, reranker-masked, files]
may: [read, rerank, unknown]
`),
  { name: 'bench', kind: 'system', keyId: bootId },
);
const ana = await identity.principals.findByName('ana');
if (ana === undefined) throw new Error('ana is missing');
const made = await identity.tokens.createToken(ana, {
  name: 'bench',
  lifetimeMs: 3_600_000,
  createdBy: undefined,
});

let closing: Promise<void> | undefined;
function close(): void {
  closing ??= gateway.close('measured').then(() => process.exit(0));
}
process.on('SIGTERM', close);
// Ctrl-C reaches the whole group; who runs the bench decides what ends when.
process.on('SIGINT', () => undefined);
process.stdin.on('end', close).resume();
// For the next one of the run, which may be there before this one has ended.
flushCompileCache();
process.stdout.write(
  `${JSON.stringify({ port: gateway.postgres.port, httpPort: gateway.http.port, token: made.token.reveal() })}\n`,
);
