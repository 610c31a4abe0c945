import { readFileSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { mutate, Random } from '../../../../../test/fuzz/random.ts';
import { FactsReader, type ServerFacts } from './facts.ts';
import type { TreeValue } from './nodes.ts';
import { TreeReader } from './read-nodes.ts';

const VECTORS = new URL('../../../../../vectors/sql/server-trees/', import.meta.url);
const ROUNDS = process.env['COUNTERSIGN_SOAK'] === undefined ? 1 : 50;
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? randomInt(2 ** 31));

function rootOf(text: string | Uint8Array): TreeValue {
  const tree = new TreeReader().read(typeof text === 'string' ? Buffer.from(text) : text);
  if (tree.kind === 'refused') throw new Error(tree.reason);
  return tree.root;
}

function factsOf(...texts: readonly string[]): ServerFacts {
  return new FactsReader().read(texts.map(rootOf));
}

function vector(name: string): string {
  return readFileSync(new URL(`${name}.txt`, VECTORS), 'utf8');
}

/** Relations in the order of their oids, as `kind uses columns`. */
function relations({ relations: all }: ServerFacts): readonly string[] {
  return all
    .toSorted((a, b) => a.oid - b.oid)
    .map(({ relkind, uses, columns }) => {
      const written = columns.map(({ verb, attno, name }) => `${verb}:${attno}:${name}`).toSorted();
      return [relkind, uses.toSorted().join('+'), ...written].join(' ');
    });
}

/** In the order in which they were created: documents, ranking_scores, titles, scored. */
const WANTED: Readonly<Record<string, readonly string[]>> = {
  'point-select': ['r read'],
  'wide-join': ['r read', 'r read'],
  'view-join': ['r read', 'r read', 'v read', 'v read'],
  'update-view': ['r read+update update:2:title', 'v read+update'],
  'writing-cte': ['r insert+read+update insert:1:id insert:2:title update:2:title', 'r delete+read'],
  merge: ['r read', 'r delete+insert+merge+read+update insert:1:document_id insert:2:score update:2:score'],
  'declare-cursor': ['v read'],
  'strange-names': ['r read'],
  'create-table': [],
};

describe.each(['15', '18'])('trees of PostgreSQL %s', (major) => {
  it.each(Object.entries(WANTED))('%s', (name, wanted) => {
    const facts = factsOf(vector(`${major}-${name}`));
    expect(relations(facts)).toEqual(wanted);
    expect(facts.unknown).toEqual([]);
    expect(facts.expanded).toBe(name !== 'declare-cursor');
  });

  it('name operators and functions by their oids', () => {
    const { functions, operators } = factsOf(vector(`${major}-point-select`));
    expect({ functions, operators }).toEqual({ functions: [65], operators: [96] });
    // count(*), max(numeric), upper(text), and what is behind LIKE, <>, = and ORDER BY.
    expect(factsOf(vector(`${major}-view-join`)).functions).toEqual(
      expect.arrayContaining([2803, 2130, 871, 850, 157, 65]),
    );
  });

  it('say what is changed in a WITH, and by what', () => {
    const [command] = factsOf(vector(`${major}-writing-cte`)).commands;
    expect(command?.verb).toBe('select');
    expect(command?.writes.map(({ verb }) => verb).toSorted()).toEqual(['delete', 'insert']);
  });
});

describe('two trees of one statement', () => {
  it('are taken together', () => {
    const facts = factsOf(vector('18-create-table'), vector('18-update-view'));
    expect(facts.commands.map(({ verb, utility }) => [verb, utility])).toEqual([
      ['utility', 'CREATESTMT'],
      ['update', undefined],
    ]);
  });
});

describe('what a later version may have', () => {
  it('is unknown, and what is in it counts all the same', () => {
    const query =
      '({QUERY :commandType 1 :querySource 0 :canSetTag true :utilityStmt <> :resultRelation 0 :rtable <> :rowMarks <>' +
      ' :newField {NEWNODE :relid 20000 :newfuncid 20001 :steps ({STEPEXPR :opno 20002 :stepfnoid 20003})}})';
    const facts = factsOf(query);
    expect(facts.unknown.toSorted()).toEqual(['NEWNODE', 'STEPEXPR']);
    expect(relations(facts)).toEqual([' read']);
    expect(new Set(facts.functions)).toEqual(new Set([20_001, 20_003]));
    expect(facts.operators).toEqual([20_002]);
  });

  it.each([
    ['a command type', '({QUERY :commandType 8 :utilityStmt <>})', 'a query of an unknown command type'],
    ['a query without one', '({QUERY :utilityStmt <>})', 'a query of an unknown command type'],
    [
      'a kind of range table entry',
      '({QUERY :commandType 1 :utilityStmt <> :rtable ({RANGETBLENTRY :rtekind 10})})',
      'an unknown kind of range table entry',
    ],
    [
      'a change without a table',
      '({QUERY :commandType 4 :utilityStmt <> :resultRelation 1 :rtable <>})',
      'a change without a table',
    ],
    ['something else than a query', '({PLANNEDSTMT})', 'a tree that is not a query'],
    ['no node at all', '(1)', 'a tree that is not a query'],
  ])('%s', (_, text, unknown) => {
    expect(factsOf(text).unknown).toContain(unknown);
  });
});

it('a name cannot pass for a table, a function or a node', () => {
  const named = factsOf(vector('18-strange-names'));
  const plain = factsOf(vector('18-point-select'));
  expect(named.functions).toEqual([]);
  expect(named.relations.map(({ oid }) => oid)).toEqual(plain.relations.map(({ oid }) => oid));
});

it('a rule that does nothing instead leaves no command', () => {
  expect(factsOf('<>')).toEqual({
    commands: [],
    relations: [],
    functions: [],
    operators: [],
    types: [],
    expanded: true,
    unknown: [],
  });
});

it('trees that are changed anywhere give facts, and never an exception', { timeout: 600_000 }, () => {
  const reader = new TreeReader();
  const facts = new FactsReader();
  const counts = { understood: 0, unknown: 0 };
  for (const [index, name] of Object.keys(WANTED).entries()) {
    const bytes = new Uint8Array(readFileSync(new URL(`18-${name}.txt`, VECTORS)));
    for (let input = 0; input < 600 * ROUNDS; input += 1) {
      const tree = reader.read(mutate(bytes, new Random(seed + index, input), 6));
      if (tree.kind === 'refused') continue;
      try {
        counts[facts.read([tree.root]).unknown.length === 0 ? 'understood' : 'unknown'] += 1;
      } catch (cause) {
        throw new Error(`COUNTERSIGN_SEED=${seed}, ${name}, input ${input}`, { cause });
      }
    }
  }
  console.info(
    `facts of changed trees: seed ${seed}, ${counts.understood} understood, ${counts.unknown} unknown`,
  );
  expect(counts.understood + counts.unknown).toBeGreaterThan(0);
});

it('a tree that is as deep as may be does not exhaust the stack', () => {
  const depth = 8_000;
  const text = `({QUERY :commandType 1 :utilityStmt <> :quals ${'{OPEXPR :args ('.repeat(depth)}${')}'.repeat(depth)}})`;
  expect(factsOf(text).unknown).toEqual([]);
});
