/**
 * What the names of statements and portals stand for, for replay: the newest Parse and Bind win.
 *
 * Bounded: where too much is remembered the oldest go, and an Execute of theirs is shown without text.
 */

import { LIMITS } from '../core/limits.ts';
import { formatAt } from '../protocols/postgres/decode.ts';
import type { FormatCode, FrontendMessage, RowField } from '../protocols/postgres/messages.ts';
import type { ReplayedValue } from './replayed-statement.ts';
import type { KeptText } from './statement-draft.ts';
import { valueText } from './value-text.ts';

export interface Statement {
  readonly sql: KeptText;
  readonly parameterTypeOids: readonly number[];
  /** From a Describe of it. */
  fields?: readonly RowField[];
}

export interface Portal {
  readonly statement: Statement | undefined;
  readonly parameters: readonly ReplayedValue[];
  readonly parametersCut: boolean;
  readonly resultFormats: readonly FormatCode[];
  fields?: readonly RowField[];
}

type Bind = Extract<FrontendMessage, { kind: 'Bind' }>;

/** Names of one session. */
export class ReplayNames {
  readonly #statements = new Remembered<Statement>();
  readonly #portals = new Remembered<Portal>();

  parse(name: string, text: string, cut: boolean, parameterTypeOids: readonly number[]): Statement {
    const statement = { sql: { text, cut }, parameterTypeOids };
    this.#statements.set(name, statement, text.length);
    return statement;
  }

  bind(message: Bind): Portal {
    const statement = this.#statements.get(message.statement);
    const parameters = message.values.map((value, i) =>
      valueText(value, formatAt(message.valueFormats, i), statement?.parameterTypeOids[i] ?? 0),
    );
    const { resultFormats } = message;
    const portal = { statement, parameters, parametersCut: false, resultFormats };
    const length = parameters.reduce((sum, value) => sum + (value?.length ?? 0), 0);
    this.#portals.set(message.portal, portal, length);
    return portal;
  }

  /** A Bind of which only the names were kept. */
  bindLarge(name: string, statement: string): Portal {
    const found = this.#statements.get(statement);
    const portal = { statement: found, parameters: [], parametersCut: true, resultFormats: [] };
    this.#portals.set(name, portal, 0);
    return portal;
  }

  statement(name: string): Statement | undefined {
    return this.#statements.get(name);
  }

  portal(name: string): Portal | undefined {
    return this.#portals.get(name);
  }
}

/** A map of bounded size; what was set least recently goes first. */
class Remembered<T> {
  readonly #entries = new Map<string, { readonly value: T; readonly length: number }>();
  #length = 0;

  get(name: string): T | undefined {
    return this.#entries.get(name)?.value;
  }

  set(name: string, value: T, length: number): void {
    this.#delete(name);
    this.#entries.set(name, { value, length });
    this.#length += length;
    for (const oldest of this.#entries.keys()) {
      const tooMany = this.#entries.size > LIMITS.postgres.preparedStatementsMax;
      if (oldest === name || (!tooMany && this.#length <= LIMITS.recording.replayBytesMax)) return;
      this.#delete(oldest);
    }
  }

  #delete(name: string): void {
    this.#length -= this.#entries.get(name)?.length ?? 0;
    this.#entries.delete(name);
  }
}
