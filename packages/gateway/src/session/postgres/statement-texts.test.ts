import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../core/limits.ts';
import type { BoundPortal, PreparedStatement } from '../../protocols/postgres/operation.ts';
import { InlineBudget } from './operation-body.ts';
import { StatementTexts } from './statement-texts.ts';

const LONG = LIMITS.ledger.restatedBytesMax + 1;

function statement(text: string, parameterTypeOids: readonly number[] = []): PreparedStatement {
  return { name: '', textBytes: Buffer.from(text), parameterTypeOids };
}

function portal(values: readonly (string | null)[]): BoundPortal {
  const bound = values.map(
    (value) => ({ format: 'text', bytes: value === null ? null : Buffer.from(value) }) as const,
  );
  return { name: '', statement: undefined, values: bound, resultFormats: [] };
}

function sha256(...pieces: readonly Uint8Array[]): string {
  return createHash('sha256').update(Buffer.concat(pieces)).digest('hex');
}

describe('the texts of prepared statements', () => {
  it('stand in each intent where they are short', () => {
    const texts = new StatementTexts();
    const short = statement('select $1', [23]);
    const expected = { sql: 'select $1', parameter_types: [23] };
    expect(texts.statement(short, new InlineBudget())).toEqual(expected);
    expect(texts.statement(short, new InlineBudget())).toEqual(expected);
  });

  it('are named by length and SHA-256 where an intent has them already', () => {
    const texts = new StatementTexts();
    const text = 'x'.repeat(LONG);
    const long = statement(text, [23]);
    const reference = { spooled: { bytes: LONG, sha256: sha256(Buffer.from(text)) } };
    expect(texts.statement(long, new InlineBudget())).toEqual({ sql: text, parameter_types: [23] });
    expect(texts.statement(long, new InlineBudget())).toEqual({ sql: reference });
    // The same text of another Parse is another statement.
    expect(texts.statement(statement(text), new InlineBudget())).toEqual({ sql: text });
  });

  it('have values that are named by their length and SHA-256, as Bind has them', () => {
    const texts = new StatementTexts();
    const value = 'y'.repeat(LONG);
    const long = portal([value, null]);
    const asBound = [Buffer.of(0, 0, 0x40, 0x01), Buffer.from(value), Buffer.of(255, 255, 255, 255)];
    const reference = { spooled: { bytes: LONG + 8, sha256: sha256(...asBound) } };
    expect(texts.parameters(long, new InlineBudget())).toEqual({
      parameters: [{ text: value }, { null: true }],
    });
    expect(texts.parameters(long, new InlineBudget())).toEqual({ parameters: [reference] });
    const short = portal(['a']);
    for (let again = 0; again < 2; again++) {
      expect(texts.parameters(short, new InlineBudget())).toEqual({ parameters: [{ text: 'a' }] });
    }
  });

  it('have short values that stand for themselves when there is no room for long ones', () => {
    const texts = new StatementTexts();
    const values = ['z'.repeat(LIMITS.ledger.inlineBytesMax), 'a'.repeat(64), 'b'.repeat(65)];
    expect(texts.parameters(portal(values), new InlineBudget())).toEqual({
      parameters: [
        { text: values[0] },
        { text: values[1] },
        { spooled: { bytes: 65, sha256: sha256(Buffer.from(values[2] ?? '')) } },
      ],
    });
  });

  it('are looked at once', () => {
    const texts = new StatementTexts();
    const one = statement('copy t from stdin');
    expect(texts.facts(one)).toEqual({ effects: { statements: false, portals: false }, copyIn: true });
    expect(texts.facts(one)).toBe(texts.facts(one));
  });
});
