import { describe, expect, it } from 'vitest';
import type { QualifiedName, StatementFacts, WriteVerb } from '../../core/effects.ts';
import { crossCheck, crossCheckText } from './cross-check.ts';
import type { RelationUse, ServerCommand, ServerFacts, ServerWrite } from './facts.ts';

/** @param writes as `verb table` */
function text(
  node: string,
  writes: readonly string[] = [],
  effects: StatementFacts['effects'] = [],
): StatementFacts {
  return {
    node,
    from: 0,
    to: 1,
    effects,
    writes: writes.map((write) => {
      const [verb = '', name = ''] = write.split(' ');
      return { verb: verb as WriteVerb, ...qualified(name), columns: 'all' };
    }),
    reads: [],
    functions: [],
    settings: [],
    transaction: undefined,
    prepared: undefined,
    undoable: true,
  };
}

function qualified(name: string): QualifiedName {
  const [first = '', second] = name.split('.');
  return second === undefined ? { schema: undefined, name: first } : { schema: first, name: second };
}

const MERGE = [{ effect: 'merge', from: 0, to: 1, object: undefined }] as const;
const INTO = [{ effect: 'create', from: 0, to: 1, object: undefined }] as const;

/** @param writes as `verb oid` */
function command(word: string, writes: readonly string[] = []): ServerCommand {
  const [first = '', source] = word.split(' ');
  const utility = first === first.toUpperCase() && first !== '?';
  return {
    verb: utility || first === '?' ? 'utility' : (first as ServerCommand['verb']),
    source: source === 'rule' ? 'rule' : 'original',
    utility: utility ? first : undefined,
    writes: writes.map((write) => {
      const [verb, oid] = write.split(' ');
      return { verb: verb as ServerWrite['verb'], relation: Number(oid) };
    }),
  };
}

/** @param relations as `oid relkind use…` */
function server(commands: readonly ServerCommand[], relations: readonly string[] = []): ServerFacts {
  return {
    commands,
    relations: relations.map((relation) => {
      const [oid, relkind, ...uses] = relation.split(' ');
      return { oid: Number(oid), relkind, uses: uses as RelationUse[], columns: [] };
    }),
    functions: [],
    operators: [],
    types: [],
    expanded: true,
    unknown: [],
  };
}

const NAMES = new Map<number, QualifiedName>([
  [1, { schema: 'public', name: 'documents' }],
  [2, { schema: 'public', name: 'scores' }],
  [3, { schema: 'public', name: 'titles' }],
  [4, { schema: 'pg_temp_7', name: 'mine' }],
]);

const ON_ONE = ['1 r read update'];

describe('a text and the server agree', () => {
  it.each([
    ['on a SELECT', text('SelectStmt'), server([command('select')], ['1 r read'])],
    [
      'on a change',
      text('UpdateStmt', ['update documents']),
      server([command('update', ['update 1'])], ON_ONE),
    ],
    [
      'with its schema',
      text('UpdateStmt', ['update public.documents']),
      server([command('update', ['update 1'])], ON_ONE),
    ],
    [
      'of a temporary table',
      text('DeleteStmt', ['delete pg_temp.mine']),
      server([command('delete', ['delete 4'])], ['4 r delete']),
    ],
    [
      'with ON CONFLICT',
      text('InsertStmt', ['insert documents', 'update documents']),
      server([command('insert', ['insert 1'])], ['1 r insert update']),
    ],
    [
      'on a MERGE',
      text('MergeStmt', ['merge scores', 'merge scores']),
      server([command('merge', ['merge 2'])], ['1 r read', '2 r merge update']),
    ],
    [
      'on a MERGE that does nothing',
      text('MergeStmt', [], MERGE),
      server([command('merge', ['merge 2'])], ['1 r read', '2 r read merge']),
    ],
    [
      'on changes in a WITH',
      text('SelectStmt', ['delete scores', 'insert documents']),
      server([command('select', ['delete 2', 'insert 1'])], ['2 r delete', '1 r insert']),
    ],
    [
      'behind a view',
      text('UpdateStmt', ['update titles']),
      server([command('update', ['update 1'])], ['3 v read update', '1 r read update']),
    ],
    [
      'behind a view that is merged into',
      text('MergeStmt', ['merge titles']),
      server([command('merge', ['merge 1'])], ['3 v read update', '1 r merge update']),
    ],
    [
      'with what a rule adds',
      text('InsertStmt', ['insert documents']),
      server(
        [command('insert', ['insert 1']), command('insert rule', ['insert 2'])],
        ['1 r insert', '2 r insert'],
      ),
    ],
    [
      'where a rule replaces it',
      text('DeleteStmt', ['delete documents']),
      server([command('update rule', ['update 2'])], ['1 r delete', '2 r update']),
    ],
    ['where a rule makes nothing of it', text('DeleteStmt', ['delete documents']), server([])],
    ['on a utility statement', text('CreateStmt'), server([command('CREATESTMT')])],
    ['on one that PostgreSQL 15 does not name', text('CreateStmt'), server([command('?')])],
    ['on SELECT INTO', text('SelectStmt', [], INTO), server([command('CREATETABLEASSTMT')])],
    ['on COPY of a table', text('CopyStmt', ['copy-in documents']), server([command('COPYSTMT')])],
    [
      'on COPY of a query',
      text('CopyStmt', ['delete scores']),
      server([command('?'), command('delete', ['delete 2'])], ['2 r delete']),
    ],
    [
      'on EXECUTE of what was analysed anew',
      text('ExecuteStmt'),
      server([command('EXECUTESTMT'), command('update', ['update 1'])], ON_ONE),
    ],
    ['on EXPLAIN', text('ExplainStmt'), server([command('EXPLAINSTMT', ['update 1'])], ON_ONE)],
  ])('%s', (_, statement, facts) => {
    expect(crossCheck(statement, facts, NAMES)).toEqual({ kind: 'agrees' });
  });
});

