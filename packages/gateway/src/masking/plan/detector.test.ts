import { describe, expect, it } from 'vitest';
import { DETECTOR_LIMITS } from '../../core/masking-limits.ts';
import { entityName } from '../detect/entities.ts';
import { Scanner } from '../detect/scanner.ts';
import { StreamingScanner } from '../detect/streaming-scanner.ts';
import { compileMask } from './compile-mask.ts';
import { type Detector, detectorProblems, detectorsNamed, detectorsProblem } from './detector.ts';
import type { Mask } from './mask.ts';
import { Detectors, SessionMasks } from './session-masks.ts';
import { mask } from './testing-plans.ts';

function detector(name: string, more: Partial<Detector>): Detector {
  return { kind: 'Detector', name, ...more };
}

function masksWith(detectors: readonly Detector[], ...documents: readonly Mask[]): SessionMasks {
  const compiled = documents.map((document, index) => compileMask(document, index + 1));
  return new SessionMasks(compiled, ['gateway'], new Detectors(detectors));
}

/** What stands in a text, and what hides it: by a whole scan, and by a stream of single bytes. */
function hidden(masks: SessionMasks, text: string): readonly string[] {
  const { rules, detecting } = masks;
  const options = rules === undefined ? {} : { rules };
  const bytes = new TextEncoder().encode(text);
  const said = (entity: number, from: Uint8Array): string => {
    const found = detecting.find(({ entities }) => entities.has(entityName(entity)));
    return `${new TextDecoder().decode(from)}: ${found?.operator.kind ?? 'shown'}`;
  };
  const scanner = new Scanner(options);
  const count = scanner.scan(bytes);
  const whole = Array.from({ length: count }, (_, at) =>
    said(scanner.entity[at] ?? 0, bytes.slice(scanner.from[at], scanner.to[at])),
  );
  const streamed: string[] = [];
  const stream = new StreamingScanner(
    { clear: () => undefined, found: (entity, part) => void streamed.push(said(entity, part)) },
    options,
  );
  for (const byte of bytes) stream.push(Uint8Array.of(byte));
  stream.finish();
  expect(streamed).toEqual(whole);
  return whole;
}

describe('a Detector', () => {
  it.each<readonly [string, Partial<Detector>, string, string]>([
    ['nothing', {}, '', 'it needs exact, dictionary or pattern'],
    ['two', { exact: ['a'], pattern: 'b' }, 'pattern', 'and not both'],
    ['case for a list', { dictionary: ['a'], ignoreCase: true }, 'ignoreCase', 'goes with pattern'],
    ['a long value', { exact: ['ok', 'x'.repeat(257)] }, 'exact.1', 'at most 256 bytes, got 257'],
    ['long characters', { exact: ['ü'.repeat(129)] }, 'exact.0', 'at most 256 bytes, got 258'],
    ['spaces around', { dictionary: [' a'] }, 'dictionary.0', 'without spaces around it'],
    ['signs only', { dictionary: ['ok', '- -'] }, 'dictionary.1', 'a letter or digit'],
    ['look-ahead', { pattern: 'a(?=b)' }, 'pattern', 'look-around is not taken, because'],
    ['look-behind', { pattern: '(?<!a)b' }, 'pattern', 'look-around is not taken, because'],
    ['a reference back', { pattern: '(a|b)\\1' }, 'pattern', 'references back are not taken: they cannot be'],
    ['nothing to match', { pattern: 'a*' }, 'pattern', 'does not match nothing'],
    ['nested stars', { pattern: '(a+)+b' }, 'pattern', 'at most 256 bytes'],
    ['many steps', { pattern: '[a-z]{1,120}[a-z]{1,120}!' }, 'pattern', 'steps at one place'],
  ])('with %s is refused, and told where and why', (_, more, path, says) => {
    const problems = detectorProblems(detector('d', more));
    expect(problems.map((one) => one.path.join('.'))).toEqual([path]);
    expect(problems[0]?.says).toContain(says);
  });

  it('is taken otherwise, and no value of a list is in what is said of one', () => {
    for (const more of [
      { exact: ['Bluebird', '4711'] },
      { dictionary: ['Project Heron'] },
      { pattern: 'EMP-\\d{6}' },
      { pattern: '\\bemp-\\d{6}', ignoreCase: true },
    ]) {
      expect(detectorProblems(detector('d', more))).toEqual([]);
    }
    const [problem] = detectorProblems(detector('d', { exact: [' canary '] }));
    expect(JSON.stringify(problem)).not.toContain('canary');
  });

  it('has bounds together with all others', () => {
    const many = Array.from({ length: DETECTOR_LIMITS.detectorsMax + 1 }, (_, n) =>
      detector(`d${n}`, { exact: ['x'] }),
    );
    expect(detectorsProblem(many.slice(1))).toBeUndefined();
    expect(detectorsProblem(many)).toContain('at most 256 Detectors, got 257');
    const values = Array.from({ length: 50_000 }, (_, n) => `v${n}`);
    const large = [0, 1, 2, 3].map((n) => detector(`d${n}`, { exact: values }));
    expect(detectorsProblem(large)).toBeUndefined();
    expect(detectorsProblem([...large, detector('one', { exact: ['x'] })])).toContain('got 200001');
    const slow = Array.from({ length: 40 }, (_, n) => detector(`p${n}`, { pattern: '[a-z]{1,100}!' }));
    expect(detectorsProblem(slow.slice(0, 10))).toBeUndefined();
    expect(detectorsProblem(slow)).toContain('steps at one place in all Detectors');
  });

  it('is looked for by the words of Masks', () => {
    expect(detectorsNamed(['custom:a', 'email', 'custom:b'])).toEqual({ isAll: false, names: ['a', 'b'] });
    expect(detectorsNamed(['custom'])).toEqual({ isAll: true, names: [] });
    expect(detectorsNamed(['all', 'card'])).toEqual({ isAll: false, names: [] });
  });
});

