/**
 * What a name stands for on the server, while messages that change it are on their way.
 *
 * Spec: PostgreSQL 18, "Message Flow", "Extended Query" and "Pipelining"
 * (https://www.postgresql.org/docs/18/protocol-flow.html)
 * Grammar: a segment is what is between two Syncs. Within one, a message is run only if all before it
 * succeeded, so their changes count; across a Sync nothing is known until the server has answered.
 * Refused: nothing; an uncertain name is said to be unsettled.
 * Untrusted: names. Memory: the owner counts what is kept.
 */

/** One change on its way. */
export interface PendingChange<V> {
  readonly name: string;
  readonly segment: number;
  /** Undefined: the name stands for nothing after this. */
  readonly value: V | undefined;
}

/** Names of statements, or names of portals; owned by one session. */
export class NameSlots<V> {
  readonly #settled = new Map<string, V>();
  readonly #pending = new Map<string, PendingChange<V>[]>();

  /** What the name stands for when a message of the segment is run; `unsettled`: wait and ask again. */
  find(name: string, segment: number): V | undefined | 'unsettled' {
    const last = this.#pending.get(name)?.at(-1);
    if (last === undefined) return this.#settled.get(name);
    return last.segment === segment ? last.value : 'unsettled';
  }

  stage(change: PendingChange<V>): void {
    const changes = this.#pending.get(change.name);
    if (changes === undefined) this.#pending.set(change.name, [change]);
    else changes.push(change);
  }

  /** Takes a change off the way; gives back what it made unreachable. */
  settle(change: PendingChange<V>, to: 'done' | 'gone' | 'undone'): V | undefined {
    this.#takeOff(change);
    if (to === 'undone') return change.value;
    const before = this.#settled.get(change.name);
    if (to === 'done' && change.value !== undefined) this.#settled.set(change.name, change.value);
    else this.#settled.delete(change.name);
    return before;
  }

  /** Names that may stand for something when a message of the segment is run. */
  names(segment: number): readonly string[] {
    const names = new Set([...this.#settled.keys(), ...this.#pending.keys()]);
    return [...names].filter((name) => this.find(name, segment) !== undefined);
  }

  /** Whether any name was changed in a segment before this one, and is not settled. */
  hasUnsettled(segment: number): boolean {
    for (const [first] of this.#pending.values()) {
      if (first !== undefined && first.segment !== segment) return true;
    }
    return false;
  }

  /** Forgets what is settled; gives it back. */
  clear(): readonly V[] {
    const values = [...this.#settled.values()];
    this.#settled.clear();
    return values;
  }

  #takeOff(change: PendingChange<V>): void {
    const changes = this.#pending.get(change.name);
    if (changes === undefined) return;
    // Answers come in order, so it is the first one, except for what was never forwarded.
    const index = changes.indexOf(change);
    if (index !== -1) changes.splice(index, 1);
    if (changes.length === 0) this.#pending.delete(change.name);
  }
}
