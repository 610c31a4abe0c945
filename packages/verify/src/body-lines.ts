/** Lines about bodies beside the leaves that they are of: a cursor that only goes on. Untrusted: the lines. */

import { utf8Text } from '@countersign/ledger/bytes';
import { member } from '@countersign/ledger/evidence';
import type { Json } from '@countersign/ledger/jcs';
import type { BodyState } from '@countersign/ledger/populations';
import { canonicalJson } from './package-files.ts';
import { PackageError } from './report.ts';

/** What a line says of the body; undefined where it is none. */
export function stateOf(line: Json): Exclude<BodyState, 'none'> | undefined {
  if (member(line, 'body') !== undefined) return 'disclosed';
  if (member(line, 'shredded') === true) return 'shredded';
  return member(line, 'withheld') === true ? 'withheld' : undefined;
}

/** The lines of bodies.jsonl, or of another file of its form. */
export class BodyLines {
  readonly #lines: AsyncGenerator<Uint8Array>;
  readonly #file: string;
  #next: { readonly n: number; readonly value: Json } | undefined;
  #ended = false;
  #lastN = -1;

  /** @param file as problems name it */
  constructor(lines: AsyncGenerator<Uint8Array>, file: string) {
    this.#lines = lines;
    this.#file = file;
  }

  /** The line of leaf `n`, which must be there. Lines before it belong to no leaf. */
  async take(n: number): Promise<Json> {
    let next = await this.#peek();
    while (next !== undefined && next.n < n) {
      this.#next = undefined;
      const stray = next.n;
      next = await this.#peek();
      if (next === undefined || next.n >= n)
        throw new PackageError(`${this.#file}: a line for leaf ${stray}, which has none`);
    }
    if (next?.n !== n) throw new PackageError(`${this.#file}: there is no line for leaf ${n}`);
    this.#next = undefined;
    return next.value;
  }

  async skip(n: number): Promise<void> {
    const next = await this.#peek();
    if (next?.n === n) this.#next = undefined;
  }

  async finish(): Promise<void> {
    const next = await this.#peek();
    if (next !== undefined)
      throw new PackageError(`${this.#file}: a line for leaf ${next.n}, which has none`);
  }

  async #peek(): Promise<{ readonly n: number; readonly value: Json } | undefined> {
    if (this.#next !== undefined || this.#ended) return this.#next;
    // Whatever is thrown below ends the file: an error must be reported once, not for each leaf.
    this.#ended = true;
    const { done, value: line } = await this.#lines.next();
    if (done === true) return undefined;
    const value = canonicalJson(utf8Text(line), `a line of ${this.#file}`);
    const n = member(value, 'n');
    if (typeof n !== 'number' || n <= this.#lastN)
      throw new PackageError(`${this.#file}: indexes do not rise`);
    this.#ended = false;
    this.#lastN = n;
    this.#next = { n, value };
    return this.#next;
  }
}
