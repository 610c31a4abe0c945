/** What stands behind names in one session, as far as texts show it: of cursors, and of what is lost. */

import type { StatementFacts } from '../../core/effects.ts';
import { LIMITS } from '../../core/limits.ts';
import { cursorOf } from '../../policy/returned.ts';
import { isAscii } from './sql-names.ts';

/** Owned by the inspection of one session. */
export class KnownCursorNames {
  /** Every DECLARE that was sent, failed ones too, by what they do. */
  readonly #declared = new Map<string, ReadonlyMap<string, StatementFacts>>();
  readonly #lost = new LostNames();

  /** Something goes to the target. */
  forwarded(statement: StatementFacts): void {
    if (statement.node !== 'DeclareCursorStmt') return;
    const name = cursorOf(statement);
    if (name === undefined) return;
    const before = this.#declared.get(name);
    const key = whatItReads(statement);
    if (this.#lost.has(name) || before?.has(key) === true) return;
    const possible = new Map([...(before ?? []), [key, statement]]);
    if (before === undefined && this.#declared.size >= LIMITS.policy.preparedNamesMax) this.#lost.loseAll();
    else if (possible.size > LIMITS.policy.sameNameMax) this.lose(name);
    else this.#declared.set(name, possible);
  }

  /** From here on, nobody knows what is under the name. */
  lose(name: string): void {
    this.#lost.lose(name);
    this.#declared.delete(name);
  }

  /** What its cursor may select; undefined: anything. */
  known(name: string): StatementFacts | undefined {
    if (this.#lost.has(name)) return undefined;
    const [first, ...more] = this.#declared.get(name)?.values() ?? [];
    return first === undefined ? undefined : more.reduce(together, first);
  }
}

/** Names of which nobody knows any more what they stand for. Owned by the inspection of one session. */
export class LostNames {
  readonly #names = new Set<string>();
  #all = false;

  /** One that is not ASCII may be any name: it means another under another client_encoding. */
  lose(name: string): void {
    if (!isAscii(name) || this.#names.size >= LIMITS.policy.preparedNamesMax) this.loseAll();
    else if (!this.#all) this.#names.add(name);
  }

  loseAll(): void {
    this.#all = true;
    this.#names.clear();
  }

  has(name: string): boolean {
    return this.#all || this.#names.has(name);
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
