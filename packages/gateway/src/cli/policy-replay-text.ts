/** What `policy replay` prints: each operation about which the other policy says something else, and a summary. */

import type { PolicyReplayAnswer, ReplayedRow, Undecidable } from '../api/answers.ts';
import { safeText } from '../recording/table-text.ts';
import { counted, oneLine, shortTime } from './output.ts';
import { underlined } from './underlined.ts';

const SQL_CHARACTERS = 100;
const CAUSES_SHOWN_MAX = 4;

const WHY: Readonly<Record<Undecidable, string>> = {
  shredded: 'were shredded',
  spooled: 'have a text that is named by its digest only',
  'no-text': 'have no text',
  'prepared-before': 'run what was prepared before',
  'rows-unknown': 'wrote nobody knows how many rows',
  'unknown-session': 'are of a session that the index does not have',
};

/** Lines for people; everything in them is untrusted. */
export function differenceLines(row: ReplayedRow): readonly string[] {
  const { leaf, at, name, connection, recorded, decided, sql, causes } = row;
  const head = `leaf ${leaf}  ${shortTime(at)}  ${name} on ${connection}: ${recorded}, now ${decided}`;
  const bytes = new TextEncoder().encode(sql ?? '');
  const shown = causes.slice(0, CAUSES_SHOWN_MAX).flatMap((cause) => {
    const { rule, version, what, from, to } = cause;
    const why = `  by ${rule} (version ${version}): ${what}`;
    return [safeText(why), ...underlined(bytes, from, to).map((line) => `    ${line}`)];
  });
  // Without a place in it, the text is not there yet.
  const text =
    causes.some(({ to }) => to > 0) || sql === undefined ? [] : [`  ${oneLine(sql, SQL_CHARACTERS)}`];
  return [safeText(head), ...text, ...shown];
}

/** Sums of all pages; owned by one command. */
export class ReplaySummary {
  #policy = '';
  #statements = 0;
  #same = 0;
  readonly #changes = new Map<string, number>();
  readonly #undecidable = new Map<string, number>();

  add({ policy, statements, same, different, undecidable }: PolicyReplayAnswer): void {
    this.#policy = policy;
    this.#statements += statements;
    this.#same += same;
    for (const { recorded, decided } of different) count(this.#changes, `${recorded}, now ${decided}`, 1);
    for (const [why, number] of Object.entries(undecidable)) count(this.#undecidable, why, number);
  }

  get facts(): object {
    return {
      policy: this.#policy,
      statements: this.#statements,
      same: this.#same,
      changes: Object.fromEntries(this.#changes),
      undecidable: Object.fromEntries(this.#undecidable),
    };
  }

  get lines(): readonly string[] {
    const changes = [...this.#changes].map(([change, number]) => `  ${number} ${change}`);
    const undecidable = Object.entries(WHY).flatMap(([why, says]) => {
      const number = this.#undecidable.get(why) ?? 0;
      return number === 0 ? [] : [`  ${number} not decidable: they ${says}`];
    });
    const all = counted(this.#statements, 'operation', 'operations');
    return [`${all}, ${this.#same} as they were`, ...changes, ...undecidable].map((line) => safeText(line));
  }
}

function count(numbers: Map<string, number>, key: string, number: number): void {
  numbers.set(key, (numbers.get(key) ?? 0) + number);
}
