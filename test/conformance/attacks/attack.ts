/**
 * What somebody may do to a good package, and the check that must find it. One table for the command,
 * the verifier in process, and the page in a browser.
 *
 * `sealed` says how far the attacker goes: `not` leaves the manifests as they were; `own` is whoever
 * has the exporter's code and not the log's key: every hash upward is computed again and signed with a
 * key of their own; `stolen` signs with the log's real key, so that nothing but the content can tell.
 */

import type { CheckName } from '../../../packages/verify/src/report.ts';
import { type Change, type Files, OWN_SEED, pack, REAL_SEEDS, seal } from '../evidence-files.ts';

export type Sealed = 'not' | 'own' | 'stolen';

/** The check that must find it, and what it must say. */
export type Found = readonly (readonly [check: CheckName, says: RegExp])[];

/** One row: how the zip comes to be, and what finds it. */
export interface Attack {
  readonly title: string;
  readonly make: (good: Good) => Uint8Array<ArrayBuffer>;
  readonly found: Found;
}

export interface Good {
  readonly bag: string;
  readonly files: Files;
}

/** An attack on the content of files. */
export interface ContentAttack {
  readonly title: string;
  readonly sealed: Sealed;
  readonly change: Change;
  /** What is changed after it was sealed. */
  readonly after?: Change;
  readonly found: Found;
  /** It is found before any signature is looked at, whoever sealed it. */
  readonly early?: boolean;
}

/** The same as a row of the table. */
export function onContent({ title, sealed, change, after, found }: ContentAttack): Attack {
  return {
    title: `${title} (${SEALED[sealed]})`,
    found,
    make: ({ bag, files: good }) => {
      const files = new Map(good);
      change(files);
      if (sealed !== 'not') seal(files, sealed === 'own' ? OWN_SEED : REAL_SEEDS.second);
      after?.(files);
      return pack(bag, files);
    },
  };
}

/** The same attack as somebody without the log's key makes it: the signature tells, whatever else does. */
export function byStranger({ title, change, early = false, found }: ContentAttack): Attack {
  const bySignature = [['signature', /without a valid signature of a known key/]] as const;
  return onContent({ title, sealed: 'own', change, found: early ? found : bySignature });
}

const SEALED = {
  not: 'manifests left alone',
  own: 'sealed by a stranger',
  stolen: 'sealed with the log’s key',
} as const;
