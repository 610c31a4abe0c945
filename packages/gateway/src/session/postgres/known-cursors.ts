/** What the cursors of one session select, by name, as far as texts show it. */

import type { StatementFacts } from '../../core/effects.ts';
import { LIMITS } from '../../core/limits.ts';
import { cursorOf } from '../../policy/returned.ts';

/** Owned by the inspection of one session. */
export class KnownCursorNames {
  /** Every DECLARE that was sent, failed ones too; none of a name whose cursor may select anything. */
  readonly #declared = new Map<string, ReadonlyMap<string, StatementFacts>>();
  #isFull = false;

  /** Something goes to the target. */
  forwarded(statement: StatementFacts): void {
    if (statement.node !== 'DeclareCursorStmt') return;
    const name = cursorOf(statement);
    if (name === undefined) return;
    const before = this.#declared.get(name);
    const key = whatItReads(statement);
    if (before?.size === 0 || before?.has(key) === true) return;
    const possible = new Map([...(before ?? []), [key, statement]]);
    this.#set(name, possible.size > LIMITS.policy.sameNameMax ? new Map() : possible);
  }

  /** From here on, nobody knows what is under the name. */
  lose(name: string): void {
    this.#set(name, new Map());
  }

  /** What its cursor may select; undefined: anything. */
  known(name: string): StatementFacts | undefined {
    if (this.#isFull) return undefined;
    const [first, ...more] = this.#declared.get(name)?.values() ?? [];
    return first === undefined ? undefined : more.reduce(together, first);
  }

  #set(name: string, possible: ReadonlyMap<string, StatementFacts>): void {
    this.#declared.set(name, possible);
    this.#isFull ||= this.#declared.size > LIMITS.policy.preparedNamesMax;
    if (this.#isFull) this.#declared.clear();
  }
}

/** The same for two texts that differ in their values only. */
function whatItReads({ effects, reads }: StatementFacts): string {
  return JSON.stringify([effects.map(({ effect }) => effect), reads]);
}

/** What either of two statements does. */
export function together(a: StatementFacts, b: StatementFacts): StatementFacts {
  return {
    ...a,
    effects: [...a.effects, ...b.effects],
    writes: [...a.writes, ...b.writes],
    reads: [...a.reads, ...b.reads],
    functions: [...a.functions, ...b.functions],
    undoable: a.undoable && b.undoable,
  };
}
