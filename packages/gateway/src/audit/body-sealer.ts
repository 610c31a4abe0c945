/**
 * Bodies on their way into the journal: salted, digested, written and sealed in one pass.
 *
 * Spec: spec/ledger.md, section 3. What comes out is, byte for byte, what `openBody` and `formatBody`
 * of the ledger package give, sealed by {@link sealBody}; a test holds the two together. Every byte is
 * written once into a buffer that lives as long as the writer, because a statement waits for this.
 */

import { hash, type KeyObject } from 'node:crypto';
import { checkBodyValue, SALT_BYTES } from '@countersign/ledger/body';
import { LedgerError } from '@countersign/ledger/errors';
import { type Json, jcs } from '@countersign/ledger/jcs';
import { SEAL_NONCE_BYTES, sealBody } from './sealed-body.ts';

const FIELD_PREFIX = Buffer.from('countersign/field/v1\0', 'latin1');
const BODY_PREFIX = Buffer.from('countersign/body/v1\0', 'latin1');
const FIELD_TEXT_AT = FIELD_PREFIX.length + SALT_BYTES;
const BODY_TEXT_AT = BODY_PREFIX.length + SALT_BYTES;
/** UTF-8 takes at most this many bytes for a UTF-16 code unit. */
const UTF8_BYTES_MAX = 3;
const SCRATCH_BYTES_FIRST = 16_384;

export interface SealedBody {
  /** What the leaf commits to, hex. */
  readonly commitment: string;
  readonly sealed: Uint8Array;
}

/** Owned by one writer. */
export class BodySealer {
  readonly #randomBytes: (length: number) => Uint8Array;
  #field = scratch(FIELD_PREFIX, SCRATCH_BYTES_FIRST);
  #body = scratch(BODY_PREFIX, SCRATCH_BYTES_FIRST);

  /** @param randomBytes gives so many random bytes, which are the caller's */
  constructor(randomBytes: (length: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
  }

  /** Throws the ledger's BODY_MALFORMED or JCS_VALUE for what a body may not hold. */
  seal(fields: Readonly<Record<string, Json>>, keyId: string, key: KeyObject): SealedBody {
    // JCS sorts by UTF-16 code units, which is what comparing strings does.
    const names = Object.keys(fields).toSorted();
    const drawn = this.#randomBytes(SALT_BYTES * (names.length + 1) + SEAL_NONCE_BYTES);
    const random = Buffer.from(drawn.buffer, drawn.byteOffset, drawn.length);
    let opened = '{"fields":{';
    let digests = '{';
    let at = SALT_BYTES;
    for (const name of names) {
      const value = fields[name];
      if (value === undefined) throw new LedgerError('BODY_MALFORMED', `"${name}" without a value`);
      const text = valueText(value, name);
      const quoted = quote(name);
      const salt = random.toString('base64', at, at + SALT_BYTES);
      const separator = at === SALT_BYTES ? '' : ',';
      opened += `${separator}${quoted}:{"salt":"${salt}","value":${text}}`;
      digests += `${separator}${quoted}:"${this.#fieldDigest(random, at, `[${quoted},${text}]`)}"`;
      at += SALT_BYTES;
    }
    opened += `},"salt":"${random.toString('base64', 0, SALT_BYTES)}"}`;
    const commitment = this.#commitment(random, `${digests}}`);
    const nonce = random.subarray(at);
    return { commitment, sealed: sealBody(opened, Buffer.from(commitment, 'hex'), keyId, key, nonce) };
  }

  #fieldDigest(salts: Buffer, saltAt: number, text: string): string {
    const bytesMax = FIELD_TEXT_AT + text.length * UTF8_BYTES_MAX;
    if (bytesMax > this.#field.length) this.#field = scratch(FIELD_PREFIX, bytesMax);
    const field = this.#field;
    salts.copy(field, FIELD_PREFIX.length, saltAt, saltAt + SALT_BYTES);
    const end = FIELD_TEXT_AT + field.write(text, FIELD_TEXT_AT, 'utf8');
    return hash('sha256', field.subarray(0, end), 'hex');
  }

  #commitment(salts: Buffer, digests: string): string {
    const bytesMax = BODY_TEXT_AT + digests.length * UTF8_BYTES_MAX;
    if (bytesMax > this.#body.length) this.#body = scratch(BODY_PREFIX, bytesMax);
    const body = this.#body;
    salts.copy(body, BODY_PREFIX.length, 0, SALT_BYTES);
    const end = BODY_TEXT_AT + body.write(digests, BODY_TEXT_AT, 'utf8');
    return hash('sha256', body.subarray(0, end), 'hex');
  }
}

function scratch(prefix: Uint8Array, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.set(prefix);
  return buffer;
}

/** The JCS text of a value; what most values are has a short way. */
function valueText(value: Json, name: string): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return `${value}`;
  return platformText(value) ?? checkedText(value, name);
}

function checkedText(value: Json, name: string): string {
  checkBodyValue(value, name);
  return jcs(value);
}

/**
 * What the platform writes, where that is the canonical text of a value that a body may hold: the keys of each object
 * stand in order, numbers are integers, texts are well-formed. Undefined where it is not, or nobody has looked.
 */
function platformText(value: Json): string | undefined {
  if (!isWrittenAsItStands(value, 0)) return undefined;
  const text = JSON.stringify(value);
  // The platform writes a lone surrogate as its escape, and RFC 8785 refuses it.
  return text.includes('\\ud') ? undefined : text;
}

/** Deeper ones go the long way, which knows what is too deep. */
const LOOKED_AT_DEPTH_MAX = 8;

function isWrittenAsItStands(value: Json, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (typeof value !== 'object' || value === null || depth > LOOKED_AT_DEPTH_MAX) return false;
  if (isArray(value)) {
    for (const member of value) if (!isWrittenAsItStands(member, depth + 1)) return false;
    return true;
  }
  let before: string | undefined;
  for (const key in value) {
    if (!Object.hasOwn(value, key) || (before !== undefined && before >= key)) return false;
    before = key;
    const member = value[key];
    if (member === undefined || !isWrittenAsItStands(member, depth + 1)) return false;
  }
  return true;
}

function isArray(value: object): value is readonly Json[] {
  return Array.isArray(value);
}

/** RFC 8785, section 3.2.2.2: a string is written as ECMAScript writes it; lone surrogates are refused. */
function quote(text: string): string {
  if (!text.isWellFormed()) throw new LedgerError('JCS_VALUE', 'expected no lone surrogate');
  return JSON.stringify(text);
}
