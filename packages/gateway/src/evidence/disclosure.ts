/** What a package shows of a leaf's body. Spec: spec/evidence.md, section 2. */

import { createSecretKey, type KeyObject } from 'node:crypto';
import {
  bodyValues,
  discloseOnly,
  formatBody,
  type OpenedBody,
  parseBody,
  toBody,
} from '@countersign/ledger/body';
import { isCanonical, type Json, parseJson } from '@countersign/ledger/jcs';
import type { BodyState } from '@countersign/ledger/populations';
import type { StoredLeaf } from '../audit/log-reader.ts';
import { keyIdOf, unsealText } from '../audit/sealed-body.ts';
import { LIMITS } from '../core/limits.ts';

export interface Disclosure {
  readonly state: BodyState;
  readonly values: Readonly<Record<string, Json>>;
  /** The opened body, as far as it is shown: canonical JSON. */
  readonly body: string | undefined;
}

/** The key of a scope; undefined where it was destroyed. */
export type FindKey = (scope: string) => Promise<Uint8Array | undefined>;

const NONE: Disclosure = { state: 'none', values: {}, body: undefined };
const SHREDDED: Disclosure = { state: 'shredded', values: {}, body: undefined };

/** Opens bodies, field by field as far as they are to be shown. */
export class Discloser {
  readonly #findKey: FindKey;
  readonly #withheldFields: ReadonlySet<string>;
  /** Keys by scope, the newest last; null where there is none. */
  readonly #keys = new Map<string, KeyObject | null>();

  constructor(findKey: FindKey, withheldFields: ReadonlySet<string>) {
    this.#findKey = findKey;
    this.#withheldFields = withheldFields;
  }

  /**
   * At once where the key is known, which it is nearly always: most leaves follow one of their session.
   *
   * @param commitment the leaf's `body`
   */
  disclose(stored: StoredLeaf, commitment: string | undefined): Disclosure | Promise<Disclosure> {
    if (commitment === undefined) return NONE;
    // A halting ledger may have had no room for the body of its last leaf.
    if (stored.sealed.length === 0) return SHREDDED;
    const scope = keyIdOf(stored.sealed);
    const key = this.#keys.get(scope);
    if (key !== undefined) return this.#open(stored.sealed, commitment, key);
    const { sealed } = stored;
    return this.#fetch(scope).then((fetched) => this.#open(sealed, commitment, fetched));
  }

  async #fetch(scope: string): Promise<KeyObject | null> {
    const found = await this.#findKey(scope);
    const key = found === undefined ? null : createSecretKey(found);
    const [oldest] = this.#keys.keys();
    if (this.#keys.size >= LIMITS.evidence.scopeKeysMax && oldest !== undefined) this.#keys.delete(oldest);
    this.#keys.set(scope, key);
    return key;
  }

  #open(sealed: Uint8Array, commitment: string, key: KeyObject | null): Disclosure {
    if (key === null) return SHREDDED;
    const text = unsealText(sealed, commitment, key);
    const parsed = parseJson(text);
    const whole = toBody(parsed);
    if (this.#withheldFields.size === 0) {
      return {
        state: 'disclosed',
        values: bodyValues(whole),
        body: isCanonical(text, parsed) ? text : formatBody(whole),
      };
    }
    const body = this.#withhold(whole);
    return { state: 'disclosed', values: bodyValues(body), body: formatBody(body) };
  }

  #withhold(whole: OpenedBody): OpenedBody {
    const shown = Object.keys(whole.fields).filter((name) => !this.#withheldFields.has(name));
    return discloseOnly(whole, new Set(shown));
  }
}

/** Of a body that is not all needed: the fields that are named, and the digests of the others. */
export function discloseFields(disclosure: Disclosure, names: ReadonlySet<string>): Disclosure {
  if (disclosure.body === undefined) return disclosure;
  const body = discloseOnly(parseBody(disclosure.body), names);
  return { state: disclosure.state, values: bodyValues(body), body: formatBody(body) };
}

/** A line of bodies.jsonl, without its line feed. */
export function bodyLine(n: number, { body }: Disclosure): string {
  return body === undefined ? `{"n":${n},"shredded":true}` : `{"body":${body},"n":${n}}`;
}
