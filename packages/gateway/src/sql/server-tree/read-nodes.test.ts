import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { mutate, Random } from '../../../../../test/fuzz/random.ts';
import { LIMITS } from '../../core/limits.ts';
import {
  datumBytes,
  fieldOf,
  itemsOf,
  numberOf,
  TreeDatum,
  TreeList,
  TreeNode,
  textOf,
  toText,
} from './nodes.ts';
import { TreeReader } from './read-nodes.ts';
import { formatNodeDump, writeToken, writeTree } from './testing-trees.ts';

const VECTORS = new URL('../../../../../vectors/sql/server-trees/', import.meta.url);
const TREES = readdirSync(VECTORS)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => ({ name, bytes: new Uint8Array(readFileSync(new URL(name, VECTORS))) }));

const ROUNDS = process.env['COUNTERSIGN_SOAK'] === undefined ? 1 : 50;
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? randomInt(2 ** 31));

function read(text: string): ReturnType<TreeReader['read']> {
  return new TreeReader().read(Buffer.from(text, 'latin1'));
}

function root(text: string): TreeNode {
  const tree = read(text);
  if (tree.kind !== 'tree' || !(tree.root instanceof TreeNode))
    throw new Error(`${text}: ${JSON.stringify(tree)}`);
  return tree.root;
}

describe('a node', () => {
  it('keeps tokens as they stand, and takes backslashes and quotes off where a text is asked for', () => {
    const node = root(
      '{A :x -1 :y true :z and :n <> :w a\\ b\\(\\} :q \\"v\\" :p \\<> :c ?column? :s "a\\ "b"}',
    );
    expect(node.tag).toBe('A');
    expect(node.names).toEqual(['x', 'y', 'z', 'n', 'w', 'q', 'p', 'c', 's']);
    expect(numberOf(node, 'x')).toBe(-1);
    expect(numberOf(node, 'y')).toBeUndefined();
    expect(fieldOf(node, 'n')).toBeNull();
    expect(fieldOf(node, 'missing')).toBeUndefined();
    expect(['w', 'q', 'p', 'c', 's'].map((name) => textOf(node, name))).toEqual([
      'a b(}',
      '"v"',
      '<>',
      '?column?',
      'a "b',
    ]);
  });

  it('has a value behind each name, also where the value looks like a name', () => {
    const node = root('{TARGETENTRY :resname :relid :resno :7 :funcid 8}');
    expect(node.names).toEqual(['resname', 'resno', 'funcid']);
    expect(textOf(node, 'resname')).toBe(':relid');
    expect(numberOf(node, 'relid')).toBeUndefined();
  });

  it('has words without names, as expressions of the parser do', () => {
    const node = root('{A_EXPR ANY :name ("=") :lexpr <>}');
    expect(node.names).toEqual(['', 'name', 'lexpr']);
    expect(node.values[0]).toBe('ANY');
  });

  it('is read the same, whatever nodes of its kind came before it', () => {
    const texts = [
      '{A :x 1 :y 2}',
      '{A :x 1}',
      '{A :x 1 :z 3 :y 2}',
      '{A W :x 1}',
      '{A :xx 1}',
      '{A}',
      '{A :x 1 :y 2}',
    ];
    const reader = new TreeReader();
    for (let round = 0; round < 3; round += 1) {
      for (const text of texts) {
        const tree = reader.read(Buffer.from(text));
        expect(tree.kind === 'tree' && writeTree(tree.root)).toBe(text);
      }
    }
  });
});

describe('lists and values', () => {
  it('are told apart by their marker', () => {
    const node = root('{A :i (i 1 -2) :o (o 3) :b (b 8 9) :e (b) :l ("id" 1.5 (a) {B}) :v () :in (in)}');
    expect(
      ['i', 'o', 'b', 'e', 'l', 'v', 'in'].map((name) => {
        const list = fieldOf(node, name);
        return list instanceof TreeList ? [list.of, list.items.length] : undefined;
      }),
    ).toEqual([
      ['i', 2],
      ['o', 1],
      ['b', 2],
      ['b', 0],
      ['nodes', 4],
      ['nodes', 0],
      ['nodes', 1],
    ]);
    expect(toText(itemsOf(node, 'l')[0])).toBe('id');
  });

  it('hold the bytes of a Const', () => {
    const datum = fieldOf(root('{CONST :constvalue 5 [ 20 0\n0 0 -1 ] :location 1}'), 'constvalue');
    if (!(datum instanceof TreeDatum)) throw new Error('expected a datum');
    expect(datumBytes(datum)).toEqual(Uint8Array.of(20, 0, 0, 0, 255));
    expect(datumBytes(new TreeDatum(1, ' x '))).toBeUndefined();
    expect(datumBytes(new TreeDatum(9, ' 1 '))).toBeUndefined();
  });

  it('are UTF-8 where they are text', () => {
    expect(textOf(root(Buffer.from('{A :aliasname Größe}').toString('latin1')), 'aliasname')).toBe('Größe');
  });

  it('have a space where a line was broken in a name', () => {
    expect(textOf(root('{A :aliasname a\\\nb}'), 'aliasname')).toBe('a b');
  });

  it('may be nothing at all, as for a rule that does nothing instead', () => {
    expect(read('<>\n')).toEqual({ kind: 'tree', root: null });
  });
});

