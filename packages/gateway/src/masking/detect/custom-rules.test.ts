/** What installations add: that it is found, and that no pattern holds anybody up. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CompiledRules, type CustomRule } from './custom-rules.ts';
import { LinearPattern, PatternRefused } from './linear-pattern.ts';
import { NO_HINTS } from './scan-state.ts';
import { Scanner } from './scanner.ts';
import { find } from './testing-scan.ts';

function namesBy(rules: readonly CustomRule[], text: string): readonly string[] {
  const scanner = new Scanner({ rules: new CompiledRules(rules) });
  return find(text, NO_HINTS, scanner).map(({ entity, text: value }) => `${entity}:${value}`);
}

describe('rules of an installation', () => {
  it('exact values are found as they are, and not within longer words', () => {
    const rules: readonly CustomRule[] = [
      { kind: 'exact', name: 'project', values: ['Falcon', 'Falcon 9', 'C-17'] },
    ];
    expect(namesBy(rules, 'Falcon 9, Falcon; falcon, Falcons, C-17.')).toEqual([
      'CUSTOM:project:Falcon 9',
      'CUSTOM:project:Falcon',
      'CUSTOM:project:C-17',
    ]);
  });

  it('words of a dictionary are found in any case and with any spaces', () => {
    const rules: readonly CustomRule[] = [
      { kind: 'dictionary', name: 'staff', words: ['Ana María', 'O’Neil', 'Smith-Jones'] },
    ];
    expect(
      namesBy(rules, 'ANA MaríA and ana  maría; O’NEIL; smith jones, Smith-\nJones; Anastasia'),
    ).toHaveLength(5);
  });

  it('patterns find the longest match, in bytes of UTF-8', () => {
    const rules: readonly CustomRule[] = [
      { kind: 'pattern', name: 'employee', pattern: '\\bEMP-\\d{3,6}\\b' },
      { kind: 'pattern', name: 'ticket', pattern: 'größe \\w+', ignoreCase: true },
    ];
    expect(namesBy(rules, 'EMP-12 EMP-123 EMP-1234567 XEMP-123 größe XL, GRößE m')).toEqual([
      'CUSTOM:employee:EMP-123',
      'CUSTOM:ticket:größe XL',
      'CUSTOM:ticket:GRößE m',
    ]);
  });

  it('what a rule and a detector find in one place is one value, the longer', () => {
    const rules: readonly CustomRule[] = [{ kind: 'pattern', name: 'mail', pattern: 'from \\w+' }];
    expect(namesBy(rules, 'x from ana@example.org y')).toEqual(['CUSTOM:from ana@example.org']);
  });

  it('ten thousand values cost about as much as ten', () => {
    const scanner = new Scanner({
      rules: new CompiledRules([
        { kind: 'exact', name: 'many', values: Array.from({ length: 10_000 }, (_, at) => `value-${at}`) },
      ]),
    });
    const bytes = new TextEncoder().encode('some text about value-77 and more words '.repeat(500));
    const started = process.cpuUsage();
    for (let round = 0; round < 20; round += 1) expect(scanner.scan(bytes)).toBe(500);
    expect(process.cpuUsage(started).user / 1_000).toBeLessThan(2_000);
  });
});

/** A pattern, or undefined where it is refused; any other error is one of ours. */
function patternOf(source: string): LinearPattern | undefined {
  try {
    return new LinearPattern(source);
  } catch (thrown) {
    if (thrown instanceof PatternRefused) return undefined;
    throw thrown;
  }
}

describe('patterns', () => {
  it.each([
    ['(?=x)y', 'look-around'],
    ['(?<n>x)', 'look-around'],
    ['(a)\\1', 'references back'],
    ['(?<n>a)\\k<n>', 'look-around'],
    ['^x', 'character'],
    ['x$', 'character'],
    ['x**', 'one repetition'],
    ['x*', 'nothing'],
    ['(x|)', 'nothing'],
    ['[z-a]', 'goes up'],
    ['x{3,2}', 'goes up'],
    ['[', ']'],
    ['(x', ')'],
    ['x)', 'end'],
    ['\\p{L}', 'escape'],
    ['(x+)+', 'at most'],
    ['x{300}', 'at most'],
    ['((a{1,15}){1,15}|b){1,16}', 'at most'],
    ['x'.repeat(513), 'characters'],
    [`${'('.repeat(20)}x${')'.repeat(20)}`, 'deeper'],
  ])('%s is refused, and the reason says %s', (pattern, reason) => {
    expect(() => new LinearPattern(pattern)).toThrow(PatternRefused);
    expect(() => new LinearPattern(pattern)).toThrow(reason);
  });

  it.each([
    ['(a|a)+(a|a){1,60}b', 'a'.repeat(5_000)],
    ['(a?){100}a{100}', 'a'.repeat(5_000)],
    ['([a-z]{1,8}[a-z]{1,8}){1,14}!', 'abcdefgh'.repeat(600)],
    ['(x{1,15}x{1,15}){1,8}y', 'x'.repeat(5_000)],
  ])('%s takes time in proportion to the text', (pattern, text) => {
    const compiled = new LinearPattern(pattern);
    const bytes = new TextEncoder().encode(text);
    const started = process.cpuUsage();
    for (let at = 0; at < bytes.length; at += 1) compiled.matchAt(bytes, at, 0, bytes.length);
    // Backtracking would take longer than anybody lives.
    expect(process.cpuUsage(started).user / 1_000).toBeLessThan(20_000);
  });

  it('match where those of the language do', () => {
    const seed = Date.now() & 0x7fff_ffff;
    const atom = fc.constantFrom(
      'a',
      'b',
      '1',
      '.',
      '\\d',
      '\\w',
      '[ab]',
      '[^a]',
      '(?:ab|b)',
      '\\b',
      '[0-9a]',
      ' ',
      '\\s',
    );
    const times = fc.constantFrom('', '', '?', '{1,3}', '{2}', '{0,2}');
    const part = fc.tuple(atom, times).map(([one, many]) => (one === '\\b' ? one : one + many));
    const pattern = fc
      .array(
        fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
        { minLength: 1, maxLength: 3 },
      )
      .map((all) => all.join('|'));
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', ' ', '-', 'c'), maxLength: 12 });
    let compared = 0;
    fc.assert(
      fc.property(pattern, text, (source, words) => {
        const compiled = patternOf(source);
        if (compiled === undefined) return;
        const bytes = new TextEncoder().encode(words);
        for (let at = 0; at <= words.length; at += 1) {
          // The longest: every end is tried with the language’s own.
          let longest = 0;
          for (let end = at + 1; end <= words.length; end += 1) {
            const whole = new RegExp(`^(?:${source})$`);
            const isEdged = source.includes('\\b');
            if (isEdged) {
              const inPlace = new RegExp(
                `(?<=^.{${at}})(?:${source})(?=.{${words.length - end}}$)`,
                's',
              ).exec(words);
              if (inPlace !== null && inPlace.index === at && inPlace[0].length === end - at) longest = end;
            } else if (whole.test(words.slice(at, end))) longest = end;
          }
          compared += 1;
          expect(compiled.matchAt(bytes, at, 0, bytes.length)).toBe(longest);
        }
      }),
      { seed, numRuns: 1_500 },
    );
    console.log(`${compared} places compared, seed ${seed}`);
    expect(compared).toBeGreaterThan(1_000);
  });
});
