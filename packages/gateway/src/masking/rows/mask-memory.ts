/**
 * Masks of values that were masked before, for operators that cost more than remembering does: columns
 * repeat themselves, and the mask of a value is the same each time.
 *
 * One for each session. What is remembered for one operator, entity, type, format or key is never found for
 * another.
 */

import { ROW_MASK_LIMITS } from '../../core/masking-limits.ts';
import type { MaskRequest, Operator } from '../operators/operator.ts';

/** 16 to 100 µs a value, where a look into a table takes less than one. */
const EXPENSIVE: ReadonlySet<Operator['kind']> = new Set(['hash', 'token', 'fpe', 'fake']);

export class MaskMemory {
  /** Oldest first. */
  readonly #masks = new Map<string, Uint8Array | null>();
  readonly #scopes = new Map<string, number>();

  /** Where masks of such requests are remembered; undefined where it would not pay. */
  scope({ operator, entity, type, wire, keys }: MaskRequest): number | undefined {
    if (!EXPENSIVE.has(operator.kind)) return undefined;
    const name = JSON.stringify([operator, entity, type, wire, keys.current.id]);
    const known = this.#scopes.get(name);
    if (known !== undefined) return known;
    // Numbers are not given twice: those of columns that are still read stay theirs.
    if (this.#scopes.size === ROW_MASK_LIMITS.memoryScopesMax) return undefined;
    this.#scopes.set(name, this.#scopes.size);
    return this.#scopes.size - 1;
  }

  /** The mask of a value, made where it is not remembered. */
  maskOf(scope: number, value: Uint8Array, make: () => Uint8Array | null): Uint8Array | null {
    if (value.length > ROW_MASK_LIMITS.memoryValueBytesMax) return make();
    const key = `${scope}:${latin1(value)}`;
    const known = this.#masks.get(key);
    if (known !== undefined) {
      this.#masks.delete(key);
      this.#masks.set(key, known);
      return known;
    }
    const made = make();
    if (this.#masks.size >= ROW_MASK_LIMITS.memoryValuesMax) {
      for (const oldest of this.#masks.keys()) {
        this.#masks.delete(oldest);
        break;
      }
    }
    this.#masks.set(key, made);
    return made;
  }

  get size(): number {
    return this.#masks.size;
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
