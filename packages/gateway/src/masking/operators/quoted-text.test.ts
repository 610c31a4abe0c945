import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapJson } from './json.ts';
import { mapArrayText, mapCompositeText, mapMultirangeText, mapRangeText } from './quoted-text.ts';

const refused = expect.objectContaining({ code: 'PROTOCOL_VIOLATION' });

function membersOf(text: string, delimiter: ',' | ';' = ','): readonly (string | null)[] {
  const members: (string | null)[] = [];
  const again = mapArrayText(text, delimiter, (member) => {
    members.push(member);
    return member;
  });
  expect(again).toBe(text);
  return members;
}

function fieldsOf(text: string): readonly (string | null)[] {
  const fields: (string | null)[] = [];
  const again = mapCompositeText(text, (field) => {
    fields.push(field);
    return field;
  });
  expect(again).toBe(text);
  return fields;
}

function keep(bound: string): string {
  return bound;
}

function dropNumbers(text: string): string {
  return mapJson(text, ({ kind }) => (kind === 'number' ? 'drop' : 'keep'));
}

function leavesOf(value: unknown): readonly unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOf) : [value];
}

describe('arrays in text', () => {
  it.each([
    ['{}', []],
    ['{a,NULL,"NULL",""}', ['a', null, 'NULL', '']],
    ['{"a,b","c\\"d","e\\\\f","{g}"," "}', ['a,b', 'c"d', 'e\\f', '{g}', ' ']],
    ['{{a,b},{c,d}}', ['a', 'b', 'c', 'd']],
    ['[0:1][-1:0]={{a,b},{c,NULL}}', ['a', 'b', 'c', null]],
    ['{😀,"😀 😀"}', ['😀', '😀 😀']],
  ])('of %s are read, and written as they were', (text, members) => {
    expect(membersOf(text)).toEqual(members);
  });

  it('of boxes are delimited by semicolons', () => {
    expect(membersOf('{(3,4),(1,2);(7,8),(5,6)}', ';')).toEqual(['(3,4),(1,2)', '(7,8),(5,6)']);
  });

  it.each(['', '{', '{a', '{a,b}c', '{"a}', '{a}}', 'a', '{"a\\', '{{{{{{{a}}}}}}}', '[0:1]{a}'])(
    'like %s are refused',
    (text) => {
      expect(() => mapArrayText(text, ',', () => 'x')).toThrow(refused);
    },
  );

  it('give back any members that were put in', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.string()), { minLength: 1 }), (members) => {
        let next = 0;
        const text = mapArrayText(
          `{${members.map(() => 'x').join(',')}}`,
          ',',
          () => members[next++] ?? null,
        );
        expect(membersOf(text)).toEqual(members);
      }),
    );
  });
});

describe('composites in text', () => {
  it.each([
    ['()', []],
    ['(,)', [null, null]],
    ['(a,"",)', ['a', '', null]],
    ['("a ""b""","c\\\\d","(e,f)")', ['a "b"', 'c\\d', '(e,f)']],
  ])('like %s are read, and written as they were', (text, fields) => {
    expect(fieldsOf(text)).toEqual(fields);
  });

  it.each(['', '(', '(a', 'a', '(a)b', '("a)', '(a\\'])('like %s are refused', (text) => {
    expect(() => mapCompositeText(text, () => 'x')).toThrow(refused);
  });

  it('give back any fields that were put in', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.string()), { minLength: 2 }), (fields) => {
        const text = mapCompositeText(
          `(${fields.map(() => 'x').join(',')})`,
          (_, index) => fields[index] ?? null,
        );
        expect(fieldsOf(text)).toEqual(fields);
      }),
    );
  });
});

describe('ranges in text', () => {
  it.each(['empty', '[1,5)', '(,5]', '(,)', '["1984-03-17 12:34:56",infinity)', '["a ""b""","")'])(
    'like %s are written as they were',
    (text) => {
      expect(mapRangeText(text, keep)).toBe(text);
    },
  );

  it('are empty from a value to the same one, unless they have it', () => {
    expect(mapRangeText('[1,5)', () => '0')).toBe('empty');
    expect(mapRangeText('[1,5]', () => '0')).toBe('[0,0]');
    expect(mapMultirangeText('{[1,5),[7,19)}', (bound) => (bound === '19' ? '10' : '0'))).toBe('{[0,10)}');
  });

  it.each(['', '[1,5', '1,5)', '[1)', '[1,5)x', '["1,5)', '[1,2,3)'])('like %s are refused', (text) => {
    expect(() => mapRangeText(text, keep)).toThrow(refused);
    expect(() => mapMultirangeText(`{${text}`, keep)).toThrow(refused);
  });
});

describe('JSON', () => {
  it('is as it was where nothing is replaced, white space and numbers too', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(undefined, 2), (text, indent) => {
        const written = JSON.stringify(JSON.parse(text), null, indent);
        expect(mapJson(written, () => 'keep')).toBe(written);
      }),
    );
    for (const text of [' 1.50e+7 ', '"\\u0041\\/"', '[1 , 2]', '{"a":1,"a":2}']) {
      expect(mapJson(text, () => 'keep')).toBe(text);
    }
  });

  it('has its leaves with their paths', () => {
    const seen: string[] = [];
    mapJson('{"a": ["x", {"b": 1}], "\\u0063": true, "d": null}', ({ kind, text, path }) => {
      seen.push(`${path.join('.')} ${kind} ${text}`);
      return 'keep';
    });
    expect(seen).toEqual(['a.0 string x', 'a.1.b number 1', 'c boolean true']);
  });

  it('replaces every leaf, and both of two with one name', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const leaves = leavesOf(JSON.parse(mapJson(text, () => ({ json: '"-"' }))));
        expect(leaves.filter((leaf) => leaf !== '-' && leaf !== null)).toEqual([]);
      }),
    );
    expect(mapJson('{"a":1,"a":2}', () => ({ json: '0' }))).toBe('{"a":0,"a":0}');
  });

  it('loses members and elements that drop', () => {
    expect(dropNumbers('{"a": 1, "b": "x", "c": 2}')).toBe('{ "b": "x"}');
    expect(dropNumbers('[1,2]')).toBe('[]');
    expect(dropNumbers('7')).toBe('null');
  });

  it.each([
    '',
    '{',
    '{"a"}',
    '[1,]',
    '{"a":1,}',
    '01',
    '+1',
    'nul',
    '"\\x"',
    '"a',
    '1 2',
    '{a:1}',
    '"\u0001"',
    '"\\',
  ])('like %j is refused', (text) => {
    expect(() => mapJson(text, () => 'keep')).toThrow(refused);
  });

  it('is refused beyond its levels, and read up to them', () => {
    expect(mapJson('['.repeat(512) + ']'.repeat(512), () => 'keep')).toHaveLength(1_024);
    expect(() => mapJson('['.repeat(513) + ']'.repeat(513), () => 'keep')).toThrow(refused);
    expect(() => mapJson('['.repeat(1_000_000), () => 'keep')).toThrow(refused);
  });
});
