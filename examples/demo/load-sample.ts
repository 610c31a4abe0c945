/**
 * Loads the reranking database into a PostgreSQL that is there already; deploy/compose runs this.
 *
 * Environment: PGHOST, PGPORT, PGUSER, PGPASSWORD of a superuser; RERANK_APP_PASSWORD, the password
 * that the gateway's connection uses. With `_FILE` behind the name: a file with the value.
 */

import { readFileSync } from 'node:fs';
import { loadDatabase } from './database.ts';

function required(name: string): string {
  const file = process.env[`${name}_FILE`];
  const value = file === undefined ? process.env[name] : readFileSync(file, 'utf8').trimEnd();
  if (value === undefined || value === '') throw new Error(`Expected the environment variable ${name}.`);
  return value;
}

const loaded = await loadDatabase(
  {
    host: required('PGHOST'),
    port: Number(process.env['PGPORT'] ?? '5432'),
    superuser: required('PGUSER'),
    password: required('PGPASSWORD'),
  },
  { seed: 1, appPassword: required('RERANK_APP_PASSWORD') },
);
process.stdout.write(`Database "${loaded.database}" is loaded: ${JSON.stringify(loaded.rows)}\n`);
