/**
 * A result that a client is about to get → its rows, masked.
 *
 * Spec: spec/masking.md, "By origin". Where nobody can tell where the columns come from, every one is NULL.
 */

import type { OutputColumn } from '../../../core/column-labels.ts';
import type { CompiledRules } from '../../../masking/detect/custom-rules.ts';
import { Scanner } from '../../../masking/detect/scanner.ts';
import type { MaskingKeyRing } from '../../../masking/operators/key-ring.ts';
import type { TypeDescription, Wire } from '../../../masking/operators/operator.ts';
import type { ColumnPlan } from '../../../masking/plan/column-plan.ts';
import { columnPlans } from '../../../masking/plan/column-plans.ts';
import type { MaskedLookup } from '../../../masking/plan/masked-lookup.ts';
import { MaskMemory } from '../../../masking/rows/mask-memory.ts';
import { RowMasker } from '../../../masking/rows/row-masker.ts';
import { decodeBackend } from '../../../protocols/postgres/decode.ts';
import { encodeBackend } from '../../../protocols/postgres/encode.ts';
import { HEADER_LENGTH } from '../../../protocols/postgres/frames.ts';
import { BACKEND, type CopyResponse } from '../../../protocols/postgres/messages.ts';
import { copyResult } from './copy-result.ts';
import type { MaskedNow } from './mask-judge.ts';
import type { OperationMasking } from './operation-masking.ts';
import type { LyingFrame, PassedBytes } from './passed-bytes.ts';
import { type Learned, originsOf, type ResultOf, statementOf } from './result-origins.ts';

/** The rows of one result. */
export interface MaskedResult {
  /** Nothing of it is changed. */
  readonly isShown: boolean;
  /** The server should have said where its columns come from, and did not. */
  readonly isTreeless: boolean;
  /** Puts a frame of it down as it is for the client. */
  row(frame: LyingFrame, to: PassedBytes): void;
  /** Puts down what was waited with. */
  end(to: PassedBytes): void;
}

export interface MaskedResultsPorts {
  /** What masks now. */
  readonly now: () => MaskedNow;
  readonly keys: MaskingKeyRing;
  readonly settings: () => Omit<Wire, 'format'>;
  readonly describe: (oid: number, typmod: number) => TypeDescription;
  /** How many types of users are known: more of them make other plans. */
  readonly typesKnown: () => number;
}

const SHOWN: MaskedResult = {
  isShown: true,
  isTreeless: false,
  row: (frame, to) => to.frame(frame),
  end: () => undefined,
};

/** Owned by one session. */
export class MaskedResults {
  readonly #ports: MaskedResultsPorts;
  readonly #learned: Learned;
  /** By what Detectors it looks for, which a change of resources may change. */
  #scanner: Scanner | undefined;
  #rules: CompiledRules | undefined;
  readonly #memory = new MaskMemory();
  readonly #known = new WeakMap<
    readonly OutputColumn[],
    { readonly now: MaskedNow; readonly types: number; readonly plans: readonly ColumnPlan[] }
  >();

  constructor(ports: MaskedResultsPorts, learned: Learned) {
    this.#ports = ports;
    this.#learned = learned;
  }

  /**
   * @param type of the message with which it begins: RowDescription, CopyOutResponse, or its first row
   * @param body of that message
   */
  begin(result: ResultOf, type: number, body: Uint8Array, masking: OperationMasking): MaskedResult {
    const now = this.#ports.now();
    // The Masks are gone: what comes now is nobody's secret.
    if (now.masks.isEmpty) return SHOWN;
    const origins = originsOf(result, this.#learned);
    if (origins === 'shown') return SHOWN;
    const shape = shapeOf(type, body, result);
    const outputs = origins?.length === shape.columns ? origins : this.#undescribed(now, shape);
    const plans = this.#plans(outputs, shape, now);
    if (plans.every(({ kind }) => kind === 'clear')) return SHOWN;
    if (outputs === undefined) masking.wholeColumns += shape.columns;
    const isTreeless =
      origins === undefined && result.trees.length === 0 && statementOf(result) !== undefined;
    const masker = new RowMasker({
      plans,
      resultFormats: shape.formats ?? [],
      settings: this.#ports.settings(),
      keys: this.#ports.keys,
      scanner: this.#scannerOf(now.masks),
      memory: this.#memory,
      counts: masking.counts,
    });
    if (shape.copy !== undefined) return this.#copy(result, shape.copy, masker, isTreeless);
    return {
      isShown: false,
      isTreeless,
      end: () => undefined,
      row(frame, to) {
        const length = masker.measure(frame.bytes, frame.start + HEADER_LENGTH, frame.end);
        if (length === undefined) return to.frame(frame);
        const at = to.message(BACKEND.DataRow, length);
        masker.write(to.written, at);
      },
    };
  }

  #copy(result: ResultOf, response: CopyResponse, masker: RowMasker, isTreeless: boolean): MaskedResult {
    const { clientEncoding } = this.#ports.settings();
    const stream = copyResult(statementOf(result), response, masker, clientEncoding);
    return {
      isShown: false,
      isTreeless,
      row(frame, to) {
        const before = frame.bytes.subarray(frame.start + HEADER_LENGTH, frame.end);
        const after = stream.push(before);
        if (after === before) to.frame(frame);
        else putCopied(after, to);
      },
      end: (to) => putCopied(stream.end(), to),
    };
  }

