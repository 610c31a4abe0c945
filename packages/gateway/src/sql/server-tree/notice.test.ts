import { describe, expect, it } from 'vitest';
import { classifyNotice, type NoticeField } from './notice.ts';

const TREE = {
  S: 'LOG',
  V: 'LOG',
  C: '00000',
  M: 'rewritten parse tree:',
  D: '({QUERY :commandType 1})\n',
  F: 'print.c',
  L: '85',
  R: 'elog_node_display',
};

function fieldsOf(texts: Readonly<Record<string, string | undefined>>): NoticeField[] {
  return Object.entries(texts).flatMap(([code, text]) =>
    text === undefined ? [] : [{ code, valueBytes: new TextEncoder().encode(text) }],
  );
}

describe('a notice', () => {
  it('is the tree of a statement', () => {
    const classified = classifyNotice(fieldsOf(TREE));
    expect(classified.kind).toBe('tree');
    expect(classified.kind !== 'ordinary' && Buffer.from(classified.treeBytes).toString()).toBe(TREE.D);
  });

  it('is one whatever the language of the server is, whose title is not translated', () => {
    expect(classifyNotice(fieldsOf({ ...TREE, S: 'LOG (Protokoll)' })).kind).toBe('tree');
  });

  it('is the tree of a statement within another where it has a context', () => {
    expect(classifyNotice(fieldsOf({ ...TREE, W: 'SQL statement "SELECT 1"' })).kind).toBe('nested-tree');
    expect(classifyNotice(fieldsOf({ ...TREE, W: '' })).kind).toBe('nested-tree');
  });

  it.each([
    ['another severity', { V: 'NOTICE' }],
    ['a severity that is only shown', { V: undefined }],
    ['an SQLSTATE', { C: '01000' }],
    ['the tree before rewriting', { M: 'parse tree:' }],
    ['a plan', { M: 'plan:' }],
    ['a title in another case', { M: 'Rewritten parse tree:' }],
    ['a title with more behind it', { M: 'rewritten parse tree: ' }],
    ['no detail', { D: undefined }],
    ['the file of RAISE', { F: 'pl_exec.c', R: 'exec_stmt_raise' }],
    ['the routine of RAISE', { R: 'exec_stmt_raise' }],
    ['a file in a directory', { F: 'nodes/print.c' }],
    ['no file', { F: undefined }],
    ['no routine', { R: undefined }],
    ['a hint', { H: '' }],
    ['a position', { P: '1' }],
    ['an internal query', { q: 'select 1' }],
    ['the name of a table', { t: 'documents' }],
    ['a field that nobody knows', { Z: 'x' }],
  ])('with %s is an ordinary one', (_, change) => {
    expect(classifyNotice(fieldsOf({ ...TREE, ...change }))).toEqual({ kind: 'ordinary' });
  });

  it.each(Object.entries(TREE))('with the field %s twice is an ordinary one', (code, text) => {
    expect(classifyNotice([...fieldsOf(TREE), ...fieldsOf({ [code]: text })]).kind).toBe('ordinary');
  });

  it('may have nothing at all', () => {
    expect(classifyNotice([]).kind).toBe('ordinary');
  });
});
