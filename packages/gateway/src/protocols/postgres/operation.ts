/**
 * PostgreSQL messages that run something, as Operations on the wire: text, values, formats, limit.
 *
 * Spec: PostgreSQL 18, "Message Flow" (https://www.postgresql.org/docs/18/protocol-flow.html)
 * Grammar: Query runs its text; Execute runs the statement that its portal was bound to; FunctionCall
 * runs a function by its OID. What a name stands for is prepared-statements.ts's to know.
 * Refused: nothing. A portal that nobody knows is an Operation without a statement; policy decides.
 * Untrusted: texts and values. What they do is for sql/ to say.
 */

import { formatAt } from './decode.ts';
import type { FormatCode, FrontendMessage } from './messages.ts';

/** A statement that a Parse has defined. */
export interface PreparedStatement {
  readonly name: string;
  /** In the client's encoding. */
  readonly textBytes: Uint8Array;
  /** As the Parse gave them; 0, or fewer than parameters, leaves the type to the server. */
  readonly parameterTypeOids: readonly number[];
}

export interface BoundValue {
  readonly format: 'text' | 'binary';
  /** Null is SQL's NULL. */
  readonly bytes: Uint8Array | null;
}

/** A portal that a Bind has made. */
export interface BoundPortal {
  readonly name: string;
  /** Undefined where no Parse that the gateway saw has defined it: made by PREPARE, or not at all. */
  readonly statement: PreparedStatement | undefined;
  readonly values: readonly BoundValue[];
  readonly resultFormats: readonly FormatCode[];
}

/** One thing that the server is asked to do. */
export type WireOperation =
  | { readonly kind: 'Query'; readonly textBytes: Uint8Array }
  | {
      readonly kind: 'Execute';
      readonly portalName: string;
      /** Undefined where no Bind that the gateway saw has made it: a cursor of DECLARE, or nothing. */
      readonly portal: BoundPortal | undefined;
      /** Undefined is no limit. */
      readonly rowsMax: number | undefined;
    }
  | {
      readonly kind: 'FunctionCall';
      readonly functionOid: number;
      readonly values: readonly BoundValue[];
      readonly resultFormat: FormatCode;
    };

/** The Operation of a FunctionCall. */
export function functionCallOperation(
  message: Extract<FrontendMessage, { kind: 'FunctionCall' }>,
): WireOperation {
  const { functionOid, resultFormat } = message;
  return { kind: 'FunctionCall', functionOid, values: boundValues(message), resultFormat };
}

/** Each value with the format that holds for it. */
export function boundValues(message: {
  readonly values: readonly (Uint8Array | null)[];
  readonly valueFormats: readonly FormatCode[];
}): readonly BoundValue[] {
  return message.values.map((bytes, index) => ({
    format: formatAt(message.valueFormats, index) === 1 ? 'binary' : 'text',
    bytes,
  }));
}

/**
 * The number of rows in the tag of a CommandComplete, where it has one.
 *
 * @example
 * commandRows('INSERT 0 5'); // 5
 * commandRows('CREATE TABLE'); // undefined
 */
export function commandRows(tag: string): number | undefined {
  // INSERT has an OID before the count, which is 0 since PostgreSQL 12.
  const rows = /^(?:INSERT \d+|[A-Z][A-Z ]*) (\d+)$/.exec(tag)?.[1];
  const count = Number(rows);
  return Number.isSafeInteger(count) ? count : undefined;
}