describe('a text and the server differ', () => {
  it.each([
    [
      'on what it is',
      text('SelectStmt'),
      server([command('DROPSTMT')]),
      'the text is SelectStmt, the server ran DROPSTMT',
    ],
    [
      'on a utility statement that has no name',
      text('SelectStmt'),
      server([command('?')]),
      'the text is SelectStmt, the server ran utility',
    ],
    [
      'on a query in the place of a utility statement',
      text('VariableShowStmt'),
      server([command('select')]),
      'the text is VariableShowStmt, the server ran select',
    ],
    [
      'on which utility statement it is',
      text('CreateStmt'),
      server([command('DROPSTMT')]),
      'the text is CreateStmt, the server ran DROPSTMT',
    ],
    [
      'on the number of queries',
      text('SelectStmt'),
      server([command('select'), command('delete', ['delete 1'])]),
      'the text is SelectStmt, the server ran select and delete',
    ],
    ['on nothing', text('SelectStmt'), server([]), 'the text is SelectStmt, the server ran nothing'],
    [
      'on a SELECT that a rule would replace',
      text('SelectStmt'),
      server([command('delete rule', ['delete 1'])]),
      'the text is SelectStmt, the server ran nothing',
    ],
    [
      'on a query behind what has none',
      text('CreateStmt'),
      server([command('CREATESTMT'), command('select')]),
      'the text is CreateStmt, the server ran CREATESTMT and select',
    ],
    [
      'on a utility statement behind COPY',
      text('CopyStmt'),
      server([command('?'), command('?')]),
      'the text is CopyStmt, the server ran utility and utility',
    ],
    [
      'on a change in a WITH',
      text('SelectStmt'),
      server([command('select', ['delete 1'])], ['1 r delete']),
      'the text has no delete, which the server ran',
    ],
    [
      'on a change behind COPY',
      text('CopyStmt'),
      server([command('?'), command('update', ['update 1'])], ON_ONE),
      'the text has no update, which the server ran',
    ],
    [
      'on a change that is not there',
      text('SelectStmt', ['update documents']),
      server([command('select')], ['1 r read']),
      'the text has update, which the server did not run',
    ],
    [
      'on the table',
      text('UpdateStmt', ['update scores']),
      server([command('update', ['update 1'])], ON_ONE),
      'the server does not change scores',
    ],
    [
      'on the schema',
      text('UpdateStmt', ['update evil.documents']),
      server([command('update', ['update 1'])], ON_ONE),
      'the server does not change evil.documents',
    ],
    [
      'on what is done to a table',
      text('SelectStmt', ['delete documents', 'update scores']),
      server([command('select', ['delete 2', 'update 1'])], ['1 r update', '2 r delete']),
      'the server does not change documents',
    ],
    [
      'on one table more',
      text('SelectStmt', ['delete documents']),
      server([command('select', ['delete 1', 'delete 2'])], ['1 r delete', '2 r delete']),
      'the server changes public.scores, which the text does not name',
    ],
  ])('%s', (_, statement, facts, reason) => {
    expect(crossCheck(statement, facts, NAMES)).toEqual({ kind: 'differs', reason });
  });
});

describe('names', () => {
  it('are not compared where one is not known', () => {
    const facts = server([command('update', ['update 9'])], ['9 r read update']);
    expect(crossCheck(text('UpdateStmt', ['update documents']), facts, NAMES)).toEqual({ kind: 'agrees' });
    expect(crossCheck(text('UpdateStmt', ['update documents']), facts)).toEqual({ kind: 'agrees' });
  });
});

describe('a text of several statements', () => {
  const select = text('SelectStmt');
  const ran = server([command('select')]);

  it('has as many answers, or fewer where it broke off', () => {
    expect(crossCheckText([select, select], [ran, ran], true)).toEqual({ kind: 'agrees' });
    expect(crossCheckText([select, select], [ran], false)).toEqual({ kind: 'agrees' });
  });

  it('differs where the server ran more, or fewer and all', () => {
    const reason = 'the text has 1 statements, the server ran 2';
    expect(crossCheckText([select], [ran, ran], false)).toEqual({ kind: 'differs', reason });
    expect(crossCheckText([select, select], [ran], true).kind).toBe('differs');
  });

  it('differs where one of them does', () => {
    expect(crossCheckText([select, select], [ran, server([command('DROPSTMT')])], true).kind).toBe('differs');
  });
});
