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

/** Names of statements, or names of portals; owned by one session. Each call takes the same time, however many there are. */
export class NameSlots<V> {
  readonly #settled = new Map<string, V>();
  readonly #pending = new Map<string, PendingChange<V>[]>();
  /** Names that stand for something, or may, when the last change on its way is run. */
  readonly #live = new Set<string>();
  /** Changes on their way, by segment. */
  readonly #pendingCounts = new Map<number, number>();

  /** What the name stands for when a message of the segment is run; `unsettled`: wait and ask again. */
  find(name: string, segment: number): V | undefined | 'unsettled' {
    const last = this.#pending.get(name)?.at(-1);
    if (last === undefined) return this.#settled.get(name);
    return last.segment === segment ? last.value : 'unsettled';
  }

  stage(change: PendingChange<V>): void {
    const { name, segment } = change;
    const changes = this.#pending.get(name);
    if (changes === undefined) this.#pending.set(name, [change]);
    else changes.push(change);
    this.#pendingCounts.set(segment, (this.#pendingCounts.get(segment) ?? 0) + 1);
    this.#look(name);
  }

  /** Takes a change off the way; gives back what it made unreachable. */
  settle(change: PendingChange<V>, to: 'done' | 'gone' | 'undone'): V | undefined {
    const { name, value } = change;
    this.#takeOff(change);
    const before = this.#settled.get(name);
    if (to === 'done' && value !== undefined) this.#settled.set(name, value);
    else if (to !== 'undone') this.#settled.delete(name);
    this.#look(name);
    return to === 'undone' ? value : before;
  }

  /** Names that may stand for something when all that is on its way was run; only where {@link hasUnsettled} is false. */
  names(): readonly string[] {
    return [...this.#live];
  }

  /** Whether any name was changed in a segment before this one, and is not settled. */
  hasUnsettled(segment: number): boolean {
    return this.#pendingCounts.size > (this.#pendingCounts.has(segment) ? 1 : 0);
  }

  /** Forgets what is settled; gives it back. */
  clear(): readonly V[] {
    if (this.#settled.size === 0) return [];
    const values = [...this.#settled.values()];
    const names = [...this.#settled.keys()];
    this.#settled.clear();
    for (const name of names) this.#look(name);
    return values;
  }

  #look(name: string): void {
    const last = this.#pending.get(name)?.at(-1);
    const stands = last === undefined ? this.#settled.has(name) : last.value !== undefined;
    if (stands) this.#live.add(name);
    else this.#live.delete(name);
  }

  #takeOff(change: PendingChange<V>): void {
    const changes = this.#pending.get(change.name);
    if (changes === undefined) return;
    // Answers come in order, so it is the first one, except for what was never forwarded.
    const index = changes.indexOf(change);
    if (index === -1) return;
    changes.splice(index, 1);
    if (changes.length === 0) this.#pending.delete(change.name);
    const left = (this.#pendingCounts.get(change.segment) ?? 1) - 1;
    if (left === 0) this.#pendingCounts.delete(change.segment);
    else this.#pendingCounts.set(change.segment, left);
  }
}
