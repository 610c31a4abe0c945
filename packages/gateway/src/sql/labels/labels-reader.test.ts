/** Where values come from, in trees of real servers, and in what becomes of those by accident. */

import { readdirSync, readFileSync } from 'node:fs';
import { assert, constantFrom, nat, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mutate, Random } from '../../../../../test/fuzz/random.ts';
import type { StatementLabels } from '../../core/column-labels.ts';
import { LABEL_LIMITS } from '../../core/label-limits.ts';
import { TreeDatum, TreeList, TreeNode, type TreeValue } from '../server-tree/nodes.ts';
import { TreeReader } from '../server-tree/read-nodes.ts';
import { writeTree } from '../server-tree/testing-trees.ts';
import type { FunctionKnowledge } from './function-knowledge.ts';
import { LabelsReader } from './labels-reader.ts';

const VECTORS = new URL('../../../../../vectors/sql/server-trees/', import.meta.url);
const RUNS = process.env['COUNTERSIGN_SOAK'] === undefined ? 100 : 20_000;

const PURE: FunctionKnowledge = { of: (oid) => (oid < 16_384 ? 'pure' : 'opaque') };

const TREES: ReadonlyMap<string, TreeValue> = new Map(
  readdirSync(VECTORS)
    .filter((name) => name.endsWith('.txt'))
    .map((name) => [name.slice(0, -'.txt'.length), rootOf(readFileSync(new URL(name, VECTORS)))]),
);

