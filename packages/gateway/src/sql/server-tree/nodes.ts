/**
 * PostgreSQL's own trees as generic nodes: what {@link TreeReader} gives, and how to look into it.
 *
 * Spec: PostgreSQL 15 to 18, src/backend/nodes/outfuncs.c, read.c. A token stays as it was written, with its
 * backslashes and quotes, because that is what tells a string from a number; {@link textOf} takes them off.
 */

import type { NodeShape } from './node-shape.ts';

/** `<>` is null. A string is a token: a number, `true`, `and`, a name, or `"…"`, which is a String node. */
export type TreeValue = null | string | TreeNode | TreeList | TreeDatum;

/** `{TAG :field value …}` */
export class TreeNode {
  readonly kind = 'node';
  /** Its tag and its fields; nodes of a kind share it. */
  shape: NodeShape;
  /** In the order of the fields. */
  readonly values: TreeValue[] = [];

  constructor(shape: NodeShape) {
    this.shape = shape;
  }

  get tag(): string {
    return this.shape.tag;
  }

  /** Names of the fields in their order; empty for a word that stands without one, as ANY in `{A_EXPR ANY …}`. */
  get names(): readonly string[] {
    return this.shape.names;
  }
}

/** `(…)`, and with what its members are: `i` integers, `o` oids, `x` transaction ids, `b` a set of integers. */
export class TreeList {
  readonly kind = 'list';
  readonly of: 'nodes' | 'i' | 'o' | 'x' | 'b';
  readonly items: TreeValue[] = [];

  constructor(of: TreeList['of']) {
    this.of = of;
  }
}

/** `4 [ 1 0 0 0 ]`: a value of a Const, as it is in the server's memory. */
export class TreeDatum {
  readonly kind = 'datum';
  /** Bytes that the value has; between the brackets are at least eight where it is passed by value. */
  readonly lengthBytes: number;
  /** What stands between the brackets; {@link datumBytes} reads it. */
  readonly written: string;

  constructor(lengthBytes: number, written: string) {
    this.lengthBytes = lengthBytes;
    this.written = written;
  }
}

const NOTHING: readonly TreeValue[] = [];

/** A field's value; undefined where the node has no such field. */
export function fieldOf(node: TreeNode, name: string): TreeValue | undefined {
  const index = node.shape.indexOf(name);
  return index === undefined ? undefined : node.values[index];
}

/** A field's number; undefined where it is none. */
export function numberOf(node: TreeNode, name: string): number | undefined {
  return toNumber(fieldOf(node, name));
}

/** A token as a number, if it is written as one. */
export function toNumber(value: TreeValue | undefined): number | undefined {
  if (typeof value !== 'string') return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) && String(number) === value ? number : undefined;
}

/** The members of a field that is a list; none where it is null or something else. */
export function itemsOf(node: TreeNode, name: string): readonly TreeValue[] {
  const value = fieldOf(node, name);
  return value instanceof TreeList ? value.items : NOTHING;
}

/** A field's text without backslashes, and without the quotes of a String node; undefined where it is none. */
export function textOf(node: TreeNode, name: string): string | undefined {
  return toText(fieldOf(node, name));
}

/**
 * A token's text: what `debackslash` of read.c makes of it. A line end in it is nearly always a space at which
 * PostgreSQL broke a line, and nothing tells them apart: names are for people, numbers are for decisions.
 */
export function toText(value: TreeValue | undefined): string | undefined {
  if (typeof value !== 'string') return undefined;
  const quoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  const bare = quoted ? value.slice(1, -1) : value;
  const plain = bare.includes('\\')
    ? bare.replace(/\\([\s\S])/g, (_, byte: string) => (byte === '\n' ? ' ' : byte))
    : bare;
  // Never a part of the tree's text, which would stay in memory for as long as a name of it.
  return Buffer.from(plain, 'latin1').toString('utf8');
}

/** Whether a tree is of a command and not of a query; PostgreSQL 15 writes `?` in the place of one. */
export function isCommand(root: TreeValue): boolean {
  if (root === '?') return true;
  if (!(root instanceof TreeNode) || root.tag !== 'QUERY') return false;
  const utility = fieldOf(root, 'utilityStmt');
  return utility instanceof TreeNode || utility === '?';
}

/** The bytes of a datum; undefined where they are not written as bytes. */
export function datumBytes(datum: TreeDatum): Uint8Array | undefined {
  const words = datum.written.split(/[ \n]+/).filter((word) => word !== '');
  const bytes = new Uint8Array(words.length);
  for (const [i, word] of words.entries()) {
    // Written as signed characters.
    const byte = toNumber(word);
    if (byte === undefined || byte < -128 || byte > 255) return undefined;
    bytes[i] = byte;
  }
  return bytes.length < datum.lengthBytes ? undefined : bytes;
}
