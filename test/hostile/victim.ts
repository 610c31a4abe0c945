/**
 * A gateway in a process of its own, so that its memory can be measured and its death seen.
 *
 * Started by victim-process.ts, to which it talks; argument: its options as JSON.
 */

import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { startGateway } from '../../packages/gateway/src/main.ts';
import { LogReader } from '../../packages/gateway/src/audit/log-reader.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';
import { parseLeaf } from '../../packages/ledger/src/leaf.ts';
import type { VictimLog, VictimOptions, VictimReady } from './victim-process.ts';

const options = JSON.parse(process.argv[2] ?? '') as VictimOptions;
const config = loadConfig('tls: { mode: optional }', { data: options.data, postgresPort: 0, apiPort: 0 });
const errors: string[] = [];
const gateway = await startGateway(config, {
  env: { DB_PASSWORD: options.password },
  onError: (error, where) => errors.push(`${where}: ${error.code} ${error.message}`),
});
const { resources, identity, bootId, ledger } = gateway.rooms;

/** Each database of the target is a connection of the same name. */
function connection(name: string): string {
  const target = `{ host: 127.0.0.1, port: ${options.targetPort}, database: ${options.database ?? name}, tls: disable }`;
  return `kind: Connection\nname: ${name}\nprotocol: postgres\ntarget: ${target}\ncredential: { user: postgres, password: { env: DB_PASSWORD } }\n---\nkind: Access\nname: ${name}\nwho: [ana]\nto: [${name}]\n---\n`;
}

const people =
  'kind: Person\nname: ana\ndisplayName: Ana\n---\nkind: Person\nname: root\ndisplayName: Root\ngroups: [administrators]\n';
const documents = parseResources(options.connections.map(connection).join('') + people);
await resources.apply(documents, { name: 'test', kind: 'system', keyId: bootId });

async function tokenOf(name: string): Promise<string> {
  const owner = await identity.principals.findByName(name);
  if (owner === undefined) throw new Error(`no ${name}`);
  const request = { name: 'test', lifetimeMs: 3_600_000, createdBy: undefined };
  return (await identity.tokens.createToken(owner, request)).token.reveal();
}

/** Which intents have no outcome, and which sessions that began have not ended. */
async function readLog(): Promise<VictimLog> {
  const intents = new Set<number>();
  const sessions = new Set<string>();
  const counts: Record<string, number> = {};
  for await (const { leaf } of new LogReader(config.ledger.directory).leaves(0, ledger.size)) {
    const parsed = parseLeaf(leaf);
    if (parsed.kind !== 'leaf') continue;
    const { type, n, ref, session, status } = parsed.leaf;
    const what = status === undefined ? type : `${type} ${status}`;
    counts[what] = (counts[what] ?? 0) + 1;
    if (type === 'statement.intent') intents.add(n);
    if (type === 'statement.outcome') intents.delete(ref ?? -1);
    if (type === 'session.start') sessions.add(session ?? '');
    if (type === 'session.end') sessions.delete(session ?? '');
  }
  return { unanswered: [...intents], open: [...sessions], counts, live: gateway.sessions.count, errors };
}

process.on('message', (asked: string) => {
  if (asked === 'log') void readLog().then((log) => process.send?.(log));
  if (asked === 'live') process.send?.({ live: gateway.sessions.count });
  if (asked === 'stop') void gateway.close('the test is over').then(() => process.exit(0));
});
process.on('disconnect', () => process.exit(1));
const ready: VictimReady = {
  port: gateway.postgres.port,
  apiPort: gateway.api.port,
  token: await tokenOf('ana'),
  rootToken: await tokenOf('root'),
};
process.send?.(ready);
