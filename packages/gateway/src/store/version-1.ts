/** Version 1 of the store: the tables of schema.ts. */

import type { Transaction } from 'kysely';
import { type ColumnType, createIndex, createTable, type Engine } from './create-table.ts';
import type { Schema } from './schema.ts';

interface TableDescription {
  readonly columns: Readonly<Record<string, ColumnType>>;
  readonly primaryKey: readonly [string, ...string[]];
}

const TABLES: Readonly<Record<string, TableDescription>> = {
  scope_keys: {
    columns: { scope: 'text', wrapped: 'blob?', created_us: 'integer', destroyed_us: 'integer?' },
    primaryKey: ['scope'],
  },
  principals: {
    columns: {
      id: 'text',
      name: 'text',
      kind: 'text',
      display_name: 'text',
      issuer: 'text',
      subject: 'text',
      disabled: 'integer',
      person_key: 'blob?',
      password_hash: 'text?',
      scram_salt: 'blob',
      created_us: 'integer',
    },
    primaryKey: ['id'],
  },
  tokens: {
    columns: {
      id: 'text',
      principal_id: 'text',
      name: 'text',
      sha256: 'blob',
      stored_key: 'blob',
      server_key: 'blob',
      created_us: 'integer',
      expires_us: 'integer',
      revoked_us: 'integer?',
      last_used_us: 'integer?',
    },
    primaryKey: ['id'],
  },
  enrolment_codes: {
    columns: { id: 'text', name: 'text', sha256: 'blob', expires_us: 'integer', used_us: 'integer?' },
    primaryKey: ['id'],
  },
  resources: {
    columns: {
      kind: 'text',
      name: 'text',
      version: 'integer',
      document: 'text',
      digest: 'text',
      changed_us: 'integer',
      changed_by: 'text',
    },
    primaryKey: ['kind', 'name'],
  },
  resource_changes: {
    columns: {
      kind: 'text',
      name: 'text',
      node: 'text',
      change: 'text',
      previous_version: 'integer',
      version: 'integer',
      document: 'text?',
      digest: 'text',
      changed_us: 'integer',
      changed_by: 'text',
    },
    primaryKey: ['kind', 'name'],
  },
  sealed_credentials: {
    columns: { connection: 'text', wrapped: 'blob', changed_us: 'integer' },
    primaryKey: ['connection'],
  },
  sessions: {
    columns: {
      id: 'text',
      principal_id: 'text',
      name: 'text',
      connection: 'text',
      database: 'text',
      address: 'text',
      client: 'text',
      started_us: 'integer',
      ended_us: 'integer?',
      status: 'text?',
      statements: 'integer',
      first_leaf: 'integer',
      last_leaf: 'integer?',
    },
    primaryKey: ['id'],
  },
  packages: {
    columns: {
      id: 'text',
      from_us: 'integer',
      to_us: 'integer',
      created_us: 'integer',
      requested_by: 'text',
      sha256: 'text',
      bytes: 'integer',
      file: 'text',
    },
    primaryKey: ['id'],
  },
};

/** Every table of version 1, with that of the version itself. */
export const TABLE_NAMES: readonly string[] = ['meta', ...Object.keys(TABLES)];

/** Creates every table of version 1. */
export async function createVersion1(tx: Transaction<Schema>, engine: Engine): Promise<void> {
  for (const [name, { columns, primaryKey }] of Object.entries(TABLES)) {
    await createTable(tx, engine, name, columns, primaryKey);
  }
  await createIndex(tx, 'principals', ['name'], 'unique');
  await createIndex(tx, 'principals', ['issuer', 'subject'], 'unique');
  await createIndex(tx, 'tokens', ['sha256'], 'unique');
  await createIndex(tx, 'tokens', ['principal_id'], 'not unique');
  await createIndex(tx, 'enrolment_codes', ['sha256'], 'unique');
  await createIndex(tx, 'sessions', ['started_us'], 'not unique');
}