describe('Masks with Detectors', () => {
  const ana = detector('ana', { exact: ['ana'] });
  const staff = detector('staff', { pattern: 'EMP-\\d{6}' });
  const phrases = detector('phrases', { dictionary: ['project heron', 'emp-123456 x'] });

  it('hide what those find that they look for', () => {
    const masks = masksWith([ana, staff], mask('m', { detect: ['custom:staff'] }));
    expect(hidden(masks, 'ana has EMP-123456.')).toEqual(['EMP-123456: redact']);
    const all = masksWith([ana, staff], mask('m', { detect: ['custom'], as: 'token' }));
    expect(hidden(all, 'ana has EMP-123456.')).toEqual(['ana: token', 'EMP-123456: token']);
    const every = masksWith([ana, staff], mask('m', { detect: ['all'] }));
    expect(hidden(every, 'ana: ana@example.org')).toEqual(['ana: redact', 'ana@example.org: redact']);
  });

  it('do not lose a value to a Detector that nobody looks for', () => {
    // Together they would be one value of the Detector's, which no Mask of this session hides.
    const masks = masksWith([ana, staff], mask('m', { detect: ['email'] }));
    expect(masks.rules).toBeUndefined();
    expect(hidden(masks, 'mail ana@example.org')).toEqual(['ana@example.org: redact']);
    const other = masksWith(
      [ana, staff],
      mask('m', { detect: ['email'] }),
      mask('n', { detect: ['custom:staff'] }),
    );
    expect(hidden(other, 'mail ana@example.org, EMP-123456')).toEqual([
      'ana@example.org: redact',
      'EMP-123456: redact',
    ]);
  });

  it('take the strictest where a value and what a Detector finds overlap', () => {
    const masks = masksWith(
      [ana],
      mask('lenient', { detect: ['custom:ana'], as: 'partial' }),
      mask('strict', { detect: ['email'], as: 'redact' }),
    );
    expect(hidden(masks, 'ana, ana@example.org')).toEqual(['ana: partial', 'ana@example.org: redact']);
  });

  it('take the strictest where two Detectors find something at one place, of whatever length', () => {
    const masks = masksWith(
      [
        staff,
        phrases,
        detector('numbers', { exact: ['EMP-123456 x'] }),
        detector('same', { exact: ['EMP-123456 x'] }),
      ],
      mask('one', { detect: ['custom:staff'], as: 'redact' }),
      mask('two', { detect: ['custom:phrases', 'custom:numbers'], as: 'partial' }),
      mask('three', { detect: ['custom:same'], as: 'hash' }),
    );
    expect(hidden(masks, 'EMP-123456 x')).toEqual(['EMP-123456 x: redact']);
    expect(hidden(masks, 'EMP-999999 x')).toEqual(['EMP-999999: redact']);
    expect(hidden(masks, 'Project-Heron')).toEqual(['Project-Heron: partial']);
    const lenientPattern = masksWith(
      [staff, phrases],
      mask('one', { detect: ['custom:staff'], as: 'partial' }),
      mask('two', { detect: ['custom:phrases'], as: 'redact' }),
    );
    expect(hidden(lenientPattern, 'EMP-123456 x EMP-999999')).toEqual([
      'EMP-123456 x: redact',
      'EMP-999999: partial',
    ]);
    const lists = masksWith(
      [detector('a', { exact: ['x1 y2', 'z'] }), detector('b', { exact: ['x1'] })],
      mask('one', { detect: ['custom:a'], as: 'partial' }),
      mask('two', { detect: ['custom:b'], as: 'redact' }),
    );
    expect(hidden(lists, 'x1 y2 z')).toEqual(['x1 y2: redact', 'z: partial']);
  });

  it('find what is written in other forms of the same letters, and no more than the list says', () => {
    const masks = masksWith([staff, phrases], mask('m', { detect: ['custom'] }));
    expect(hidden(masks, 'ＥMP EMP‐１２３４５６ EMP-123\u200b456')).toEqual([
      'EMP‐１２３４５６: redact',
      'EMP-123\u200b456: redact',
    ]);
    expect(hidden(masks, 'PROJECT\nHERON, projects heron')).toEqual(['PROJECT\nHERON: redact']);
  });

  it('share what is compiled, for one set of Detectors', () => {
    const detectors = new Detectors([ana, staff]);
    const of = (word: string): SessionMasks =>
      new SessionMasks([compileMask(mask('m', { detect: [word] }), 1)], ['gateway'], detectors);
    expect(of('custom').rules).toBe(of('custom').rules);
    expect(of('custom:ana').rules).not.toBe(of('custom').rules);
    expect(of('custom').by('target').rules).toBe(of('custom').rules);
  });
});
