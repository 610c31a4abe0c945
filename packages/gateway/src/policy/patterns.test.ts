import { BlockList, isIPv6 } from 'node:net';
import { assert, integer, ipV4, ipV6, oneof, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  inRange,
  matchesClient,
  matchesColumns,
  matchesName,
  parseAddressRange,
  parseDurationMs,
  parseHours,
  parseNamePattern,
  parseRowBound,
  PatternProblem,
  withinHours,
} from './patterns.ts';

function name(schema: string | undefined, of: string): { schema: string | undefined; name: string } {
  return { schema, name: of };
}

describe('names of tables and functions', () => {
  it.each([
    ['scores', name(undefined, 'scores'), true],
    ['scores', name('rr', 'scores'), true],
    ['rr.scores', name('rr', 'scores'), true],
    ['rr.scores', name(undefined, 'scores'), true],
    ['rr.scores', name('other', 'scores'), false],
    ['scores', name('rr', 'scores2'), false],
    ['rank*', name('rr', 'ranking_scores'), true],
    ['rr.*', name('rr', 'anything'), true],
    ['rr.*', name('public', 'anything'), false],
    ['"Upper Case"', name(undefined, 'Upper Case'), true],
    ['"Upper Case"', name(undefined, 'upper case'), false],
    ['scores(score)', name(undefined, 'scores'), true],
  ])('%s × %o → %s', (pattern, found, expected) => {
    expect(matchesName(parseNamePattern(pattern), found)).toBe(expected);
  });

  it.each([
    ['t(a)', ['a'], true],
    ['t(a, b)', ['c', 'b'], true],
    ['t(a)', ['b'], false],
    ['t(a)', 'all', true],
    ['t', ['b'], true],
    ['t(a)', [], false],
  ] as const)('columns of %s × %o → %s', (pattern, columns, expected) => {
    expect(matchesColumns(parseNamePattern(pattern), columns)).toBe(expected);
  });

  it.each(['', 'a.b.c', 'Upper', 'a b', 'a;b', 't(', 't()', '*a', 'a**', "'a'", '"', 'a.'])(
    'refuses %j',
    (text) => {
      expect(() => parseNamePattern(text)).toThrow(PatternProblem);
    },
  );
});

describe('bounds, durations', () => {
  it.each([
    ['>= 100', 99],
    ['> 99', 99],
    ['>=1', 0],
    ['> 0', 0],
  ])('%s does not apply up to %i rows', (text, allowed) => {
    expect(parseRowBound(text).allowed).toBe(allowed);
  });

  it.each(['>= 0', '< 5', '100', '>= -1', '>= 1e3', '= 5', '>= 1234567890123456'])('refuses %j', (text) => {
    expect(() => parseRowBound(text)).toThrow(PatternProblem);
  });

  it.each([
    ['30s', 30_000],
    ['15m', 900_000],
    ['8h', 28_800_000],
    ['7d', 604_800_000],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each(['0s', '15', 'm', '1.5h', '-1m', '1w'])('refuses the duration %j', (text) => {
    expect(() => parseDurationMs(text)).toThrow(PatternProblem);
  });
});

describe('addresses', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.1.2.3', '10.1.2.3', true],
    ['2001:db8::/32', '2001:db8:1::5', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '1.2.3.4', true],
    ['10.0.0.0/8', '', false],
    ['10.0.0.0/8', 'localhost', false],
  ])('%s × %s → %s', (range, address, expected) => {
    expect(inRange(parseAddressRange(range), address)).toBe(expected);
  });

  it.each(['10.0.0.1/8', '10.0.0.0/33', '::/129', 'x', '10.0.0/8', '1.2.3.4/', '01.2.3.4', ':::', '1::2::3'])(
    'refuses %j',
    (text) => {
      expect(() => parseAddressRange(text)).toThrow(PatternProblem);
    },
  );

  it('agrees with node:net on random addresses and ranges', () => {
    const address = oneof(ipV4(), ipV6());
    assert(
      property(ipV4(), integer({ min: 1, max: 32 }), address, (base, bits, candidate) => {
        const blocks = new BlockList();
        blocks.addSubnet(base, bits, 'ipv4');
        const network = networkOf(base, bits);
        const expected = blocks.check(candidate, isIPv6(candidate) ? 'ipv6' : 'ipv4');
        expect(inRange(parseAddressRange(`${network}/${bits}`), candidate)).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });
});

function networkOf(base: string, bits: number): string {
  const value = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - bits);
  const first = Math.floor(value / size) * size;
  return [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.');
}

describe('hours', () => {
  it.each([
    // 2026-11-27 is a Friday.
    [{ from: '08:00', to: '18:00' }, '2026-11-27T08:00:00Z', true],
    [{ from: '08:00', to: '18:00' }, '2026-11-27T18:00:00Z', false],
    [{ from: '08:00', to: '18:00' }, '2026-11-27T07:59:59Z', false],
    [{ days: ['fri'], from: '22:00', to: '06:00' }, '2026-11-27T23:00:00Z', true],
    [{ days: ['fri'], from: '22:00', to: '06:00' }, '2026-11-28T05:59:00Z', true],
    [{ days: ['fri'], from: '22:00', to: '06:00' }, '2026-11-27T05:00:00Z', false],
    [{ days: ['sat', 'sun'], from: '00:00', to: '24:00' }, '2026-11-29T23:59:59Z', true],
    [{ days: ['sat', 'sun'], from: '00:00', to: '24:00' }, '2026-11-30T00:00:00Z', false],
  ])('%o at %s → %s', (hours, moment, expected) => {
    expect(withinHours(parseHours(hours), Date.parse(moment) * 1000)).toBe(expected);
  });

  it.each([
    { from: '8:00', to: '18:00' },
    { from: '24:01', to: '10:00' },
    { from: '10:00', to: '10:00' },
    { days: ['friday'], from: '10:00', to: '11:00' },
  ])('refuses %o', (hours) => {
    expect(() => parseHours(hours)).toThrow(PatternProblem);
  });
});

it('compares the names of clients without regard to case', () => {
  expect(matchesClient('PSQL*', 'psql 18')).toBe(true);
  expect(matchesClient('psql', 'psql2')).toBe(false);
});
