/**
 * Whether the server still says where results come from, and what makes it say so again.
 *
 * Spec: spec/masking.md, "Arming". A session whose results are masked starts with settings under which the server
 * sends its tree of each statement that it analyses. Whatever may have changed them makes the session doubtful, and
 * nothing more is parsed or bound in a doubtful session before they are set again: a statement that was prepared is
 * analysed anew without a word where the settings are off.
 */

import type { Effect, ReadText, StatementFacts } from '../../../core/effects.ts';
import type { StartupParameter } from '../../../protocols/postgres/messages.ts';
import { type ExchangePorts, rowsOf } from '../exchange.ts';
import { type AskedIn, Inside } from '../armed/inside.ts';

const SETTINGS = {
  debug_print_rewritten: 'on',
  debug_pretty_print: 'off',
  // With it the server's own tree would look like one from within a function.
  log_parameter_max_length_on_error: '0',
  client_min_messages: 'log',
} as const;

const LEVEL = 'client_min_messages';

/** So that the server analyses, and says, anew whatever is prepared. */
const ANALYSE_ANEW = 'DISCARD PLANS';

/** What the client had set, and then ours for the session; a target list is evaluated from left to right. */
const ARM = `SELECT pg_catalog.current_setting('${LEVEL}'), ${Object.entries(SETTINGS)
  .map(([name, value]) => `pg_catalog.set_config('${name}', '${value}', false)`)
  .join(', ')}`;
/** Of the five messages of a statement. */
const EXECUTE_INDEX = 2;

/** What may change a setting. */
const DOUBTFUL: ReadonlySet<Effect> = new Set<Effect>([
  'setting',
  'setting-risky',
  'code',
  'call',
  'execute',
  'function-unknown',
  'unknown',
]);

const encoder = new TextEncoder();

/** Behind those of the client, so that they hold; RESET and DISCARD lead back to them. */
export function armedParameters(given: readonly StartupParameter[]): readonly StartupParameter[] {
  const ours = Object.entries(SETTINGS).map(
    ([name, value]): StartupParameter => [encoder.encode(name), encoder.encode(value)],
  );
  return [...given, ...ours];
}

/** The client's own `client_min_messages` of its start; undefined where it gave none. */
export function levelAtStart(given: readonly StartupParameter[]): string | undefined {
  const [, value] = given.findLast(([name]) => Buffer.from(name).toString() === LEVEL) ?? [];
  return value === undefined ? undefined : Buffer.from(value).toString();
}

/** Owned by one session. */
export class Arming {
  readonly #inside: Inside;
  readonly #level: (level: string) => void;
  /** Until it was armed once: a pooler may have taken the settings of its start for another's. */
  #isDoubtful = true;
  /** Set in a transaction that has not ended: what ends it may take it back. */
  #isInside = false;
  /** The server may have said what nobody heard of statements that are prepared. */
  #isUnheard = false;

  /** @param level hears what the client has set `client_min_messages` to */
  constructor(ports: ExchangePorts, name: string, level: (level: string) => void) {
    this.#inside = new Inside(ports, `${name} arm`);
    this.#level = level;
  }

  get mustArm(): boolean {
    return this.#isDoubtful;
  }

  /** The server did not say what it should have said. */
  doubt(): void {
    this.#isDoubtful = true;
  }

  /** What it last said of statements that are prepared is not known. */
  unheard(): void {
    this.#isDoubtful = true;
    this.#isUnheard = true;
  }

  /** Something goes to the target; undefined where nobody has read it. */
  forwarded(read: ReadText | undefined): void {
    if (read?.kind !== 'read' || read.statements.some(mayDisarm)) this.#isDoubtful = true;
    // A COMMIT may be a ROLLBACK, of what was set inside.
    else if (this.#isInside && read.statements.some(endsTransaction)) this.#isDoubtful = true;
  }

  /** Outside of a transaction, with every request answered. */
  idle(): void {
    if (this.#isInside) this.#isDoubtful = true;
    this.#isInside = false;
  }

  /** Everything of the client is answered; nothing else is sent until this resolves. */
  async arm(where: AskedIn): Promise<void> {
    const answers = await this.#inside.keeping(where, this.#inside.statement(ARM));
    if (this.#isUnheard) {
      const anew = await this.#inside.keeping(where, this.#inside.statement(ANALYSE_ANEW));
      if (anew === undefined) return;
      this.#isUnheard = false;
    }
    const [row] = rowsOf(answers?.[EXECUTE_INDEX] ?? { outcome: 'failed', frames: [] });
    // An error of its own, or the end of the session: whatever comes next is masked whole.
    if (row === undefined) return;
    this.#isDoubtful = false;
    this.#isInside = where !== 'idle';
    const [level] = row;
    if (level !== undefined && level !== SETTINGS.client_min_messages) this.#level(level);
  }
}

/** Whether the server may say nothing of what is behind it. */
export function mayDisarm({ effects, transaction }: StatementFacts): boolean {
  if (effects.some(({ effect }) => DOUBTFUL.has(effect))) return true;
  // A setting that was made before a savepoint comes back.
  return transaction !== undefined && TAKES_BACK.has(transaction);
}

const TAKES_BACK: ReadonlySet<string> = new Set(['rollback', 'rollback-to']);

export function endsTransaction({ transaction }: StatementFacts): boolean {
  return transaction !== undefined && ENDS.has(transaction);
}

const ENDS: ReadonlySet<string> = new Set(['commit', 'rollback', 'rollback-to', 'prepare-transaction']);
