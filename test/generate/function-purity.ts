/**
 * What masks take PostgreSQL's functions for: pg_proc of real servers → `sql/purity/functions-table.ts`.
 *
 * node --conditions=source test/generate/function-purity.ts > packages/gateway/src/sql/purity/functions-table.ts
 *
 * Which is which is in function-families.ts. Functions that SQL cannot call (arguments or results of the type
 * `internal` and its like) are left out, and so are those whose oids initdb gives, which are others from one minor
 * release to the next: what is not in the table is opaque.
 */

import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import type { FunctionKind } from '../../packages/gateway/src/sql/labels/function-knowledge.ts';
import { FUNCTION_FAMILIES } from './function-families.ts';

/** As startPostgres takes them. */
export const PURITY_VERSIONS: Readonly<Record<number, string>> = {
  15: '/usr/lib/postgresql/15/bin',
  16: 'embedded-16',
  17: 'embedded-17',
  18: 'embedded',
};

/** They take values of any type and look at none: they count, carry or describe them. */
const LOOKS_AT_NOTHING =
  /^(?:count|num_(?:non)?nulls|pg_typeof|pg_collation_for|pg_column_\w+|(?:first|last|nth|any)_value|lag|lead|array_(?:agg|append|cat|dims|length|lower|ndims|prepend|reverse|sample|shuffle|upper)|cardinality|generate_subscripts|trim_array|unnest|lower|upper|(?:lower|upper)_inf|(?:lower|upper)_inc|isempty)$/;

/** `FirstUnpinnedObjectId`: from here on initdb counts (src/include/access/transam.h). */
const FIRST_COUNTED_OID = 12_000;

export interface ServerFunction {
  readonly oid: number;
  readonly name: string;
  readonly immutable: boolean;
  /** Not everybody may call it. */
  readonly withheld: boolean;
  /** It takes or gives values of any type. */
  readonly polymorphic: boolean;
}

const QUERY = `
  select p.oid::int8::text as oid, p.proname as name, p.provolatile = 'i' as immutable,
         p.proacl is not null as withheld,
         (p.proargtypes::oid[] || p.prorettype) && array(
           select t.oid from pg_type t where t.typname ~ '^(any|record|_record)') as polymorphic
  from pg_catalog.pg_proc p
  where p.oid < ${FIRST_COUNTED_OID}
    and not ('internal'::regtype = any (p.proargtypes::oid[]))
    and not (p.prorettype = any ('{internal,trigger,event_trigger,language_handler,fdw_handler,index_am_handler,table_am_handler,tsm_handler}'::regtype[]))
  order by p.oid`;

export async function serverFunctions(server: PostgresServer): Promise<readonly ServerFunction[]> {
  const client = new Client({ ...server, user: server.superuser, database: 'postgres' });
  await client.connect();
  try {
    const { rows } = await client.query<Omit<ServerFunction, 'oid'> & { readonly oid: string }>(QUERY);
    return rows.map((row) => ({ ...row, oid: Number(row.oid) }));
  } finally {
    await client.end();
  }
}

/** Undefined for one that nobody has looked at. */
export function reviewedKind({ name, immutable }: ServerFunction): FunctionKind | undefined {
  const family = FUNCTION_FAMILIES.find(({ names, ofImmutable }) => {
    return names.test(name) && (!immutable || ofImmutable === true);
  });
  return family?.kind ?? (immutable ? 'pure' : undefined);
}

/** Ranges of oids, `3-7,9`: the table has a line of them for each kind. */
export interface PurityRow {
  readonly pure: string;
  readonly reader: string;
  readonly sink: string;
  readonly polymorphic: string;
}

export function purityRow(functions: readonly ServerFunction[]): PurityRow {
  const of = (kind: FunctionKind): string => {
    return ranges(functions.filter((one) => reviewedKind(one) === kind).map(({ oid }) => oid));
  };
  return {
    pure: of('pure'),
    reader: of('reader'),
    sink: of('sink'),
    polymorphic: ranges(
      functions
        .filter(({ name, polymorphic }) => polymorphic && !LOOKS_AT_NOTHING.test(name))
        .map(({ oid }) => oid),
    ),
  };
}

function ranges(oids: readonly number[]): string {
  const found: [first: number, last: number][] = [];
  for (const oid of oids) {
    const last = found.at(-1);
    if (last?.[1] === oid - 1) last[1] = oid;
    else found.push([oid, oid]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(' ');
}

function tableText(rows: Readonly<Record<string, PurityRow>>, versions: readonly string[]): string {
  const written = Object.entries(rows).map(([major, row]) => {
    const fields = Object.entries(row).map(([kind, text]) => `    ${kind}: \`\n${wrapped(text)}\n\`,\n`);
    return `  ${major}: {\n${fields.join('')}  },\n`;
  });
  return `/**
 * PostgreSQL's own functions by their oids: what masks take them for, in each major release.
 *
 * Generated from pg_proc of PostgreSQL ${versions.join(', ')} by test/generate/function-purity.ts;
 * test/generate/function-families.ts has the reasons. What is not here is opaque.
 */

/** Ranges of oids: \`3-7 9\`. */
export interface FunctionRanges {
  readonly pure: string;
  readonly reader: string;
  readonly sink: string;
  /** Of any kind: they call functions of the types of their arguments, or of their result. */
  readonly polymorphic: string;
}

export const FUNCTION_RANGES: Readonly<Record<number, FunctionRanges>> = {
${written.join('')}};
`;
}

function wrapped(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.length + word.length >= 180) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const rows: Record<string, PurityRow> = {};
  const versions: string[] = [];
  for (const [major, version] of Object.entries(PURITY_VERSIONS)) {
    await using server = await startPostgres({ version, settings: { fsync: 'off' } });
    const client = new Client({ ...server, user: server.superuser, database: 'postgres' });
    await client.connect();
    const shown = await client.query<{ server_version: string }>('show server_version');
    await client.end();
    versions.push(shown.rows[0]?.server_version.split(' ')[0] ?? '');
    rows[major] = purityRow(await serverFunctions(server));
  }
  process.stdout.write(tableText(rows, versions));
}
