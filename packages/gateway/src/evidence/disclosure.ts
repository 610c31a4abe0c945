/** What a package shows of a leaf's body. Spec: spec/evidence.md, section 2. */

import { bodyValues, discloseOnly, formatBody, type OpenedBody } from '@countersign/ledger/body';
import { type Json, jcs, parseJson } from '@countersign/ledger/jcs';
import type { BodyState } from '@countersign/ledger/populations';
import type { StoredLeaf } from '../audit/log-reader.ts';
import { keyIdOf, unsealBody } from '../audit/sealed-body.ts';
import type { ScopeKeys } from '../core/ledger-port.ts';

export interface Disclosure {
  readonly state: BodyState;
  readonly values: Readonly<Record<string, Json>>;
  readonly body: OpenedBody | undefined;
}

const NONE: Disclosure = { state: 'none', values: {}, body: undefined };

/** Opens bodies, field by field as far as they are to be shown. */
export class Discloser {
  readonly #keys: ScopeKeys;
  readonly #withheldFields: ReadonlySet<string>;

  constructor(keys: ScopeKeys, withheldFields: ReadonlySet<string>) {
    this.#keys = keys;
    this.#withheldFields = withheldFields;
  }

  /** @param commitment the leaf's `body` */
  async disclose(stored: StoredLeaf, commitment: string | undefined): Promise<Disclosure> {
    if (commitment === undefined) return NONE;
    // A halting ledger may have had no room for the body of its last leaf.
    const key = stored.sealed.length === 0 ? undefined : await this.#keys.find(keyIdOf(stored.sealed));
    if (key === undefined) return { state: 'shredded', values: {}, body: undefined };
    const whole = unsealBody(stored.sealed, commitment, key);
    const shown = Object.keys(whole.fields).filter((name) => !this.#withheldFields.has(name));
    const body = discloseOnly(whole, new Set(shown));
    return { state: 'disclosed', values: bodyValues(body), body };
  }
}

/** A line of bodies.jsonl, without its line feed. */
export function bodyLine(n: number, { body }: Disclosure): string {
  return jcs(body === undefined ? { n, shredded: true } : { n, body: parseJson(formatBody(body)) });
}
