/**
 * What a client copies in, in a session with Masks on columns: a COPY that has a masked value in it is made to fail.
 *
 * The target gets CopyFail in the place of what follows, undoes the COPY as any that its client gives up, and the client
 * gets our error in the place of the target's. A frame that the target has a part of comes to its end first.
 * Spec: spec/masking.md, section 14.3.
 */

import type { StatementFacts } from '../../../core/effects.ts';
import { CountersignError } from '../../../core/errors.ts';
import type { MaskingKeyRing } from '../../../masking/operators/key-ring.ts';
import type { Wire } from '../../../masking/operators/operator.ts';
import type { MaskRef } from '../../../masking/plan/mask.ts';
import { WrittenCopy } from '../../../masking/rows/written-copy.ts';
import { type CopyInFields, copyInFields } from '../../../protocols/postgres/copy-in.ts';
import { copyInFormat } from '../../../protocols/postgres/copy-options.ts';
import { type Refusal, refusalOf } from '../refusal.ts';
import { causeOf } from './mask-judge.ts';

/** CopyInResponse's format code. */
const BINARY = 1;

export interface CopiedInOptions {
  readonly keys: MaskingKeyRing;
  /** Which the error names. */
  readonly mask: MaskRef;
  readonly settings: Omit<Wire, 'format'>;
  /** Whose data it is; undefined where nobody has read it. */
  readonly statement: StatementFacts | undefined;
  /** The overall format of the server's CopyInResponse. */
  readonly formatCode: number;
}

/** One COPY; owned by its Operation. */
export class CopiedIn {
  readonly #mask: MaskRef;
  readonly #written: WrittenCopy;
  readonly #fields: CopyInFields | undefined;
  #refusal: Refusal | undefined;

  constructor({ keys, mask, settings, statement, formatCode }: CopiedInOptions) {
    this.#mask = mask;
    const isBinary = formatCode === BINARY;
    this.#written = new WrittenCopy(keys, { ...settings, format: isBinary ? 'binary' : 'text' });
    const format =
      statement?.copyIn === undefined ? undefined : copyInFormat(statement.copyIn, settings.clientEncoding);
    if (format === undefined || format.kind === 'refused' || (format.kind === 'binary') !== isBinary) {
      this.#refuse('nobody can tell how its COPY data is written');
      return;
    }
    this.#fields = copyInFields(format, this.#written);
  }

  /** What the client gets in the place of the target's error; undefined as long as nothing was found. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** Untrusted: the data of a CopyData, or a part of it. */
  push(data: Uint8Array): void {
    this.#read(() => this.#fields?.push(data));
    this.#written.keep();
  }

  /** CopyDone. */
  end(): void {
    this.#read(() => this.#fields?.end());
  }

  #read(take: () => void): void {
    if (this.#refusal !== undefined) return;
    try {
      take();
    } catch (error) {
      if (!(error instanceof CountersignError) || error.code !== 'PROTOCOL_VIOLATION') throw error;
      this.#refuse('its COPY data is not of the form that it says');
      return;
    }
    const { found } = this.#written;
    if (found === undefined) return;
    this.#refuse(
      `field ${found.field} of row ${found.row} of its COPY data is a masked value, which would be written back over what it stands for`,
    );
  }

  #refuse(what: string): void {
    const causes = [causeOf(this.#mask, what, undefined)];
    this.#refusal = refusalOf({ decision: { causes, syntaxError: undefined } }, new Uint8Array(0));
  }
}
