/**
 * "These are all events from a to b": spec/ledger.md, section 7.
 *
 * Folds the frontier of size a, takes every leaf of [a, b) in order, and must arrive at root b.
 * Untrusted: frontier and leaves.
 */

import { equalBytes } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { parseLeaf, type ParsedLeaf } from './leaf.ts';
import { Frontier, leafHash } from './merkle.ts';

/** What was found in the range beside the leaves themselves. */
export interface RangeFindings {
  readonly leaves: number;
  /** Leaves whose version or type this code does not know. */
  readonly notInterpreted: number;
  readonly unknownKeys: ReadonlySet<string>;
}

/** Checks one range, leaf by leaf; memory grows with the sessions that are met in it, and no more. */
export class RangeCheck {
  readonly #frontier: Frontier;
  readonly #origin: string;
  readonly #from: number;
  #lastTime = '';
  /** Next `seq` of each session that was met. */
  readonly #sequences = new Map<string, number>();
  #notInterpreted = 0;
  readonly #unknownKeys = new Set<string>();

  /**
   * @param frontier the tree of size a
   * @param origin what `log` must say
   */
  constructor(frontier: Frontier, origin: string) {
    this.#frontier = frontier;
    this.#origin = origin;
    this.#from = frontier.size;
  }

  /** Takes the next entry. */
  push(entry: Uint8Array): ParsedLeaf {
    const position = this.#frontier.size;
    const parsed = parseLeaf(entry);
    const { n, t } = parsed.kind === 'leaf' ? parsed.leaf : parsed;
    if (n !== position) throw new LedgerError('COMPLETENESS', `leaf ${n} at position ${position}`);
    if (t < this.#lastTime) throw new LedgerError('COMPLETENESS', `time goes back at leaf ${n}`);
    this.#lastTime = t;
    if (parsed.kind === 'leaf') this.#checkLeaf(parsed);
    else this.#notInterpreted += 1;
    this.#frontier.push(leafHash(entry));
    return parsed;
  }

  /** Throws unless the range ends exactly at this tree. */
  finish(size: number, root: Uint8Array): RangeFindings {
    if (this.#frontier.size !== size) {
      throw new LedgerError(
        'COMPLETENESS',
        `expected leaves up to ${size}, got up to ${this.#frontier.size}`,
      );
    }
    if (!equalBytes(this.#frontier.root(), root)) throw new LedgerError('ROOT_MISMATCH', `size ${size}`);
    return {
      leaves: size - this.#from,
      notInterpreted: this.#notInterpreted,
      unknownKeys: this.#unknownKeys,
    };
  }

  #checkLeaf(parsed: Extract<ParsedLeaf, { readonly kind: 'leaf' }>): void {
    const { leaf, unknownKeys, knownType } = parsed;
    if (leaf.log !== this.#origin)
      throw new LedgerError('COMPLETENESS', `leaf ${leaf.n} is of the log ${leaf.log}`);
    if (!knownType) this.#notInterpreted += 1;
    for (const key of unknownKeys) this.#unknownKeys.add(key);
    const { session, seq } = leaf;
    if (session === undefined || seq === undefined) return;
    // A session that began before the range is met first at some later seq.
    const expected =
      this.#sequences.get(session) ?? (leaf.type === 'session.start' || this.#from === 0 ? 0 : seq);
    if (seq !== expected) {
      throw new LedgerError(
        'COMPLETENESS',
        `expected seq ${expected} in ${session}, got ${seq} at leaf ${leaf.n}`,
      );
    }
    this.#sequences.set(session, seq + 1);
  }
}
