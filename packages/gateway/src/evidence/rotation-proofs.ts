/**
 * Proofs of the leaves that replaced the signing key: spec/evidence.md, section 2, `rotations.jsonl`.
 *
 * The nodes that the proofs need are known before the log is read, and kept as they come by.
 */

import { utf8Text } from '@countersign/ledger/bytes';
import { parseCheckpoint } from '@countersign/ledger/checkpoint';
import { type Json, jcs, parseJson } from '@countersign/ledger/jcs';
import { emptyRoot, inclusionProof, leafHash, verifyInclusion } from '@countersign/ledger/merkle';
import { formatTlogProof } from '@countersign/ledger/tlog-proof';
import { CountersignError } from '../core/errors.ts';
import type { Disclosure } from './disclosure.ts';
import type { Rotation } from './survey.ts';

/** One for each pass over the log. */
export class RotationProofs {
  readonly #rotations: ReadonlyMap<number, Rotation>;
  /** Needed nodes; undefined until they have come by. */
  readonly #nodes = new Map<string, Uint8Array | undefined>();
  readonly #leaves = new Map<number, { readonly leaf: Uint8Array; readonly disclosure: Disclosure }>();

  constructor(rotations: readonly Rotation[]) {
    this.#rotations = new Map(rotations.map((rotation) => [rotation.n, rotation]));
    for (const { n, checkpoint } of rotations) {
      inclusionProof(
        (level, index) => {
          this.#nodes.set(`${level}/${index}`, undefined);
          return emptyRoot();
        },
        n,
        checkpoint.size,
      );
    }
  }

  /** Leaves of the log that have to come by. */
  get upTo(): number {
    return Math.max(0, ...[...this.#rotations.values()].map(({ checkpoint }) => checkpoint.size));
  }

  isRotation(n: number): boolean {
    return this.#rotations.has(n);
  }

  node(level: number, index: number, hash: Uint8Array): void {
    const key = `${level}/${index}`;
    if (this.#nodes.has(key)) this.#nodes.set(key, hash);
  }

  leaf(n: number, leaf: Uint8Array, disclosure: Disclosure): void {
    this.#leaves.set(n, { leaf, disclosure });
  }

  /** The content of rotations.jsonl. */
  format(): string {
    return [...this.#rotations.values()].map((rotation) => `${jcs(this.#line(rotation))}\n`).join('');
  }

  #line({ n, checkpoint }: Rotation): Json {
    const stored = this.#leaves.get(n);
    if (stored === undefined) throw new CountersignError('INTERNAL');
    const { leaf, disclosure } = stored;
    const hashes = inclusionProof((level, index) => this.#node(level, index), n, checkpoint.size);
    verifyInclusion(leafHash(leaf), n, checkpoint.size, hashes, parseCheckpoint(checkpoint.note).root);
    const proof = formatTlogProof({ extra: undefined, index: n, hashes, checkpoint: checkpoint.note });
    const common = { n, leaf: utf8Text(leaf), proof };
    if (disclosure.body === undefined) return { ...common, shredded: true };
    return { ...common, body: parseJson(disclosure.body) };
  }

  #node(level: number, index: number): Uint8Array {
    const hash = this.#nodes.get(`${level}/${index}`);
    if (hash === undefined) throw new CountersignError('INTERNAL');
    return hash;
  }
}
