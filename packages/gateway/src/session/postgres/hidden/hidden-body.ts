/**
 * The body of a leaf with its literals hidden, and what they were.
 *
 * Spec: spec/masking.md, section 16; spec/ledger.md §3 "Binary and text" for the forms of values.
 */

import type { BodyValue } from '../../../core/ledger-port.ts';
import { hidesValue, HIDDEN_VALUE } from '../../../literals/hides-value.ts';
import type { HiddenTexts } from '../../../literals/hidden-texts.ts';
import type { Hiding } from '../../../literals/hide-text.ts';

export type Body = Readonly<Record<string, BodyValue>>;

export interface HiddenBody {
  readonly body: Body;
  /** The fields as they were; absent where nothing is hidden. */
  readonly clear?: Body;
  /** The text as it is shown now. */
  readonly text?: Uint8Array | undefined;
}

const HIDDEN: BodyValue = { text: HIDDEN_VALUE };
/** Of a text that is only named, nobody sees more. */
const NAMED_ONLY = Buffer.from(HIDDEN_VALUE);

export function hideBody(body: Body, hiding: Hiding, texts: HiddenTexts): HiddenBody {
  const { sql: given, parameters: values } = body;
  // What the target could not read may be anything; and so may what is bound to a text that does not stand here.
  const isNamed = given !== undefined && typeof given !== 'string' && fieldOf(given, 'base64') === undefined;
  const how: Hiding = body['malformed'] === undefined && !isNamed ? hiding : 'all';
  const sql = given === undefined ? undefined : hideSql(given, how, texts);
  const context = sql?.context ?? 0;
  const types = body['parameter_types'];
  const typeOf = (index: number): number => numberAt(types, index);
  const parameters = Array.isArray(values)
    ? values.map((value: BodyValue, index) => hideValue(value, typeOf(index), how, context))
    : undefined;
  const isTextHidden = sql !== undefined && sql.value !== given;
  const areValuesHidden = parameters?.some((value, index) => value !== itemOf(values, index)) === true;
  if (!isTextHidden && !areValuesHidden) return { body, text: sql?.bytes };
  const { token_ranges: ranges, ...rest } = body;
  return {
    body: {
      ...rest,
      // Ranges are of the text as it was.
      ...(ranges === undefined || isTextHidden ? {} : { token_ranges: ranges }),
      ...(isTextHidden ? { sql: sql.value } : {}),
      ...(areValuesHidden ? { parameters } : {}),
    },
    clear: {
      ...(given === undefined ? {} : { sql: given }),
      ...(values === undefined ? {} : { parameters: values }),
      ...(ranges === undefined || !isTextHidden ? {} : { token_ranges: ranges }),
    },
    text: sql?.bytes,
  };
}

interface HiddenSql {
  readonly value: BodyValue;
  readonly bytes: Uint8Array | undefined;
  readonly context: number;
}

/** A text that is only named by its digest is nowhere in the body. */
function hideSql(sql: BodyValue, hiding: Hiding, texts: HiddenTexts): HiddenSql {
  if (typeof sql === 'string') {
    const { bytes, isChanged, context } = texts.of(Buffer.from(sql, 'utf8'), hiding);
    if (!isChanged) return { value: sql, bytes: undefined, context };
    return { value: Buffer.from(bytes).toString('utf8'), bytes, context };
  }
  const base64 = fieldOf(sql, 'base64');
  if (base64 === undefined) return { value: sql, bytes: NAMED_ONLY, context: 0 };
  // In an encoding that nobody has read.
  const { bytes, isChanged, context } = texts.of(Buffer.from(base64, 'base64'), 'all');
  if (!isChanged) return { value: sql, bytes: undefined, context };
  return { value: { base64: Buffer.from(bytes).toString('base64') }, bytes, context };
}

/** The value itself where it is not hidden. */
function hideValue(value: BodyValue, typeOid: number, hiding: Hiding, context: number): BodyValue {
  const text = fieldOf(value, 'text');
  const binary = fieldOf(value, 'binary');
  // Not UTF-8: nobody has read it.
  if (fieldOf(value, 'base64') !== undefined) return HIDDEN;
  if (text === undefined && binary === undefined) return value;
  const bytes = text === undefined ? Buffer.from(binary ?? '', 'base64') : Buffer.from(text, 'utf8');
  const literal = { bytes, isBinary: text === undefined, typeOid };
  return hidesValue(literal, hiding, context) ? HIDDEN : value;
}

function fieldOf(value: BodyValue, field: string): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const found: unknown = Object.hasOwn(value, field) ? Reflect.get(value, field) : undefined;
  return typeof found === 'string' ? found : undefined;
}

function itemOf(values: BodyValue | undefined, index: number): unknown {
  return Array.isArray(values) ? values[index] : undefined;
}

function numberAt(types: BodyValue | undefined, index: number): number {
  const oid = itemOf(types, index);
  return typeof oid === 'number' ? oid : 0;
}
