/**
 * The primary keys of some rows that a run has written: approvers see which rows they are asked about, and no
 * other value of them.
 *
 * Spec: spec/policy.md, "Holds". What is written is read in the transaction that is undone next, so that
 * nothing of it is left. What is deleted is read behind it, in one of ours that can only read: PostgreSQL
 * leaves the number of the transaction that deleted a row in it (`xmax`), also when that was undone. Nothing
 * that goes wrong here decides anything: then there are no keys.
 */

import type { ReadText, WrittenTable } from '../../core/effects.ts';
import { LIMITS } from '../../core/limits.ts';
import { errorOf, rowsOf } from './exchange.ts';
import type { Ground } from './ground.ts';
import { inReadOnly } from './read-only.ts';
import { stopsOneStatement } from './refusal.ts';

const EQ = 'OPERATOR(pg_catalog.=)';

/** What is written, and how the keys are read. */
const READ_BY: Readonly<Partial<Record<WrittenTable['verb'], 'its rows' | 'what it deleted'>>> = {
  insert: 'its rows',
  update: 'its rows',
  merge: 'its rows',
  delete: 'what it deleted',
};

/** The first OID that PostgreSQL gives away itself: whose output functions may be anybody's. */
const FIRST_USER_OID = 16_384;

/** Gives them when the run is undone. */
export type AffectedKeys = () => Promise<readonly string[]>;

const NONE: AffectedKeys = () => Promise.resolve([]);

interface Key {
  readonly quoted: string;
  readonly name: string;
}

/**
 * Before the run is undone. `column=value, …` of each row; none where it is not one table with a key of
 * built-in types.
 */
export async function affectedKeys(ground: Ground, read: ReadText): Promise<AffectedKeys> {
  const table = onlyTableOf(read);
  if (table === undefined || !ground.isUndone) return NONE;
  try {
    const named = await answerTo(ground, keyQuestion(table));
    const [from] = named.map((row) => row[0]);
    const columns = named.map((row) => ({ quoted: row[1] ?? '', name: row[2] ?? '' }));
    if (from === undefined || ![from, ...columns.map(({ quoted }) => quoted)].every(isAscii)) return NONE;
    if (READ_BY[table.verb] === 'what it deleted') return await deletedKeys(ground, from, columns);
    const where = `w.xmin ${EQ} pg_catalog.pg_current_xact_id()::pg_catalog.xid`;
    const keys = keysIn(await answerTo(ground, rowQuestion(from, columns, where)), columns);
    return () => Promise.resolve(keys);
  } catch (error) {
    if (!stopsOneStatement(error)) throw error;
    return NONE;
  }
}

/** A row that it can still see, and that has its number, was locked and not deleted: then nobody can tell. */
async function deletedKeys(ground: Ground, from: string, columns: readonly Key[]): Promise<AffectedKeys> {
  const [found] = await answerTo(ground, lockedQuestion(from));
  const [transaction = '', isLocked] = found ?? [];
  if (isLocked !== 'f' || !/^[0-9]+$/.test(transaction)) return NONE;
  const text = rowQuestion(from, columns, `w.xmax ${EQ} '${transaction}'::pg_catalog.xid`);
  return async () => {
    try {
      return keysIn(await inReadOnly(ground, () => answerTo(ground, text)), columns);
    } catch (error) {
      if (!stopsOneStatement(error)) throw error;
      return [];
    }
  };
}

function keysIn(rows: ReturnType<typeof rowsOf>, columns: readonly Key[]): readonly string[] {
  return rows.map((row) => row.map((value, at) => `${columns[at]?.name}=${value ?? ''}`).join(', '));
}

function onlyTableOf(read: ReadText): WrittenTable | undefined {
  if (read.kind !== 'read') return undefined;
  const [first, ...others] = read.statements.flatMap(({ writes }) => writes);
  if (first === undefined || others.length > 0) return undefined;
  return READ_BY[first.verb] === undefined ? undefined : first;
}

/** However the client's encoding reads a name, it reads this. */
function isAscii(name: string): boolean {
  return /^[\x20-\x7e]+$/.test(name);
}

/** No rows where the server answers with an error. */
async function answerTo(ground: Ground, text: string): Promise<ReturnType<typeof rowsOf>> {
  const answer = await ground.ask(text);
  return errorOf(answer) === undefined ? rowsOf(answer) : [];
}

/**
 * One row for each column of the key: the table, the column, its name. The table is found as the statement
 * found it. Under row security, what is read here could be another row than was written.
 */
function keyQuestion({ schema, name }: WrittenTable): string {
  const parts = schema === undefined ? [name] : [schema, name];
  const quoted = parts.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
  // In hexadecimal: however the server reads literals, it reads this.
  const text = `pg_catalog.convert_from(pg_catalog.decode('${Buffer.from(quoted).toString('hex')}', 'hex'), 'UTF8')`;
  return `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.quote_ident(a.attname), a.attname,
  pg_catalog.set_config('statement_timeout', '${LIMITS.policy.lookTimeoutMs}', true)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid ${EQ} c.relnamespace
JOIN pg_catalog.pg_index i ON i.indrelid ${EQ} c.oid AND i.indisprimary
JOIN pg_catalog.pg_attribute a ON a.attrelid ${EQ} c.oid AND a.attnum ${EQ} ANY (i.indkey::pg_catalog.int2[])
WHERE c.oid ${EQ} pg_catalog.to_regclass(${text})::pg_catalog.oid AND NOT c.relrowsecurity
  AND c.relkind ${EQ} ANY ('{r,p}'::pg_catalog."char"[])
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_attribute k
    WHERE k.attrelid ${EQ} c.oid AND k.attnum ${EQ} ANY (i.indkey::pg_catalog.int2[])
      AND k.atttypid OPERATOR(pg_catalog.>=) ${FIRST_USER_OID}::pg_catalog.oid
  )
ORDER BY a.attnum`;
}

/** The number of this transaction, and whether it sees a row of the table that has it. */
function lockedQuestion(from: string): string {
  const own = 'pg_catalog.pg_current_xact_id()::pg_catalog.xid';
  return `SELECT (${own})::pg_catalog.text, EXISTS (SELECT FROM ${from} w WHERE w.xmax ${EQ} ${own})`;
}

/** The names are the server's own, quoted by it. */
function rowQuestion(from: string, columns: readonly Key[], where: string): string {
  const { affectedKeysMax, affectedKeyCharactersMax } = LIMITS.approvals;
  const values = columns.map(
    ({ quoted }) => `pg_catalog.left(w.${quoted}::pg_catalog.text, ${affectedKeyCharactersMax})`,
  );
  return `SELECT ${values.join(', ')} FROM ${from} w WHERE ${where} LIMIT ${affectedKeysMax}`;
}
