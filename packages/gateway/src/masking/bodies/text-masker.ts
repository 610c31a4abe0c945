/**
 * Text as it goes by: what looks like something that a Mask is for is masked in its place.
 *
 * Spec: spec/masking.md, sections 6 and 16. A private key is always replaced as a whole, whatever the operator:
 * it comes in pieces, and its mask must not depend on which.
 * Untrusted: every byte.
 */

import { StreamingScanner, type StreamSink } from '../detect/streaming-scanner.ts';
import { BODY_WIRE, type BodyLeaves, type BodyTools } from './body-leaves.ts';

/** Owns what is held of the text. */
export class TextMasker implements StreamSink {
  readonly #leaves: BodyLeaves;
  readonly #scanner: StreamingScanner | undefined;
  #parts: Uint8Array[] = [];
  #isInParts = false;

  constructor(leaves: BodyLeaves, tools: BodyTools) {
    this.#leaves = leaves;
    this.#scanner = leaves.looks ? new StreamingScanner(this, tools.scannerOptions) : undefined;
  }

  push(chunk: Uint8Array): readonly Uint8Array[] {
    if (this.#scanner === undefined) return [chunk];
    this.#scanner.push(chunk);
    return this.#taken();
  }

  finish(): readonly Uint8Array[] {
    this.#scanner?.finish();
    return this.#taken();
  }

  clear(bytes: Uint8Array): void {
    this.#parts.push(Uint8Array.prototype.slice.call(bytes));
  }

  found(entity: number, bytes: Uint8Array, isLast: boolean): void {
    const isFirst = !this.#isInParts;
    this.#isInParts = !isLast;
    const masked = this.#leaves.detection.streamed(entity, bytes, isFirst, isLast, BODY_WIRE);
    if (masked === undefined) this.clear(bytes);
    else if (masked.length > 0) this.#parts.push(masked);
  }

  #taken(): readonly Uint8Array[] {
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }
}
