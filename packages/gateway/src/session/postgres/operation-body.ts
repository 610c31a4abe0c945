/**
 * What an Operation puts into the bodies of its leaves.
 *
 * Spec: spec/events.md, `statement.intent` and `statement.outcome`; spec/ledger.md §3 "Binary and
 * text". A value that is too long to be held in a leaf's body is named by length and SHA-256; its
 * bytes are in the session's recording.
 */

import { hash } from 'node:crypto';
import type { BodyValue } from '../../core/ledger-port.ts';
import { LIMITS } from '../../core/limits.ts';
import type { BoundValue } from '../../protocols/postgres/operation.ts';

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Of what stands for a value, without what JSON needs around it. */
const REFERENCE_BYTES = 64;

/** A text of unknown encoding: a string where it is UTF-8, else base64, else (too long) its digest. */
export function textValue(bytes: Uint8Array, budget: InlineBudget): BodyValue {
  if (!budget.take(bytes.length)) return spooledValue(bytes);
  return decodeUtf8(bytes) ?? { base64: base64(bytes) };
}

/** The bound values of an Execute, in order. */
export function parameterValues(values: readonly BoundValue[], budget: InlineBudget): BodyValue[] {
  return values.map((value) => parameterValue(value, budget));
}

/** The field of a body that has them, where there are any. */
export function parametersOf(values: readonly BoundValue[]): Record<string, BodyValue> {
  return values.length === 0 ? {} : { parameters: parameterValues(values, new InlineBudget()) };
}

/** How many bytes of one Operation may stand in the body itself. */
export class InlineBudget {
  #left: number = LIMITS.ledger.inlineBytesMax;

  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
}

/** What stands for bytes that are too long: how many, and their SHA-256. */
export function spooledReference(bytes: number, sha256: string): BodyValue {
  return { spooled: { bytes, sha256 } };
}

/** The bytes as a string if they are UTF-8. */
function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    // Not UTF-8: the caller keeps the bytes.
    return undefined;
  }
}

function parameterValue(value: BoundValue, budget: InlineBudget): BodyValue {
  const { bytes } = value;
  if (bytes === null) return { null: true };
  // A reference has a hundred bytes: there may be 65,535 values, and what is shorter stands for itself.
  if (bytes.length > REFERENCE_BYTES && !budget.take(bytes.length)) return spooledValue(bytes);
  if (value.format === 'binary') return { binary: base64(bytes) };
  const text = decodeUtf8(bytes);
  return text === undefined ? { base64: base64(bytes) } : { text };
}

function spooledValue(bytes: Uint8Array): BodyValue {
  return spooledReference(bytes.length, hash('sha256', bytes, 'hex'));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
