/**
 * The leaf: an entry of the log, as spec/ledger.md, section 2, says.
 *
 * One JSON object in the canonical form of RFC 8785; strings, booleans and integers only.
 * Refused where `v` is 1: a missing or malformed known key, bytes that differ from the canonical form.
 * Untrusted: every leaf that is parsed.
 */

import { utf8Text } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { EVENTS } from './events.ts';
import { isCanonical, isObject, type Json, jcs, parseJson } from './jcs.ts';

/** A leaf of version 1. */
export interface Leaf {
  readonly v: 1;
  readonly log: string;
  readonly n: number;
  readonly t: string;
  readonly boot: string;
  readonly type: string;
  readonly kind: string;
  readonly actor?: string;
  readonly session?: string;
  readonly seq?: number;
  readonly target?: string;
  readonly ref?: number;
  readonly status?: string;
  readonly decision?: string;
  readonly policy?: string;
  readonly body?: string;
}

/** What a verifier could make of an entry. */
export type ParsedLeaf =
  | {
      readonly kind: 'leaf';
      readonly leaf: Leaf;
      readonly unknownKeys: readonly string[];
      readonly knownType: boolean;
    }
  /** Of a version that this code does not know: position and tree are all that can be checked. */
  | { readonly kind: 'unknown-version'; readonly v: number; readonly n: number; readonly t: string };

const KINDS: ReadonlySet<string> = new Set(['user', 'ci', 'service', 'agent', 'system', 'auditor']);
const DECISIONS: ReadonlySet<string> = new Set(['allow', 'mask', 'hold', 'block']);
const HEX_32 = /^[0-9a-f]{32}$/;
const HEX_64 = /^[0-9a-f]{64}$/;
const ID = /^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$/;
const TIME =
  /^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z$/;
const KEY = /^[a-z][a-z0-9_]*$/;

/** Each known key: whether it must be there, and what its value must be. */
const FIELDS: Readonly<Record<string, { readonly must: boolean; readonly good: (value: Json) => boolean }>> =
  {
    v: { must: true, good: (value) => value === 1 },
    log: { must: true, good: isText },
    n: { must: true, good: isCount },
    t: { must: true, good: matches(TIME) },
    boot: { must: true, good: matches(ID) },
    type: { must: true, good: isText },
    kind: { must: true, good: (value) => typeof value === 'string' && KINDS.has(value) },
    actor: { must: false, good: matches(HEX_32) },
    session: { must: false, good: matches(ID) },
    seq: { must: false, good: isCount },
    target: { must: false, good: isText },
    ref: { must: false, good: isCount },
    status: { must: false, good: isText },
    decision: { must: false, good: (value) => typeof value === 'string' && DECISIONS.has(value) },
    policy: { must: false, good: matches(HEX_64) },
    body: { must: false, good: matches(HEX_64) },
  };

/** The entry's text. The caller gives values that {@link parseLeaf} accepts. */
export function formatLeaf(leaf: Leaf): string {
  return jcs({ ...leaf });
}

/** An untrusted entry; LEAF_NOT_CANONICAL or LEAF_FIELD where it is not what its version asks for. */
export function parseLeaf(entry: Uint8Array): ParsedLeaf {
  const text = utf8Text(entry);
  const value = parseJson(text);
  if (!isObject(value) || !isCanonical(text, value))
    throw new LedgerError('LEAF_NOT_CANONICAL', text.slice(0, 80));
  const { v, n, t } = value;
  if (typeof v !== 'number' || !isCount(v) || v === 0) throw bad('v');
  if (typeof n !== 'number' || !isCount(n)) throw bad('n');
  if (typeof t !== 'string' || !TIME.test(t)) throw bad('t');
  if (v !== 1) return { kind: 'unknown-version', v, n, t };
  return {
    kind: 'leaf',
    leaf: checkLeaf(value),
    unknownKeys: unknownKeys(value),
    knownType: isKnownType(value['type']),
  };
}

/** Whether an event type is in the catalogue. */
export function isKnownType(type: Json | undefined): boolean {
  return typeof type === 'string' && Object.hasOwn(EVENTS, type);
}

function checkLeaf(value: { readonly [key: string]: Json }): Leaf {
  for (const [key, { must, good }] of Object.entries(FIELDS)) {
    const given = Object.hasOwn(value, key) ? value[key] : undefined;
    if (given === undefined ? must : !good(given)) throw bad(key);
  }
  if ((value['actor'] === undefined) !== (value['kind'] === 'system')) throw bad('actor');
  if ((value['session'] === undefined) !== (value['seq'] === undefined)) throw bad('seq');
  checkStatus(value);
  const { n, ref } = value;
  if (typeof ref === 'number' && typeof n === 'number' && ref >= n) throw bad('ref');
  // Every key of Leaf was checked against FIELDS above.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This is the parse function.
  return value as unknown as Leaf;
}

function checkStatus(value: { readonly [key: string]: Json }): void {
  const { type, status } = value;
  if (typeof type !== 'string' || !isKnownType(type)) return;
  const allowed = EVENTS[type]?.status;
  if (
    allowed === undefined ? status !== undefined : typeof status !== 'string' || !allowed.includes(status)
  ) {
    throw bad('status');
  }
}

function unknownKeys(value: { readonly [key: string]: Json }): string[] {
  const unknown = Object.keys(value).filter((key) => !Object.hasOwn(FIELDS, key));
  for (const key of unknown) {
    const member = value[key];
    const scalar =
      typeof member === 'string' ||
      typeof member === 'boolean' ||
      (typeof member === 'number' && isCount(member));
    if (!KEY.test(key) || !scalar) throw bad(key);
  }
  return unknown;
}

function isCount(value: Json): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isText(value: Json): boolean {
  return typeof value === 'string' && value !== '';
}

function matches(pattern: RegExp): (value: Json) => boolean {
  return (value) => typeof value === 'string' && pattern.test(value);
}

function bad(key: string): LedgerError {
  return new LedgerError('LEAF_FIELD', `"${key.slice(0, 40)}"`);
}
