/**
 * Masks parts of a text, and leaves the rest of it as it came.
 *
 * Spec: spec/masking-operators.md, section 5. Where the result has no room in its type, each part becomes
 * stars, one for each character. Parts that overlap, or end inside a character, are not understood: the
 * whole value is redacted.
 */

import { fittingText } from './constants.ts';
import type { MaskingKeyRing } from './key-ring.ts';
import { redacted } from './mask-leaf.ts';
import { maskedText } from './mask-text.ts';
import type { BaseType, Masked, Operator, Wire } from './operator.ts';
import { checkEntity } from './parse-operator.ts';
import { charactersIn, readText, withoutPadding } from './text-encoding.ts';

/** A part of a value, in bytes from its start. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly entity: string;
  readonly operator: Operator;
}

/** The text with its parts masked; `type` is one whose values are text. */
export function maskSpans(
  type: BaseType,
  value: Uint8Array,
  spans: readonly Span[],
  wire: Wire,
  keys: MaskingKeyRing,
): Masked {
  for (const { entity } of spans) checkEntity(entity);
  const read = readText(value, wire.clientEncoding);
  const parts = read === undefined ? undefined : partsOf(value, read.text, spans, wire);
  if (read === undefined || parts === undefined) {
    return redacted(type, value, wire, spans[0]?.entity ?? 'UNKNOWN');
  }
  let reversible = spans.length > 0;
  const masked = parts.map(({ text, span }) => {
    if (span === undefined) return text;
    const result = maskedText({ ...span, keys: keys.current }, text, undefined);
    reversible &&= result?.reversible ?? false;
    return result?.text ?? (isGone(span.operator) ? '' : `[REDACTED:${span.entity}]`);
  });
  const whole = masked.join('');
  const fitting = fittingText(type, type.name === 'bpchar' ? withoutPadding(whole) : whole);
  const bytes = fitting === undefined ? undefined : read.encode(fitting);
  if (bytes !== undefined) return { value: bytes, reversible };
  const stars = parts.map(({ text, span }) => (span === undefined ? text : '*'.repeat(charactersIn(text))));
  const starred = read.encode(stars.join(''));
  return starred === undefined
    ? redacted(type, value, wire, spans[0]?.entity ?? 'UNKNOWN')
    : { value: starred, reversible: false };
}

/** A part of a text cannot be NULL: it is left out. */
function isGone({ kind }: Operator): boolean {
  return kind === 'nullify' || kind === 'drop';
}

interface Part {
  readonly text: string;
  readonly span: Span | undefined;
}

/** What is between the spans and in them, in their order; undefined where they do not fit the value. */
function partsOf(
  value: Uint8Array,
  text: string,
  spans: readonly Span[],
  wire: Wire,
): readonly Part[] | undefined {
  // Of ASCII, as most values are, a part of the bytes is that part of the text.
  const ascii = isAscii(value) ? text : undefined;
  const parts: Part[] = [];
  let at = 0;
  for (const span of spans.toSorted((a, b) => a.start - b.start)) {
    const between = textAt(value, ascii, at, span.start, wire);
    const within = textAt(value, ascii, span.start, span.end, wire);
    if (between === undefined || within === undefined) return undefined;
    parts.push({ text: between, span: undefined }, { text: within, span });
    at = span.end;
  }
  const rest = textAt(value, ascii, at, value.length, wire);
  return rest === undefined ? undefined : [...parts, { text: rest, span: undefined }];
}

/** @param ascii all of the value, where each byte of it is a character */
function textAt(
  value: Uint8Array,
  ascii: string | undefined,
  start: number,
  end: number,
  wire: Wire,
): string | undefined {
  if (!(start >= 0 && start <= end && end <= value.length)) return undefined;
  if (ascii !== undefined) return ascii.slice(start, end);
  return readText(value.subarray(start, end), wire.clientEncoding)?.text;
}

function isAscii(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += 1) {
    if ((bytes[at] ?? 0) > 0x7f) return false;
  }
  return true;
}
