/**
 * The demo: a real PostgreSQL with a reranking database and a real reranking service, the gateway in front of both
 * with the rules and Masks of a pack, a tour of real traffic, the package that proves it, and a request that waits for the visitor.
 *
 * Usage: npm run -s demo -- [--json] [--no-tour] [--data DIR] [--help]. Runs until SIGTERM or Ctrl-C.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { type RunningGateway, startGateway } from '../../packages/gateway/src/main.ts';
import { DemoApi } from './api-client.ts';
import { loadDatabase } from './database.ts';
import { runMaskTour } from './mask-tour.ts';
import { HELP, readOptions, UsageError } from './options.ts';
import { startReranker } from './reranker/server.ts';
import { runRerankTour } from './rerank-tour.ts';
import { leaveOneOpen, look, type OpenRequest, runPolicyTour } from './policy-tour.ts';
import { exportAndVerify } from './prove.ts';
import { startPostgres } from './postgres-server.ts';
import {
  CONNECTION,
  type DemoPeople,
  type DemoTarget,
  giveTokens,
  logIn,
  moveTarget,
  RERANKER,
  seed,
} from './seed.ts';
import { machineReadable, number, summary, type Toured } from './summary.ts';
import { runTour } from './tour.ts';
import { noCounts } from './tour-session.ts';

const SEED = 20_261_124;
const POSTGRES_PORT = 15_432;
const HTTP_PORT = 8_441;
const API_PORT = 8_440;

class Stopped extends Error {}

/** What is running, to be ended in the reverse order. */
const running: (() => Promise<unknown>)[] = [];
let ending: Promise<void> | undefined;

function end(): Promise<void> {
  ending ??= (async () => {
    for (const stop of running.toReversed()) {
      await stop().catch((error: unknown) => console.error(error));
    }
  })();
  return ending;
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const started = performance.now();
  const say = (text: string): void => {
    if (!options.json) process.stderr.write(`${text}\n`);
  };
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'countersign-demo-')));
  // The database server is another user when root starts it, and has to enter this directory.
  await mkdir(data, { recursive: true, mode: 0o711 });
  if (options.data === undefined) running.push(() => rm(data, { recursive: true, force: true }));

  say('Starting PostgreSQL 18 …');
  const server = await startPostgres(options.data === undefined ? {} : { dataDir: join(data, 'postgres') });
  running.push(() => server.stop());
  mustGoOn();
  say('Loading the reranking database …');
  const database = await loadDatabase(server, { seed: SEED });
  mustGoOn();
  say('Starting the reranking service and the gateway …');
  const apiKey = randomBytes(24).toString('base64url');
  const reranker = await startReranker({ port: 0, apiKey });
  running.push(() => reranker.close());
  mustGoOn();
  const gateway = await startDemoGateway(join(data, 'gateway'), {
    DEMO_RERANK_PASSWORD: database.appPassword,
    DEMO_RERANKER_KEY: apiKey,
  });
  running.push(() => gateway.close('the demo ends'));
  mustGoOn();

  const api = `http://${gateway.api.host}:${gateway.api.port}`;
  const client = new DemoApi(api);
  const people = await enrolOrRemember(data, gateway, client, {
    port: server.port,
    database: 'rerank',
    user: 'rerank_app',
    reranker: reranker.url,
  });
  const evidenceFile = join(data, `evidence-${Date.now()}.zip`);
  const toured = options.tour ? await takeTour(gateway, people, client, evidenceFile, say) : undefined;
  mustGoOn();
  const facts = {
    postgres: gateway.postgres,
    reranker: baseUrl(gateway),
    api,
    verifierKey: gateway.rooms.ledger.verifierKey,
    people,
    rows: Object.values(database.rows).reduce((sum, count) => sum + count, 0),
    seconds: (performance.now() - started) / 1000,
    toured,
    kept: options.data,
  };
  if (options.json) {
    process.stdout.write(`${JSON.stringify(machineReadable(facts))}\n`);
    return;
  }
  const styled = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
  process.stdout.write(summary(facts, styled));
  if (toured !== undefined) void tellWhenDecided(toured.open, client, people);
}

