/**
 * Bodies and what a leaf commits to: spec/ledger.md, section 3.
 *
 * ```
 * field digest = SHA-256("countersign/field/v1" ‖ 0x00 ‖ salt[32] ‖ JCS([name, value]))
 * body         = JCS({ name: hex(field digest), … })
 * commitment   = SHA-256("countersign/body/v1" ‖ 0x00 ‖ salt[32] ‖ body)
 * ```
 * Untrusted: every opened body that is parsed.
 */

import { concat, fromBase64, toBase64, toHex, utf8 } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { DEPTH_MAX, isObject, type Json, jcs, parseJson } from './jcs.ts';
import { sha256 } from './sha256.ts';

export const SALT_BYTES = 32;
const FIELD_PREFIX: Uint8Array = utf8('countersign/field/v1\0');
const BODY_PREFIX: Uint8Array = utf8('countersign/body/v1\0');
const HEX_64 = /^[0-9a-f]{64}$/;

/** A field that is shown, or of which only the digest is. */
export type OpenedField = { readonly salt: string; readonly value: Json } | { readonly digest: string };

/** A body as an export carries it. Salts are base64 of 32 bytes. */
export interface OpenedBody {
  readonly salt: string;
  readonly fields: Readonly<Record<string, OpenedField>>;
}

/** Digest of one field. */
export function fieldDigest(salt: Uint8Array, name: string, value: Json): Uint8Array {
  return sha256(concat(FIELD_PREFIX, salt, utf8(jcs([name, value]))));
}

/** The commitment over the digests of all fields, in hex by name. */
export function bodyCommitment(salt: Uint8Array, digests: Readonly<Record<string, string>>): Uint8Array {
  return sha256(concat(BODY_PREFIX, salt, utf8(jcs(digests))));
}

/**
 * Salts every field of a body.
 *
 * @param salts 32 random bytes for the body and 32 for each field, one after the other
 */
export function openBody(
  fields: Readonly<Record<string, Json>>,
  salts: Uint8Array,
): { readonly opened: OpenedBody; readonly commitment: Uint8Array } {
  const names = Object.keys(fields);
  if (salts.length !== SALT_BYTES * (names.length + 1)) throw new LedgerError('BODY_MALFORMED', 'salts');
  const bodySalt = salts.subarray(0, SALT_BYTES);
  const opened: Record<string, OpenedField> = {};
  const digests: Record<string, string> = {};
  names.forEach((name, i) => {
    const value = fields[name];
    if (value === undefined) throw new LedgerError('BODY_MALFORMED', `"${name}" without a value`);
    checkBodyValue(value, name);
    const salt = salts.subarray(SALT_BYTES * (i + 1), SALT_BYTES * (i + 2));
    define(opened, name, { salt: toBase64(salt), value });
    define(digests, name, toHex(fieldDigest(salt, name, value)));
  });
  return {
    opened: { salt: toBase64(bodySalt), fields: opened },
    commitment: bodyCommitment(bodySalt, digests),
  };
}

/** What an opened body commits to. */
export function commitmentOf(body: OpenedBody): Uint8Array {
  const digests: Record<string, string> = {};
  for (const [name, field] of Object.entries(body.fields)) {
    const digest =
      'digest' in field ? field.digest : toHex(fieldDigest(saltOf(field.salt), name, field.value));
    define(digests, name, digest);
  }
  return bodyCommitment(saltOf(body.salt), digests);
}

/** Throws BODY_MISMATCH unless the body is the one that the leaf's `body` commits to. */
export function verifyBody(body: OpenedBody, commitment: string): void {
  if (toHex(commitmentOf(body)) !== commitment) throw new LedgerError('BODY_MISMATCH', commitment);
}

/** Withholds every field but those that are named; the commitment stays the same. */
export function discloseOnly(body: OpenedBody, names: ReadonlySet<string>): OpenedBody {
  const fields: Record<string, OpenedField> = {};
  for (const [name, field] of Object.entries(body.fields)) {
    const withheld = 'digest' in field || names.has(name);
    define(
      fields,
      name,
      withheld ? field : { digest: toHex(fieldDigest(saltOf(field.salt), name, field.value)) },
    );
  }
  return { salt: body.salt, fields };
}

/** The disclosed values of a body. */
export function bodyValues(body: OpenedBody): Readonly<Record<string, Json>> {
  const values: Record<string, Json> = {};
  for (const [name, field] of Object.entries(body.fields))
    if ('value' in field) define(values, name, field.value);
  return values;
}

export function formatBody(body: OpenedBody): string {
  return jcs({
    salt: body.salt,
    fields: Object.fromEntries(Object.entries(body.fields).map(([k, f]) => [k, { ...f }])),
  });
}

/** An untrusted opened body. */
export function parseBody(text: string): OpenedBody {
  return toBody(parseJson(text));
}

/** An untrusted JSON value as an opened body. */
export function toBody(value: Json): OpenedBody {
  if (!isObject(value) || Object.keys(value).length !== 2)
    throw new LedgerError('BODY_MALFORMED', 'expected salt and fields');
  const { salt, fields } = value;
  if (typeof salt !== 'string' || !isObject(fields))
    throw new LedgerError('BODY_MALFORMED', 'expected salt and fields');
  saltOf(salt);
  const parsed: Record<string, OpenedField> = {};
  for (const [name, field] of Object.entries(fields)) define(parsed, name, toField(field, name));
  return { salt, fields: parsed };
}

function toField(field: Json, name: string): OpenedField {
  if (isObject(field)) {
    const { salt, value, digest } = field;
    const keys = Object.keys(field).length;
    if (keys === 1 && typeof digest === 'string' && HEX_64.test(digest)) return { digest };
    if (keys === 2 && typeof salt === 'string' && value !== undefined) {
      saltOf(salt);
      checkBodyValue(value, name);
      return { salt, value };
    }
  }
  throw new LedgerError('BODY_MALFORMED', `field "${name.slice(0, 40)}"`);
}

/** Integers only, no null: what every JSON reader reads alike. Hostile depth must not exhaust the stack. */
export function checkBodyValue(value: Json, name: string, depth = 0): void {
  if (depth > DEPTH_MAX) throw new LedgerError('BODY_MALFORMED', `"${name.slice(0, 40)}" is too deep`);
  if (value === null) throw new LedgerError('BODY_MALFORMED', `null in "${name}"`);
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new LedgerError('BODY_MALFORMED', `a number in "${name}" that is no safe integer`);
  }
  if (typeof value !== 'object') return;
  for (const member of Object.values(value)) checkBodyValue(member, name, depth + 1);
}

function saltOf(text: string): Uint8Array {
  const salt = fromBase64(text);
  if (salt.length !== SALT_BYTES) throw new LedgerError('BODY_MALFORMED', `a salt of ${salt.length} bytes`);
  return salt;
}

// A plain assignment to "__proto__" would set the prototype instead of a member.
function define<T>(target: Record<string, T>, name: string, value: T): void {
  if (name !== '__proto__') {
    target[name] = value;
    return;
  }
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}
