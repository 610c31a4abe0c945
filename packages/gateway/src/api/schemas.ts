/** Pieces of the API's schemas that several routes share. */

import {
  type TArray,
  type TInteger,
  type TObject,
  type TOptional,
  type TSchema,
  type TString,
  Type,
} from 'typebox';
import { LIMITS } from '../core/limits.ts';
import { SECOND_FACTOR_LIMITS } from '../core/second-factor-limits.ts';

/** A JSON object that holds these keys and no others. */
export const STRICT: { readonly additionalProperties: false } = { additionalProperties: false };

/** A text of one line and bounded length. */
export function text(maxLength: number, description: string): TString {
  return Type.String({ minLength: 1, maxLength, description });
}

/** The code of a second factor. */
export const OTP: TString = Type.String({
  pattern: `^[0-9]{${SECOND_FACTOR_LIMITS.codeDigits}}$`,
  description: 'Code of the second factor; it is used up',
});

/** A name of a resource or of a principal. */
export function name(description: string): TString {
  return Type.String({ pattern: '^[a-z0-9][a-z0-9_.@-]{0,62}$', description });
}

/** An id with this prefix. */
export function id(prefix: string): TString {
  return Type.String({ pattern: `^${prefix}_[0-9a-hjkmnp-tv-z]{26}$` });
}

/** Why somebody asks for something that leaves a leaf. */
export function reason(): TString {
  return text(LIMITS.api.reasonCharactersMax, 'Why; it stands in the leaf');
}

/** A moment: `2026-11-24T14:00:00Z`, with up to six digits of fraction, or `2026-11-24` for its beginning. */
export function moment(description: string): TString {
  return Type.String({
    pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?Z)?$',
    description: `${description}: 2026-11-24T14:00:00Z or 2026-11-24, UTC`,
  });
}

/** A count in a query string. */
export function decimal(description: string): TString {
  return Type.String({ pattern: '^(0|[1-9][0-9]{0,14})$', description });
}

/** An answer's object of texts: names with `?` may be absent. */
export function texts(names: string): Readonly<Record<string, TString | TOptional<TString>>> {
  return Object.fromEntries(
    names
      .split(' ')
      .map((key) =>
        key.endsWith('?') ? [key.slice(0, -1), Type.Optional(Type.String())] : [key, Type.String()],
      ),
  );
}

/** An answer's integers: names with `?` may be absent. */
export function counts(names: string): Readonly<Record<string, TInteger | TOptional<TInteger>>> {
  return Object.fromEntries(
    names
      .split(' ')
      .map((key) =>
        key.endsWith('?') ? [key.slice(0, -1), Type.Optional(Type.Integer())] : [key, Type.Integer()],
      ),
  );
}

/** An object of an answer. */
export function object(properties: Readonly<Record<string, TSchema>>): TObject {
  return Type.Object({ ...properties });
}

/** A list of an answer. */
export function list(item: TSchema): TArray {
  return Type.Array(item);
}

/** Any JSON, as it is. */
export function anything(): TSchema {
  return Type.Unknown();
}