async function startDemoGateway(
  data: string,
  env: Readonly<Record<string, string>>,
): Promise<RunningGateway> {
  const config = loadConfig(undefined, {
    data,
    postgresPort: await freePort(POSTGRES_PORT),
    httpPort: await freePort(HTTP_PORT),
    apiPort: await knownPort(API_PORT),
  });
  return startGateway(config, {
    env,
    onError: (error, where) => {
      if (error.row.fixedBy === 'operator' || error.row.fixedBy === 'us')
        console.error(`${where}: ${error.message}`);
    },
  });
}

/** The first start makes everybody; a later one on the same data knows them. Tokens are new each time. */
async function enrolOrRemember(
  data: string,
  gateway: RunningGateway,
  client: DemoApi,
  target: DemoTarget,
): Promise<DemoPeople> {
  const file = join(data, 'administrator-password');
  if (gateway.firstCode !== undefined) {
    const password = randomBytes(18).toString('base64url');
    await writeFile(file, password, { mode: 0o600 });
    return giveTokens(client, await seed(client, gateway.firstCode.reveal(), password, target));
  }
  const token = await logIn(client, await readFile(file, 'utf8'));
  await moveTarget(client, token, target);
  return giveTokens(client, token);
}

async function takeTour(
  gateway: RunningGateway,
  people: DemoPeople,
  api: DemoApi,
  evidenceFile: string,
  say: (text: string) => void,
): Promise<Toured> {
  say('Taking the tour …');
  const { host, port } = gateway.postgres;
  const { auditor } = people;
  const endpoints = {
    postgres: { host, port, connection: CONNECTION },
    reranker: baseUrl(gateway),
  };
  const counts = noCounts();
  const all = { endpoints, people: { ...people, outsider: auditor }, api, counts };
  await runTour(all);
  const reranking = await runRerankTour(all);
  const policy = await runPolicyTour(all);
  const masking = await runMaskTour({ ...all, privacyOfficer: people.privacyOfficer });
  // A session over HTTP goes on for a minute behind its last request.
  for (const session of gateway.sessions.list()) session.endWhenIdle({ reason: 'the tour is over' });
  await Promise.all(gateway.sessions.list().map((session) => session.closed));
  const open = await leaveOneOpen(all);
  running.push(() => open.giveUp());
  say('Writing and verifying the evidence package …');
  const { verifierKey } = gateway.rooms.ledger;
  const evidence = await exportAndVerify(api, auditor.token, verifierKey, evidenceFile);
  return { counts, reranking, policy, masking, open, evidence };
}

/** Where SDKs point their base URL. */
function baseUrl({ http: { host, port } }: RunningGateway): string {
  return `http://${host}:${port}/${RERANKER}`;
}

/** The visitor, or time, decides on what the tour left open; whoever looks at this terminal hears of it. */
async function tellWhenDecided(open: OpenRequest, api: DemoApi, people: DemoPeople): Promise<void> {
  try {
    const { rowCount } = await open.answer;
    const { votes } = await look(api, people.analyst, open.hold);
    const by = votes.map(({ name }) => name).join(', ');
    const rows = number(rowCount ?? 0);
    process.stdout.write(`  Approved by ${by}: ${open.as} has written ${rows} rows (${open.hold}).\n`);
  } catch (error) {
    if (!stopping) process.stdout.write(`  ${error instanceof Error ? error.message : String(error)}\n`);
  }
  await open.giveUp();
}

/** The usual port where nobody has it; 0 lets the system choose. */
function freePort(port: number): Promise<number> {
  return boundPort(port).catch(() => 0);
}

/** The same as a number that is known before the start: it stands in the address of a hold. */
function knownPort(port: number): Promise<number> {
  return boundPort(port).catch(() => boundPort(0));
}

/** Of a socket that could listen there; 0 lets the system choose. */
function boundPort(port: number): Promise<number> {
  return new Promise((found, refused) => {
    const probe = createServer();
    probe.once('error', refused);
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      probe.close(() => found(bound));
    });
  });
}

/** Ends what was started, also what is being started at this moment. */
let stopping = false;

function mustGoOn(): void {
  if (stopping) throw new Stopped();
}

const work = main();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopping = true;
    void work.then(end, end).then(() => process.exit(0));
  });
}
try {
  await work;
} catch (error) {
  await end();
  if (!stopping) {
    console.error(error instanceof UsageError ? error.message : error);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