describe('what is not a tree is refused', () => {
  it.each([
    ['', 'malformed'],
    ['{', 'malformed'],
    ['{}', 'malformed'],
    ['{A', 'malformed'],
    ['{A :}', 'malformed'],
    ['{A :x}', 'malformed'],
    ['{A :x 1', 'malformed'],
    ['{A :x 1)', 'malformed'],
    ['(1', 'malformed'],
    ['(1}', 'malformed'],
    [')', 'malformed'],
    ['{A} {B}', 'malformed'],
    ['{A :x 4 [ 1 2', 'malformed'],
    ['{A :x a\\', 'malformed'],
  ] as const)('%j', (text, reason) => {
    expect(read(text)).toEqual({ kind: 'refused', reason });
  });

  it('where it was made for people, so that a name with a colon may be a field', () => {
    expect(read('(\n   {QUERY \n   :resname x\n      :relid \n   }\n)\n\n')).toEqual({
      kind: 'refused',
      reason: 'pretty',
    });
  });

  it('by its length, before it is looked at', () => {
    const bytes = new Uint8Array(LIMITS.serverTree.bytesMax + 1).fill(0x28);
    expect(new TreeReader().read(bytes)).toEqual({ kind: 'refused', reason: 'too-long' });
  });

  it('by its depth', () => {
    const { depthMax } = LIMITS.serverTree;
    expect(read('('.repeat(depthMax) + ')'.repeat(depthMax)).kind).toBe('tree');
    expect(read('('.repeat(depthMax + 1) + ')'.repeat(depthMax + 1))).toEqual({
      kind: 'refused',
      reason: 'too-deep',
    });
    expect(read('{A :x '.repeat(1_000_000))).toEqual({ kind: 'refused', reason: 'too-deep' });
  });

  it('by the number of its values', () => {
    expect(read(`(${'1 '.repeat(LIMITS.serverTree.valuesMax)})`)).toEqual({
      kind: 'refused',
      reason: 'too-many-values',
    });
  });

  it('and nothing of its text is kept in memory by what is remembered of it', () => {
    const reader = new TreeReader();
    const padding = 'x'.repeat(4_000_000);
    const names: (string | undefined)[] = [];
    const before = usedBytes();
    for (let index = 0; index < 40; index += 1) {
      const long = `a_name_that_is_a_part_of_a_longer_text_${index}`;
      const tree = reader.read(Buffer.from(`{${long} :${long} ${long} :y ${padding}}`));
      if (tree.kind === 'tree' && tree.root instanceof TreeNode) names.push(textOf(tree.root, long));
    }
    expect(new Set(names).size).toBe(40);
    expect(usedBytes() - before).toBeLessThan(40_000_000);
  });

  it('in time that grows with its length, also where every field has a new name', () => {
    const fields = Array.from({ length: 400_000 }, (_, i) => ` :f${i} 1`).join('');
    const started = performance.now();
    const node = root(`{A${fields}}`);
    expect(node.names).toHaveLength(400_000);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('line breaks', () => {
  it('between bytes do not end a token', () => {
    const text = `({A :arg "${'x'.repeat(200)}" :b 1})`;
    const tree = read(formatNodeDump(text));
    expect(formatNodeDump(text).split('\n')).toHaveLength(5);
    expect(tree.kind === 'tree' && writeTree(tree.root)).toBe(text);
  });

  it('behind a backslash do not let a name put a bracket into the tree', () => {
    const name = writeToken(`a${'('.repeat(38)}}`);
    const dump = `{ALIAS :aliasname ${name} :colnames <>}`;
    // The bracket is the first of its line, as if nothing were before it.
    expect(formatNodeDump(dump)).toMatch(/\\\n[()}]/);
    expect(read(formatNodeDump(dump))).toEqual({ kind: 'refused', reason: 'wrapped' });
  });

  it('that may be the end of a string or a part of it are refused', () => {
    const dump = `("${'x'.repeat(75)}"" "b")`;
    expect(formatNodeDump(dump)).toContain('x"\n"');
    expect(read(formatNodeDump(dump))).toEqual({ kind: 'refused', reason: 'wrapped' });
  });

  it('never change a tree whose names and literals somebody chose', { timeout: 600_000 }, () => {
    const counts = { same: 0, refused: 0 };
    const reader = new TreeReader();
    for (let index = 0; index < 8_000 * ROUNDS; index += 1) {
      const random = new Random(seed, index);
      const dump = randomTree(random, 4);
      const tree = reader.read(Buffer.from(formatNodeDump(dump), 'latin1'));
      if (tree.kind === 'refused') {
        if (tree.reason !== 'wrapped')
          throw new Error(`COUNTERSIGN_SEED=${seed}, tree ${index}: ${tree.reason}`);
        counts.refused += 1;
        continue;
      }
      // An escaped space at a break is an escaped line end: the same token but for that.
      const written = writeTree(tree.root).replaceAll('\\\n', '\\ ');
      expect(written, `COUNTERSIGN_SEED=${seed}, tree ${index}`).toBe(dump.replaceAll('\\\n', '\\ '));
      counts.same += 1;
    }
    console.info(`wrapped trees: seed ${seed}, ${counts.same} the same, ${counts.refused} refused`);
    expect(counts.same).toBeGreaterThan(counts.refused);
    expect(counts.refused).toBeGreaterThan(0);
  });
});

/** After a collection of garbage; long strings are outside of the heap. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A tree with names of the worst kind: long, without spaces, full of what has to be escaped. */
function randomTree(random: Random, depth: number): string {
  const fields = Array.from({ length: 1 + random.below(5) }, () => {
    const value = depth > 0 && random.oneIn(3) ? randomTree(random, depth - 1) : randomValue(random);
    return ` :${random.pick(['relid', 'aliasname', 'x', 'funcid'])} ${value}`;
  });
  return `{${random.pick(['A', 'QUERY', 'RANGETBLENTRY'])}${fields.join('')}}`;
}

function randomValue(random: Random): string {
  if (random.oneIn(3))
    return random.pick(['<>', '0', 'true', '(b 8 9)', '4 [ 1 0 0 0 ]', '({A :x 1} {B :y 2})']);
  const alphabet = random.pick(['ab', 'a(){}', 'a b', '(', '\\', 'a:"', 'a\n b', 'a\xe9', ' :}x']);
  const length = random.below(random.pick([4, 70, 70, 300]));
  const text = Array.from({ length }, () => alphabet.charAt(random.below(alphabet.length))).join('');
  // A String node, in a list or by itself, or a name.
  const quoted = `"${text === '' ? '' : writeToken(text)}"`;
  return random.pick([writeToken(text), quoted, `(${quoted} "b")`]);
}

describe('trees of real servers', () => {
  it.each(TREES)('$name writes back to itself', ({ bytes }) => {
    const tree = new TreeReader().read(bytes);
    const text = Buffer.from(bytes).toString('latin1').trim().replaceAll('\n', ' ').replace(/ +/g, ' ');
    expect(tree.kind === 'tree' && writeTree(tree.root).replaceAll('\\\n', '\\ ')).toBe(text);
  });

  it('cut and changed anywhere give a tree or a refusal, and never an exception', {
    timeout: 600_000,
  }, () => {
    const reader = new TreeReader();
    const counts = { tree: 0, refused: 0 };
    for (const [index, { bytes }] of TREES.entries()) {
      for (let at = 0; at < bytes.length - 1; at += bytes.length > 4_000 ? 17 : 1) {
        expect(reader.read(bytes.subarray(0, at)).kind).toBe('refused');
      }
      for (let input = 0; input < 500 * ROUNDS; input += 1) {
        const changed = mutate(bytes, new Random(seed + index, input), 6);
        try {
          counts[reader.read(changed).kind] += 1;
        } catch (cause) {
          throw new Error(`COUNTERSIGN_SEED=${seed}, tree ${index}, input ${input}`, { cause });
        }
      }
    }
    console.info(`changed trees: seed ${seed}, ${counts.tree} read, ${counts.refused} refused`);
    expect(counts.refused).toBeGreaterThan(0);
  });

  it('garbage of brackets gives a tree or a refusal', { timeout: 600_000 }, () => {
    const reader = new TreeReader();
    const alphabet = Buffer.from('({:a <>"\\ 1[]\n)}bio', 'latin1');
    for (let input = 0; input < 10_000 * ROUNDS; input += 1) {
      const random = new Random(seed, input);
      const bytes = Uint8Array.from({ length: random.below(200) }, () => random.pick([...alphabet]));
      expect(['tree', 'refused'], `COUNTERSIGN_SEED=${seed}, input ${input}`).toContain(
        reader.read(bytes).kind,
      );
    }
  });
});
