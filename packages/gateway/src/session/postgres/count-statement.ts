/**
 * The question about rows as a statement that stays prepared at the target: planning it anew takes five times
 * as long as running it.
 *
 * Spec: spec/policy.md §5. Names of prepared statements are no secret, and code of the client's may drop one
 * and put another in its place. So each time the server is asked, in the same breath, what stands under the
 * name: an answer is believed only where that is the text of ours, byte for byte, with parameters of the types
 * that the server found for it (PREPARE of SQL keeps the whole command as its text, which no question of ours is).
 */

import { createHash } from 'node:crypto';
import type { ReadText } from '../../core/effects.ts';
import { CountersignError } from '../../core/errors.ts';
import type { FrontendMessage } from '../../protocols/postgres/messages.ts';
import { EARLIER } from './count-text.ts';
import { errorOf, type KeptAnswer, rowsOf } from './exchange.ts';

/** What is asked. */
export interface CountQuestion {
  readonly text: string;
  /** OIDs for {@link EARLIER}. */
  readonly earlier: readonly string[];
}

/** How it is asked. */
export interface AskedCount {
  /** Messages in front of the question, whose answers say nothing. */
  readonly prepare: readonly FrontendMessage[];
  /** What stands under the name; undefined where no name is used. */
  readonly check: string | undefined;
  /** As a text of its own. */
  readonly text: string;
  /** For a Bind of the name. */
  readonly bind: { readonly statement: string; readonly values: readonly Uint8Array[] } | undefined;
}

/** The type `oid[]` of {@link EARLIER}. */
const OID_LIST = 1028;

/** Where the connection is one of several behind a pooler, names are gone that were given: 26000. */
const NO_SUCH_STATEMENT = '26000';

/** Owned by the conductor of one session. */
export class CountStatement {
  readonly #name: string;
  /** The text that was prepared last, unless something may have dropped it. */
  #prepared: string | undefined;
  /** Names do not stay at this target. */
  #isOff = false;

  /** @param name that no client has */
  constructor(name: string) {
    this.#name = `${name} count`;
  }

  asked({ text, earlier }: CountQuestion): AskedCount {
    const known = `{${earlier.join(',')}}`;
    const hasParameter = text.includes(EARLIER);
    if (this.#isOff) {
      const inline = hasParameter ? text.replaceAll(EARLIER, `'${known}'::pg_catalog.oid[]`) : text;
      return { prepare: [], check: undefined, text: inline, bind: undefined };
    }
    const isPrepared = this.#prepared === text;
    this.#prepared = text;
    const name = this.#name;
    return {
      prepare: isPrepared ? [] : prepareMessages(name, text),
      check: checkText(name),
      text: `EXECUTE "${name}"${hasParameter ? `('${known}')` : ''}`,
      bind: { statement: name, values: hasParameter ? [Buffer.from(known)] : [] },
    };
  }

  /**
   * The rows of an answer without an error, behind that to the check. Throws ROWS_NOT_COUNTED where something
   * else stands under the name.
   */
  rowsOf(asked: AskedCount, question: CountQuestion, answer: KeptAnswer): ReturnType<typeof rowsOf> {
    const rows = rowsOf(answer);
    if (asked.check === undefined) return rows;
    const [first, ...others] = rows;
    // Nothing came, or too much.
    if (first === undefined) return [];
    if (first.length === 1 && first[0] === standing(question.text)) return others;
    this.#prepared = undefined;
    const reason = 'another statement stands in the place of the count';
    throw new CountersignError('ROWS_NOT_COUNTED', { reason });
  }

  /** The question was answered with an error: what was prepared in front of it may not be there. */
  failed(answer: KeptAnswer): void {
    this.#prepared = undefined;
    if (errorOf(answer)?.sqlstate === NO_SUCH_STATEMENT) this.#isOff = true;
  }

  /** The client has sent a text: it may drop every name. */
  note(read: ReadText | undefined): void {
    const isKept =
      read === undefined ||
      (read.kind === 'read' && read.statements.every(({ prepared }) => prepared?.verb !== 'deallocate'));
    if (!isKept) this.#prepared = undefined;
  }
}

function prepareMessages(name: string, text: string): readonly FrontendMessage[] {
  return [
    { kind: 'Close', target: 'S', name },
    { kind: 'Parse', statement: name, textBytes: Buffer.from(text), parameterTypeOids: [] },
  ];
}

function checkText(name: string): string {
  return `SELECT pg_catalog.concat_ws(' ', pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p.statement, 'UTF8')), 'hex'),
  pg_catalog.array_to_string(p.parameter_types::pg_catalog.oid[], ','))
FROM pg_catalog.pg_prepared_statement() p WHERE p.name OPERATOR(pg_catalog.=) '${name}'`;
}

/** What {@link checkText} gives for a question of ours. */
function standing(text: string): string {
  const types = text.includes(EARLIER) ? String(OID_LIST) : '';
  return `${createHash('sha256').update(text).digest('hex')} ${types}`;
}
