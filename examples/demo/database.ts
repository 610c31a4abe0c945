/** Loads the reranking database into a PostgreSQL: schema, invented rows, and the gateway's role. */

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { generateSample, type Row, type Value } from './sample-data.ts';

/** A server and its superuser; what `startPostgres` gives, or any other PostgreSQL from 15 on. */
export interface DatabaseServer {
  readonly host: string;
  readonly port: number;
  readonly superuser: string;
  readonly password: string;
}

export interface LoadOptions {
  readonly seed: number;
  /** Name of the database; made where it does not exist. */
  readonly database?: string;
  /** Password of the role; without it, a new one. */
  readonly appPassword?: string;
}

export interface LoadedDatabase {
  readonly database: string;
  readonly appUser: 'rerank_app';
  readonly appPassword: string;
  /** Rows by table of schema rr. */
  readonly rows: Readonly<Record<string, number>>;
}

/** The six tables, parents before children. */
const RERANK_TABLES: readonly string[] = [
  'customers',
  'documents',
  'ranking_models',
  'ranking_scores',
  'search_queries',
  'rerank_results',
];

/** Rows in one INSERT: times at most ten columns, far below the 65,535 parameters of the protocol. */
const BATCH_ROWS = 1_000;

/** Loads what is not there yet, all or nothing; on a loaded database only the password is set. */
export async function loadDatabase(server: DatabaseServer, options: LoadOptions): Promise<LoadedDatabase> {
  const database = options.database ?? 'rerank';
  const appPassword = options.appPassword ?? randomBytes(24).toString('base64url');
  await withClient(server, 'postgres', (client) => prepareServer(client, database, appPassword));
  const rows = await withClient(server, database, async (client) => {
    if (!(await isLoaded(client))) await load(client, options.seed);
    return countRows(client);
  });
  return { database, appUser: 'rerank_app', appPassword, rows };
}

async function withClient<T>(
  server: DatabaseServer,
  database: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { host, port, superuser: user, password } = server;
  const client = new Client({ host, port, user, password, database, application_name: 'demo loader' });
  // A server that ends in between is told by the query that fails.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function prepareServer(client: Client, database: string, appPassword: string): Promise<void> {
  const role = await client.query("select from pg_roles where rolname = 'rerank_app'");
  if (role.rowCount === 0) await client.query('create role rerank_app login connection limit 50');
  await client.query(`alter role rerank_app password ${client.escapeLiteral(appPassword)}`);
  const known = await client.query('select from pg_database where datname = $1', [database]);
  if (known.rowCount === 0) await client.query(`create database ${client.escapeIdentifier(database)}`);
}

async function isLoaded(client: Client): Promise<boolean> {
  const found = await client.query("select from pg_namespace where nspname = 'rr'");
  return found.rowCount !== 0;
}

async function load(client: Client, seed: number): Promise<void> {
  const sample = generateSample(seed);
  await client.query('begin');
  await client.query(await readSql('01-schema.sql'));
  for (const table of RERANK_TABLES) await insertRows(client, table, sample[table] ?? []);
  await client.query(await readSql('02-indexes.sql'));
  await client.query(await readSql('03-role.sql'));
  await continueIdentities(client);
  await client.query('commit');
  await client.query('analyze');
}

function readSql(name: string): Promise<string> {
  return readFile(new URL(`./sql/${name}`, import.meta.url), 'utf8');
}

async function insertRows(client: Client, table: string, rows: readonly Row[]): Promise<void> {
  for (let from = 0; from < rows.length; from += BATCH_ROWS) {
    const batch = rows.slice(from, from + BATCH_ROWS);
    const columns = Object.keys(batch[0] ?? {});
    const tuples = batch.map(
      (_, row) => `(${columns.map((_name, column) => `$${row * columns.length + column + 1}`).join(',')})`,
    );
    await client.query(
      `insert into rr.${table} (${columns.join(',')}) values ${tuples.join(',')}`,
      batch.flatMap((row) => columns.map((column) => encode(row[column] ?? null))),
    );
  }
}

function encode(value: Value): string | number | boolean | null {
  return typeof value === 'object' && value !== null ? `{${value.join(',')}}` : value;
}

/** Rows came with their numbers; those that are added later go on after them. */
async function continueIdentities(client: Client): Promise<void> {
  const identities = await client.query<{ table_name: string; column_name: string }>(
    "select table_name, column_name from information_schema.columns where table_schema = 'rr' and is_identity = 'YES'",
  );
  for (const { table_name: table, column_name: column } of identities.rows) {
    await client.query(
      `select setval(pg_get_serial_sequence('rr.${table}', '${column}'), max(${column})) from rr.${table}`,
    );
  }
}

async function countRows(client: Client): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of RERANK_TABLES) {
    const { rows } = await client.query<{ count: number }>(`select count(*)::int as count from rr.${table}`);
    counts[table] = rows[0]?.count ?? 0;
  }
  return counts;
}
