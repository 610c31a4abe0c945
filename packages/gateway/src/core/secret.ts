/**
 * A secret that cannot be printed by accident.
 *
 * Whatever turns it into text (a template, JSON, util.inspect, a log line) sees «secret».
 */

const PRINTED = '«secret»';

/** Holds secret bytes or text; only {@link Secret.reveal} gives it out. */
export class Secret<T extends string | Uint8Array> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Call this only where it goes to a peer or into a cipher. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return PRINTED;
  }

  toJSON(): string {
    return PRINTED;
  }
}

// What node:util calls to print a value; a computed member would need its type inferred.
Object.defineProperty(Secret.prototype, Symbol.for('nodejs.util.inspect.custom'), { value: () => PRINTED });