  #scannerOf({ rules }: MaskedNow['masks']): Scanner {
    if (this.#scanner === undefined || this.#rules !== rules) {
      this.#rules = rules;
      this.#scanner = new Scanner(rules === undefined ? {} : { rules });
    }
    return this.#scanner;
  }

  /** FunctionCallResponse: nobody knows what a function that is called by its OID gives. */
  functionResult(_frame: Uint8Array, masking: OperationMasking): Uint8Array {
    masking.wholeColumns += 1;
    return encodeBackend({ kind: 'FunctionCallResponse', value: null });
  }

  #plans(
    outputs: readonly OutputColumn[] | undefined,
    { columns, formats }: Shape,
    now: MaskedNow,
  ): readonly ColumnPlan[] {
    const { masks, masked } = now;
    if (outputs === undefined || formats === undefined) return nothingOf(columns);
    if (masked === undefined && masks.columns.length > 0) return nothingOf(columns);
    return this.#plansOf(outputs, now);
  }

  /** Of what is run again they are the same. */
  #plansOf(outputs: readonly OutputColumn[], now: MaskedNow): readonly ColumnPlan[] {
    const { describe, typesKnown } = this.#ports;
    const known = this.#known.get(outputs);
    if (known?.now === now && known.types === typesKnown()) return known.plans;
    const plans = columnPlans(outputs, now.masked ?? NOTHING_MASKED, now.masks, { describe });
    this.#known.set(outputs, { now, types: typesKnown(), plans });
    return plans;
  }

  /** Where only looks count, the server's description of a result is enough. */
  #undescribed({ masks }: MaskedNow, { described }: Shape): readonly OutputColumn[] | undefined {
    return masks.columns.length > 0 ? undefined : described;
  }
}

/** What the first message of a result says of it. */
interface Shape {
  readonly columns: number;
  /** Undefined where nobody knows. */
  readonly formats: readonly number[] | undefined;
  readonly described: readonly OutputColumn[] | undefined;
  /** Of a COPY: how it was answered. */
  readonly copy?: CopyResponse;
}

const NONE: ReadonlySet<never> = new Set();

const NOTHING_MASKED: MaskedLookup = {
  of: () => undefined,
  knows: () => true,
  ofRelation: () => [],
};

function shapeOf(type: number, body: Uint8Array, { runs }: ResultOf): Shape {
  const message = decodeBackend(type, body);
  switch (message.kind) {
    case 'RowDescription':
      return {
        columns: message.fields.length,
        formats: message.fields.map(({ format }) => format),
        described: message.fields.map(({ nameBytes, typeOid, typeModifier }) => ({
          labels: NONE,
          opaque: undefined,
          identity: undefined,
          name: Buffer.from(nameBytes).toString(),
          typeOid,
          typmod: typeModifier,
        })),
      };
    case 'DataRow':
      return {
        columns: message.values.length,
        formats: runs?.kind === 'Query' ? [] : runs?.portal?.resultFormats,
        described: undefined,
      };
    case 'CopyOutResponse':
      return {
        columns: message.columnFormats.length,
        formats: message.columnFormats,
        described: undefined,
        copy: message,
      };
    default:
      return { columns: 0, formats: undefined, described: undefined };
  }
}

function nothingOf(columns: number): readonly ColumnPlan[] {
  const plan: ColumnPlan = {
    kind: 'null',
    mask: undefined,
    version: undefined,
    masks: [],
    column: '',
    reason: 'nobody can tell where its values come from',
  };
  return Array.from({ length: columns }, () => plan);
}

function putCopied(bytes: Uint8Array, to: PassedBytes): void {
  if (bytes.length === 0) return;
  const at = to.message(BACKEND.CopyData, bytes.length);
  to.written.set(bytes, at);
}
