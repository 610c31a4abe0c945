import { describe, expect, it } from 'vitest';
import { terminalJson } from './output.ts';

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
