/**
 * The texts and values of prepared statements, which an Execute of ten bytes can run again and again.
 *
 * What a text does to names is looked at once. A long text, or long values, stand in full in the first
 * intent that runs them; later ones of the session name them by length and SHA-256.
 */

import { createHash, hash } from 'node:crypto';
import type { BodyValue } from '../../core/ledger-port.ts';
import { LIMITS } from '../../core/limits.ts';
import type { BoundPortal, PreparedStatement } from '../../protocols/postgres/operation.ts';
import { type InlineBudget, parameterValues, spooledReference, textValue } from './operation-body.ts';
import { isCopyIn, type NameEffects, nameEffects } from './sql-names.ts';

type Body = Record<string, BodyValue>;

export interface TextFacts {
  readonly effects: NameEffects;
  readonly copyIn: boolean;
}

/** Of a value or a type, besides its bytes. */
const MEMBER_BYTES = 16;

/** Owned by one session. */
export class StatementTexts {
  readonly #facts = new WeakMap<PreparedStatement, TextFacts>();
  /** What an intent of this session has in full. */
  readonly #stated = new WeakSet<PreparedStatement | BoundPortal>();
  readonly #references = new WeakMap<PreparedStatement | BoundPortal, BodyValue>();

  facts(statement: PreparedStatement): TextFacts {
    const known = this.#facts.get(statement);
    if (known !== undefined) return known;
    const { textBytes } = statement;
    const facts = { effects: nameEffects(textBytes), copyIn: isCopyIn(textBytes) };
    this.#facts.set(statement, facts);
    return facts;
  }

  /** Text and types for an intent that is going to be written. */
  statement(statement: PreparedStatement, budget: InlineBudget): Body {
    const { textBytes, parameterTypeOids: types } = statement;
    const long = textBytes.length + types.length * MEMBER_BYTES > LIMITS.ledger.restatedBytesMax;
    if (long && this.#isStated(statement)) {
      return { sql: this.#reference(statement, () => [textBytes.length, hash('sha256', textBytes, 'hex')]) };
    }
    const sql = textValue(textBytes, budget);
    return types.length === 0 ? { sql } : { sql, parameter_types: [...types] };
  }

  /** Values for an intent that is going to be written. */
  parameters(portal: BoundPortal, budget: InlineBudget): Body {
    const { values } = portal;
    if (values.length === 0) return {};
    let bytes = 0;
    for (const value of values) bytes += MEMBER_BYTES + (value.bytes?.length ?? 0);
    if (bytes > LIMITS.ledger.restatedBytesMax && this.#isStated(portal)) {
      return { parameters: [this.#reference(portal, () => digestOfValues(portal))] };
    }
    return { parameters: parameterValues(values, budget) };
  }

  /** Whether it was stated before; from now on it is. */
  #isStated(what: PreparedStatement | BoundPortal): boolean {
    if (this.#stated.has(what)) return true;
    this.#stated.add(what);
    return false;
  }

  #reference(
    what: PreparedStatement | BoundPortal,
    digest: () => readonly [bytes: number, sha256: string],
  ): BodyValue {
    const known = this.#references.get(what);
    if (known !== undefined) return known;
    const reference = spooledReference(...digest());
    this.#references.set(what, reference);
    return reference;
  }
}

/** Over the values as Bind has them: each with its Int32 length, which is -1 for NULL. */
function digestOfValues({ values }: BoundPortal): readonly [bytes: number, sha256: string] {
  const sha256 = createHash('sha256');
  const length = Buffer.alloc(4);
  let bytes = 0;
  for (const value of values) {
    length.writeInt32BE(value.bytes?.length ?? -1);
    sha256.update(length);
    if (value.bytes !== null) sha256.update(value.bytes);
    bytes += length.length + (value.bytes?.length ?? 0);
  }
  return [bytes, sha256.digest('hex')];
}
