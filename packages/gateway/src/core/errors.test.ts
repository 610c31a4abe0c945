import { describe, expect, it } from 'vitest';
import { ERRORS } from './error-rows.ts';
import { CountersignError, toCountersignError } from './errors.ts';

/** The table of errors in words; `npx vitest run packages/gateway/src/core --update` writes it. */
function reference(): string {
  const sorted = Object.entries(ERRORS).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const rows = sorted.map(([code, row]) => {
    const overHttp = 'hintHttp' in row ? ` Over HTTP: ${row.hintHttp}` : '';
    const hint = 'hint' in row ? ` ${row.hint}${overHttp}` : '';
    return `| \`${code}\` | ${row.says}${hint} | ${row.http} | ${row.sqlstate} | ${row.exit} | ${row.fixedBy} |`;
  });
  return [
    '# Errors',
    '',
    'Every error has a stable code; match on it, never on the text. Generated from `packages/gateway/src/core/errors.ts`.',
    '',
    '| code | says | HTTP | SQLSTATE | exit status | who can fix it |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

describe('the errors', () => {
  it('are what docs/reference/errors.md says', async () => {
    await expect(reference()).toMatchFileSnapshot('../../../../docs/reference/errors.md');
  });

  it('stand in the order of their codes, those of HTTP behind the others', () => {
    const codes = Object.keys(ERRORS);
    const ofHttp = codes.filter((code) => code.startsWith('HTTP_')).toSorted();
    const others = codes.filter((code) => !code.startsWith('HTTP_')).toSorted();
    expect(codes).toEqual([...others, ...ofHttp]);
  });

  it('fill their sentence with what they were given, and nothing else', () => {
    const error = new CountersignError('LIMIT_EXCEEDED', { limit: 'x', allowed: 1, actual: 2 });
    expect(error.message).toBe('The limit x was exceeded: at most 1, got 2.');
    expect(error.row.sqlstate).toBe('54000');
  });

  it('keep what is not ours as the cause of an internal error', () => {
    const cause = new Error('secret detail');
    const error = toCountersignError(cause);
    expect(error).toMatchObject({ code: 'INTERNAL', cause });
    expect(error.message).not.toContain('secret');
  });
});