function rootOf(text: string | Uint8Array): TreeValue {
  const tree = new TreeReader().read(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  if (tree.kind === 'refused') throw new Error(tree.reason);
  return tree.root;
}

function labelsOf(...roots: readonly TreeValue[]): StatementLabels {
  return new LabelsReader().read(roots, PURE);
}

/** The text of a tree in which one node is put into another; `undefined` behind the last one. */
function wrapped(
  root: TreeValue,
  at: number,
  mayWrap: (node: TreeNode) => boolean,
  wrap: (text: string) => string,
) {
  let index = -1;
  const write = (value: TreeValue): string => {
    if (value === null || typeof value === 'string' || value instanceof TreeDatum) return writeTree(value);
    if (value instanceof TreeList) {
      return `(${[...(value.of === 'nodes' ? [] : [value.of]), ...value.items.map(write)].join(' ')})`;
    }
    const mine = mayWrap(value) ? ++index : -1;
    const fields = value.names.map(
      (name, field) => ` ${name === '' ? '' : `:${name} `}${write(value.values[field] ?? null)}`,
    );
    const text = `{${value.tag}${fields.join('')}}`;
    return mine === at ? wrap(text) : text;
  };
  const text = write(root);
  return index >= at ? rootOf(text) : undefined;
}

function count(root: TreeValue, mayWrap: (node: TreeNode) => boolean): number {
  const parts = root instanceof TreeNode ? root.values : root instanceof TreeList ? root.items : [];
  const self = root instanceof TreeNode && mayWrap(root) ? 1 : 0;
  return parts.reduce((sum: number, part) => sum + count(part, mayWrap), self);
}

const EXPRESSIONS = new Set(
  'VAR CONST FUNCEXPR OPEXPR BOOLEXPR AGGREF SUBLINK CASEEXPR COALESCEEXPR RELABELTYPE SCALARARRAYOPEXPR NULLTEST'.split(
    ' ',
  ),
);

function isExpression(node: TreeNode): boolean {
  return EXPRESSIONS.has(node.tag);
}

/** What was known before and is neither known nor told to be unknown after. */
function lost(before: StatementLabels, after: StatementLabels): readonly string[] {
  const missing: string[] = [];
  const opaqueUse = after.uses.some(({ opaque }) => opaque !== undefined);
  for (const [index, { labels, name }] of (before.outputs ?? []).entries()) {
    const output = after.outputs?.[index];
    if (after.outputs === undefined || output?.opaque !== undefined) continue;
    for (const label of labels) if (output?.labels.has(label) !== true) missing.push(`${label} of ${name}`);
  }
  for (const { kind, labels } of before.uses) {
    for (const label of labels) {
      const kept = after.uses.some((use) => use.kind === kind && use.labels.has(label));
      if (!kept && !opaqueUse) missing.push(`${kind} ${label}`);
    }
  }
  const opaqueWrite = after.writes.some(({ opaque }) => opaque !== undefined);
  for (const { target, labels } of before.writes) {
    const write = after.writes.find((each) => each.target === target);
    for (const label of labels)
      if (write?.labels.has(label) !== true && !opaqueWrite) missing.push(`${target} < ${label}`);
  }
  return missing;
}

describe('of trees of real servers', () => {
  it('columns of views are those of the tables behind them', () => {
    for (const major of ['15', '18']) {
      const { outputs, uses } = labelsOf(TREES.get(`${major}-view-join`) ?? null);
      const [title, number, score] = outputs ?? [];
      expect(title?.identity).toMatch(/^\d+\.2$/);
      expect([...(number?.labels ?? [])]).toEqual([]);
      expect(score?.labels.size).toBe(1);
      expect([...new Set(uses.map(({ kind }) => kind))].toSorted()).toEqual(['group', 'join', 'predicate']);
      expect(uses.some(({ view }) => view !== undefined)).toBe(true);
    }
  });

  it.each([...TREES.keys()])('%s has nothing unknown in it', (name) => {
    const { outputs, uses, writes } = labelsOf(TREES.get(name) ?? null);
    // The query of a cursor was not rewritten: its views are views.
    const opaque = [...(outputs ?? []), ...uses, ...writes].some((part) => part.opaque !== undefined);
    expect(opaque).toBe(name.endsWith('declare-cursor'));
  });
});

const names = constantFrom(...TREES.keys());

describe('no label is lost', () => {
  it('where an expression is put into another', () => {
    const wraps = constantFrom(
      (text: string) => `{FUNCEXPR :funcid 871 :funcresulttype 25 :funcretset false :args (${text})}`,
      (text: string) => `{COALESCEEXPR :coalescetype 25 :args (${text} {CONST :consttype 25})}`,
      (text: string) =>
        `{CASEEXPR :casetype 25 :arg <> :args ({CASEWHEN :expr ${text} :result <>}) :defresult <>}`,
      (text: string) => `{OPEXPR :opno 96 :opfuncid 65 :opresulttype 16 :opretset false :args (${text})}`,
    );
    assert(
      property(names, nat(), wraps, (name, at, wrap) => {
        const root = TREES.get(name) ?? null;
        const after = wrapped(root, at % Math.max(1, count(root, isExpression)), isExpression, wrap);
        if (after === undefined) return;
        const changed = labelsOf(after);
        expect(lost(labelsOf(root), changed)).toEqual([]);
        const opaque = changed.uses.some((use) => use.opaque !== undefined);
        expect(opaque && !name.endsWith('declare-cursor')).toBe(false);
      }),
      { numRuns: RUNS },
    );
  });

  it('where a node of an unknown kind stands around any other', () => {
    assert(
      property(names, nat(), (name, at) => {
        const root = TREES.get(name) ?? null;
        const after = wrapped(
          root,
          at % count(root, () => true),
          () => true,
          (text) => `{NOVELTY :of ${text}}`,
        );
        expect(lost(labelsOf(root), labelsOf(after ?? null))).toEqual([]);
      }),
      { numRuns: RUNS * 2 },
    );
  });

  it('where a field has another name', () => {
    assert(
      property(names, constantFrom(...RENAMED), (name, field) => {
        const root = TREES.get(name) ?? null;
        const text = writeTree(root).replaceAll(`:${field} `, ':novelty ');
        expect(lost(labelsOf(root), labelsOf(rootOf(text)))).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });
});

const RENAMED = [
  'targetList jointree quals rtable rtekind relid subquery joinaliasvars groupexprs functions values_lists ctename cteList',
  'ctequery returningList onConflict onConflictSet sortClause groupClause windowClause havingQual limitCount varno varattno',
  'varlevelsup expr resno setOperations larg rarg fromlist funcid aggfnoid mergeActionList commandType',
]
  .join(' ')
  .split(' ');

describe('whatever comes', () => {
  it('there is no exception', () => {
    assert(
      property(names, nat(), (name, seed) => {
        const root = TREES.get(name) ?? null;
        const random = new Random(seed);
        const bytes = mutate(Buffer.from(writeTree(root), 'latin1'), random);
        const tree = new TreeReader().read(bytes);
        const labels = labelsOf(tree.kind === 'tree' ? tree.root : null);
        expect(labels.relations).toBeInstanceOf(Set);
      }),
      { numRuns: RUNS },
    );
  });

  it('numbers may be any, and circles end', () => {
    assert(
      property(names, nat(), (name, seed) => {
        const root = TREES.get(name) ?? null;
        const random = new Random(seed);
        const text = writeTree(root).replace(
          /:(varno|varattno|varlevelsup|rtindex|resno|rtekind|ctelevelsup|ressortgroupref|commandType|resultRelation) \d+/g,
          (all: string, field: string) => (random.oneIn(4) ? `:${field} ${random.below(5)}` : all),
        );
        expect(labelsOf(rootOf(text)).relations).toBeInstanceOf(Set);
      }),
      { numRuns: RUNS },
    );
  });

  it('a tree that is no query leaves nothing known', () => {
    const { outputs, uses, writes } = labelsOf(rootOf('({NOVELTY :of {QUERY :commandType 1}})'));
    expect(outputs).toBeUndefined();
    expect([...uses, ...writes].every(({ opaque }) => opaque !== undefined)).toBe(true);
    expect(writes).toHaveLength(1);
  });

  it('a tree may be deep', () => {
    const depth = 8_000;
    const open = '{FUNCEXPR :funcid 871 :args ('.repeat(depth);
    const text = query(
      `{TARGETENTRY :expr ${open}{VAR :varno 1 :varattno 2 :varlevelsup 0}${')}'.repeat(depth)} :resno 1 :resjunk false}`,
    );
    expect([...(labelsOf(rootOf(text)).outputs?.[0]?.labels ?? [])]).toEqual(['16400.2']);
  });

  it('what is too much leaves nothing known', () => {
    // Each of so many functions that nobody knows is given all that a sub-select has.
    const unknown = '{FUNCEXPR :funcid 16999 :args ({VAR :varno 1 :varattno 0 :varlevelsup 0})}';
    const columns = 1_200;
    const list = (text: (i: number) => string): string =>
      Array.from({ length: columns }, (_, i) => entry(i, text(i))).join(' ');
    const inner = query(list((i) => `{VAR :varno 1 :varattno ${i + 1} :varlevelsup 0}`));
    const text = query(list(() => unknown)).replace(
      '{RANGETBLENTRY :rtekind 0 :relid 16400 :relkind r}',
      `{RANGETBLENTRY :rtekind 1 :relid 0 :subquery ${inner}}`,
    );
    expect(columns * columns * 2).toBeGreaterThan(LABEL_LIMITS.stepsMax);
    const { outputs, uses } = labelsOf(rootOf(text));
    expect(outputs).toBeUndefined();
    expect(uses[0]?.opaque).toBe('too much to follow');
  });
});

function entry(i: number, text: string): string {
  return `{TARGETENTRY :expr ${text} :resno ${i + 1} :resjunk false}`;
}

/** A SELECT from one table. */
function query(targetList: string): string {
  const empty =
    'cteList onConflict returningList groupClause havingQual windowClause distinctClause sortClause limitOffset limitCount setOperations';
  const rest = empty
    .split(' ')
    .map((name) => `:${name} <>`)
    .join(' ');
  return `{QUERY :commandType 1 :hasTargetSRFs false :rtable ({RANGETBLENTRY :rtekind 0 :relid 16400 :relkind r}) :jointree {FROMEXPR :fromlist ({RANGETBLREF :rtindex 1}) :quals <>} :targetList (${targetList}) ${rest}}`;
}
