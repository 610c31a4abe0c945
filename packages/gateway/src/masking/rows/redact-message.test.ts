import { describe, expect, it } from 'vitest';
import { Scanner } from '../detect/scanner.ts';
import { RING, TEXT_WIRE } from '../operators/testing-masks.ts';
import { conditionName } from './condition-names.ts';
import { MaskCounts } from './mask-counts.ts';
import { MaskMemory } from './mask-memory.ts';
import {
  type MessageField,
  MessageScanner,
  withheldMessage,
  withheldParameter,
  withheldPayload,
} from './redact-message.ts';
import { detect } from './testing-rows.ts';

const CANARY = 'ana@example.org';

function message(fields: Readonly<Record<string, string>>): readonly MessageField[] {
  return Object.entries(fields).map(([code, text]) => ({
    code,
    valueBytes: new Uint8Array(Buffer.from(text)),
  }));
}

function read(fields: readonly MessageField[]): Readonly<Record<string, string>> {
  return Object.fromEntries(fields.map(({ code, valueBytes }) => [code, Buffer.from(valueBytes).toString()]));
}

/** A message with data in every field that a function can choose. */
const RAISED = message({
  S: 'ERROR',
  V: 'ERROR',
  C: '23505',
  M: CANARY,
  D: CANARY,
  H: CANARY,
  W: CANARY,
  q: CANARY,
  p: '7',
  P: '12',
  s: CANARY,
  t: CANARY,
  c: CANARY,
  d: CANARY,
  n: CANARY,
  F: 'pl_exec.c',
  L: '3912',
  R: 'exec_stmt_raise',
  X: CANARY,
});

describe('a message that may have data of a masked column in it', () => {
  it('keeps severity, SQLSTATE, position and place in the source, and says what kind of error it is', () => {
    expect(read(withheldMessage(RAISED))).toEqual({
      S: 'ERROR',
      V: 'ERROR',
      C: '23505',
      M: "unique violation (the server's message is withheld, because a Mask applies)",
      P: '12',
      F: 'pl_exec.c',
      L: '3912',
      R: 'exec_stmt_raise',
    });
  });

  it('keeps names of objects where the server itself named them', () => {
    const own = message({
      S: 'ERROR',
      C: '23505',
      M: CANARY,
      D: CANARY,
      t: 'customers',
      n: 'customers_email_key',
      F: 'nbtinsert.c',
    });
    expect(read(withheldMessage(own))).toMatchObject({ t: 'customers', n: 'customers_email_key' });
    expect(JSON.stringify(read(withheldMessage(own)))).not.toContain(CANARY);
  });

  it('has no SQLSTATE that a function made up, and no field twice', () => {
    const made = [
      ...message({ C: 'AN4EX', M: 'x' }),
      ...message({ P: CANARY, F: 'a' }),
      ...message({ F: CANARY, C: '23505' }),
    ];
    expect(read(withheldMessage(made))).toEqual({
      C: 'P0001',
      M: "raise exception (the server's message is withheld, because a Mask applies)",
      F: 'a',
    });
    expect(read(withheldMessage(message({ M: CANARY })))).toEqual({
      M: "raise exception (the server's message is withheld, because a Mask applies)",
    });
  });
});

describe('a message of a session to which only Masks that detect apply', () => {
  const counts = new MaskCounts();
  const tools = { keys: RING, scanner: new Scanner(), memory: new MaskMemory(), counts };
  const scanner = new MessageScanner([detect()], TEXT_WIRE, tools);

  it('is looked through, and is the object that came where nothing is found', () => {
    const clean = message({ S: 'ERROR', C: '22P02', M: 'invalid input syntax for type integer: "x"' });
    expect(scanner.fields(clean)).toBe(clean);
    const found = scanner.fields(
      message({ C: '22P02', M: `invalid input syntax: "${CANARY}"`, D: CANARY, F: CANARY }),
    );
    expect(read(found)).toEqual({
      C: '22P02',
      M: 'invalid input syntax: "[REDACTED:EMAIL]"',
      D: '[REDACTED:EMAIL]',
      F: CANARY,
    });
    expect(counts.list()).toMatchObject([{ column: 'messages', entity: 'EMAIL', values: 2 }]);
  });

  it('has payloads and settings looked through', () => {
    const payload = new Uint8Array(Buffer.from('job 7'));
    expect(scanner.text(payload)).toBe(payload);
    expect(Buffer.from(scanner.text(new Uint8Array(Buffer.from(`new ${CANARY}`)))).toString()).toBe(
      'new [REDACTED:EMAIL]',
    );
  });
});

/** What a setting is reported as. */
function after(name: string, value: string, given = false): string {
  return Buffer.from(withheldParameter(name, new Uint8Array(Buffer.from(value)), given)).toString();
}

describe('notifications and settings', () => {
  it('have no payload, and no value that a statement may have set to data', () => {
    expect(withheldPayload()).toHaveLength(0);
    expect(after('application_name', CANARY)).toBe('[REDACTED]');
    expect(after('application_name', 'psql', true)).toBe('psql');
    expect(after('application_name', '')).toBe('');
    expect(after('search_path', CANARY)).toBe('[REDACTED]');
    expect(after('pgaudit.tag', CANARY)).toBe('[REDACTED]');
    expect(after('DateStyle', 'ISO, MDY')).toBe('ISO, MDY');
    expect(after('session_authorization', 'postgres')).toBe('postgres');
    for (const zone of ['Europe/Berlin', 'America/Argentina/Buenos_Aires', 'UTC', 'Japan', 'Etc/GMT+5']) {
      expect(after('TimeZone', zone)).toBe(zone);
    }
    for (const zone of [CANARY, 'anaexample5', '<ana>+5', 'Abc5'])
      expect(after('TimeZone', zone)).toBe('GMT');
  });
});

describe('names of conditions', () => {
  it('are those of PostgreSQL', () => {
    expect(conditionName('23505')).toBe('unique_violation');
    expect(conditionName('00000')).toBe('successful_completion');
    expect(conditionName('10608')).toBe('invalid_argument_for_xquery');
    expect(conditionName('XX002')).toBe('index_corrupted');
    expect(conditionName('235')).toBeUndefined();
    expect(conditionName('toString')).toBeUndefined();
  });
});
