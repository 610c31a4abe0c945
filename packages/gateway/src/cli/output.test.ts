import { describe, expect, it } from 'vitest';
import { CountersignError } from '../core/errors.ts';
import { errorLine, terminalJson } from './output.ts';

const STEERS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

describe('JSON for a terminal', () => {
  it('has no character that steers it, and means the same', () => {
    const every = Array.from({ length: 0x3100 }, (_, code) => String.fromCharCode(code)).join('');
    const value = { [`${every}\u{e0001}\ufeff\ufff9`]: [every, '\u{1f600}', '\u009b2J\u202e'] };
    const text = terminalJson(JSON.stringify(value));
    expect(text).not.toMatch(STEERS);
    expect(JSON.parse(text)).toEqual(value);
    expect(text).toContain('\u{1f600}');
  });
});

describe('a line of the log', () => {
  const at = new Date('2026-11-28T12:00:00Z');
  const reason = 'password authentication failed for user "app"';

  it('says a reason once, also where it is the cause of the error', () => {
    const cause = new Error(reason);
    const error = new CountersignError('UPSTREAM_FAILED', { connection: 'db', reason }, { cause });
    expect(errorLine(error, 'ses_1', at)).toBe(
      `2026-11-28T12:00:00.000Z UPSTREAM_FAILED ses_1: The target of connection "db" cannot be reached (${reason}).`,
    );
  });

  it('says the cause where the sentence leaves it out, and is one line', () => {
    const error = new CountersignError('INTERNAL', {}, { cause: new Error('no\nroom\u001b[2J') });
    expect(errorLine(error, 'GET /healthz', at)).toMatch(/refused to go on\. \(no room\\x1b\[2J\)$/);
    expect(errorLine(new CountersignError('SHUTTING_DOWN'), 'x', at)).toMatch(/is shutting down\.$/);
  });
});
