import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { problemsOf } from './check-schema.ts';
import { parseLocatedYaml } from './yaml.ts';

const TEXT = `# one
a: 1
b:
  - c: 2
  - d: &x { e: 3 }
---
f: g
`;

function lines(text: string): readonly ((path: readonly string[]) => number)[] {
  const parsed = parseLocatedYaml(text);
  if (parsed.kind === 'problem') throw new Error(parsed.problem);
  return parsed.documents.map(({ lineOf }) => lineOf);
}

describe('parts of a document', () => {
  it.each<readonly [number, readonly string[], number]>([
    [0, [], 2],
    [0, ['a'], 2],
    [0, ['b', '0'], 4],
    [0, ['b', '1', 'd', 'e'], 5],
    // What is not there would be in what is.
    [0, ['b', '1', 'nothing', 'at', 'all'], 5],
    [0, ['b', '7'], 3],
    [0, ['nothing'], 2],
    [1, ['f'], 7],
  ])('of document %d at %j are on line %d', (document, path, line) => {
    expect(lines(TEXT)[document]?.(path)).toBe(line);
  });

  it('that cannot be read have a line too', () => {
    expect(parseLocatedYaml('a: 1\nb: 1.5\n')).toMatchObject({ kind: 'problem', line: 2 });
    expect(parseLocatedYaml('a:\n  - b\n  - c: [1, 2,\n      0.5]\n')).toMatchObject({ line: 4 });
    expect(parseLocatedYaml('a: 1\na: 2\n')).toMatchObject({ kind: 'problem', line: 2 });
  });
});

describe('a text of several documents', () => {
  it('says of each what cannot be read, and has the others', () => {
    const text = 'a: 1\na: 2\nb: 3\nb: 4\n---\nc: 5\n---\nd: !x 6\n---\ne: 7.5\n---\nf: 8\n';
    const parsed = parseLocatedYaml(text);
    if (parsed.kind !== 'problem') throw new Error('it was read');
    expect(parsed.problems.map(({ line }) => line)).toEqual([2, 4, 8, 10]);
    expect(parsed.documents.map(({ value }) => value)).toEqual([{ c: 5 }, { f: 8 }]);
    expect([parsed.line, parsed.problem]).toEqual([2, parsed.problems[0]?.problem]);
  });
});

describe('problemsOf', () => {
  const schema = Type.Object(
    {
      list: Type.Array(
        Type.Union([Type.Literal('a'), Type.Object({ b: Type.Integer() }, { additionalProperties: false })], {
          alternatives: 'a or { b: NUMBER }',
        }),
      ),
      name: Type.String({ minLength: 2 }),
    },
    { additionalProperties: false },
  );

  it('says everything once, each with the keys that lead to it', () => {
    const value = { list: ['a', { b: 'canary' }, 7], name: 'x', more: 1 };
    const problems = problemsOf(schema, value);
    expect(problems.toSorted((a, b) => (a.says < b.says ? -1 : 1))).toEqual([
      { path: ['list', '1', 'b'], says: 'list.1.b must be integer' },
      { path: ['list', '2'], says: 'list.2 must be a or { b: NUMBER }' },
      { path: ['name'], says: 'name must not have fewer than 2 characters' },
      { path: ['more'], says: 'the document has no key "more"' },
    ]);
    expect(JSON.stringify(problems)).not.toContain('canary');
    expect(problemsOf(schema, { list: [], name: 'xx' })).toEqual([]);
    expect(problemsOf(schema, { list: [], name: 'xx', b: 1, a: 2 })).toEqual([
      { path: ['b'], says: 'the document has no key "b"' },
      { path: ['a'], says: 'the document has no key "a"' },
    ]);
  });
});
