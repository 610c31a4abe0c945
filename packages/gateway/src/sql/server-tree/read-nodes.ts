/**
 * Reads the text of a tree: bytes → {@link TreeValue}, in one pass, within bounds, without an exception.
 *
 * Spec: PostgreSQL 15 to 18, src/backend/nodes/outfuncs.c (`nodeToString`) and read.c (`pg_strtok`, `nodeRead`).
 * Grammar: value = `<>` | token | list | node | datum; node = `{` TAG *(`:`name value | word) `}`;
 *   list = `(` *value `)` | `(` (`i` | `o` | `x` | `b`) *number `)`; datum = number `[` *number `]`.
 *   A token ends at a space, a line end, or one of `(){}`; a backslash takes the next byte as it is.
 * Kept: every node and every field, known or not; what a datum holds is read when it is asked for.
 * Refused: what `debug_pretty_print` makes, which breaks a line before every colon, in names too; more bytes, values or depth than limits.serverTree has; a bracket that has no partner; text behind
 *   the tree; a line break whose place cannot be told (unwrap.ts).
 * Untrusted: every byte. A name may be `:relid`: what follows a field's name is its value, whatever it looks like.
 */

import { LIMITS } from '../../core/limits.ts';
import { type NodeShape, NodeShapes } from './node-shape.ts';
import { TreeDatum, TreeList, TreeNode, type TreeValue } from './nodes.ts';
import { unwrapped } from './unwrap.ts';

export type ReadTree =
  | { readonly kind: 'tree'; readonly root: TreeValue }
  | { readonly kind: 'refused'; readonly reason: TreeRefusal };

export type TreeRefusal = 'too-long' | 'too-deep' | 'too-many-values' | 'malformed' | 'wrapped' | 'pretty';

const limits = LIMITS.serverTree;

const NEWLINE = 0x0a;
const SPACE = 0x20;
const OPEN_LIST = 0x28;
const CLOSE_LIST = 0x29;
const COLON = 0x3a;
const LESS = 0x3c;
const GREATER = 0x3e;
const OPEN_DATUM = 0x5b;
const BACKSLASH = 0x5c;
const OPEN_NODE = 0x7b;
const CLOSE_NODE = 0x7d;

/** For each byte: whether it ends a token. */
const ENDS_TOKEN = new Uint8Array(256);
for (const code of [SPACE, NEWLINE, 0x09, OPEN_LIST, CLOSE_LIST, OPEN_NODE, CLOSE_NODE]) ENDS_TOKEN[code] = 1;

/** Reads trees. It remembers which fields nodes of a kind have, so that their names are made only once. */
export class TreeReader {
  readonly #shapes = new NodeShapes(limits.shapesMax);

  /** @param bytes the detail of a notice that is a tree; not kept */
  read(bytes: Uint8Array): ReadTree {
    if (bytes.length > limits.bytesMax) return { kind: 'refused', reason: 'too-long' };
    // Its first line is the bracket alone; otherwise a line is broken where a space was, and there is none yet.
    if (bytes[0] === OPEN_LIST && bytes[1] === NEWLINE) return { kind: 'refused', reason: 'pretty' };
    const text = unwrapped(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'));
    if (text === undefined) return { kind: 'refused', reason: 'wrapped' };
    return new Reading(text, this.#shapes).read();
  }
}

type Open = TreeNode | TreeList;

/** One tree that is being read. */
class Reading {
  readonly #text: string;
  readonly #shapes: NodeShapes;
  /** What is open, outermost first. */
  readonly #open: Open[] = [];
  #at = 0;
  #values = 0;
  #refusal: TreeRefusal | undefined;

  constructor(text: string, shapes: NodeShapes) {
    this.#text = text;
    this.#shapes = shapes;
  }

  read(): ReadTree {
    const root = this.#value();
    for (let inner = this.#open.at(-1); inner !== undefined; inner = this.#open.at(-1)) {
      if (inner instanceof TreeNode) this.#nodeMembers(inner);
      else this.#listMembers(inner);
      if (this.#refusal !== undefined) break;
    }
    this.#skipSpace();
    if (this.#refusal === undefined && this.#at < this.#text.length) this.#refusal = 'malformed';
    return this.#refusal === undefined ? { kind: 'tree', root } : { kind: 'refused', reason: this.#refusal };
  }

  /** Reads on in a node, until it ends, or something begins that has members itself. */
  #nodeMembers(node: TreeNode): void {
    const depth = this.#open.length;
    let { shape } = node;
    while (this.#open.length === depth && this.#refusal === undefined) {
      this.#skipSpace();
      const code = this.#text.charCodeAt(this.#at);
      if (code === CLOSE_NODE) {
        this.#at += 1;
        this.#open.pop();
        return;
      }
      shape = code === COLON ? this.#withField(shape) : this.#shapes.with(shape, '');
      node.shape = shape;
      node.values.push(this.#value());
    }
  }

  #listMembers(list: TreeList): void {
    const depth = this.#open.length;
    while (this.#open.length === depth && this.#refusal === undefined) {
      this.#skipSpace();
      if (this.#text.charCodeAt(this.#at) === CLOSE_LIST) {
        this.#at += 1;
        this.#open.pop();
        return;
      }
      list.items.push(this.#value());
    }
  }

  /** A value, or the beginning of one that has members. */
  #value(): TreeValue {
    this.#skipSpace();
    this.#values += 1;
    if (this.#values > limits.valuesMax) return this.#refuse('too-many-values');
    const text = this.#text;
    const from = this.#at;
    const code = text.charCodeAt(from);
    if (code === LESS && text.charCodeAt(from + 1) === GREATER && this.#endsToken(from + 2)) {
      this.#at = from + 2;
      return null;
    }
    if (code === OPEN_NODE) return this.#openNode();
    if (code === OPEN_LIST) return this.#openList();
    const token = this.#token();
    const isNumber = code >= 0x30 && code <= 0x39;
    return isNumber && text.charCodeAt(this.#at + 1) === OPEN_DATUM ? this.#datum(token) : token;
  }

  #openNode(): TreeValue {
    this.#at += 1;
    const tag = this.#token();
    return this.#push(new TreeNode(this.#shapes.ofTag(tag)));
  }

  #openList(): TreeValue {
    const text = this.#text;
    const marker = text.charAt(this.#at + 1);
    this.#at += 1;
    const marked = marker === 'i' || marker === 'o' || marker === 'x' || marker === 'b';
    if (!marked || !this.#endsToken(this.#at + 1)) return this.#push(new TreeList('nodes'));
    this.#at += 1;
    return this.#push(new TreeList(marker));
  }

  /** Whoever wrote a number did not write a name: those get a backslash before a leading digit. */
  #datum(length: string): TreeValue {
    const from = this.#at + 2;
    const end = this.#text.indexOf(']', from);
    const lengthBytes = Number(length);
    if (end === -1 || !Number.isSafeInteger(lengthBytes)) return this.#refuse('malformed');
    this.#at = end + 1;
    return new TreeDatum(lengthBytes, this.#text.slice(from, end));
  }

  #push<T extends Open>(value: T): T {
    if (this.#open.length === limits.depthMax) this.#refuse('too-deep');
    this.#open.push(value);
    return value;
  }

  /** The name after a colon: nearly always the one that the node before had in this place. */
  #withField(shape: NodeShape): NodeShape {
    const from = this.#at + 1;
    const { expected, expectedShape } = shape;
    const end = from + expected.length;
    if (expectedShape !== undefined && this.#text.startsWith(expected, from) && this.#endsToken(end)) {
      this.#at = end;
      return expectedShape;
    }
    this.#at = from;
    return this.#shapes.with(shape, this.#token());
  }

  #token(): string {
    const text = this.#text;
    const from = this.#at;
    let at = from;
    let code = text.charCodeAt(at);
    while (ENDS_TOKEN[code] === 0) {
      at += code === BACKSLASH ? 2 : 1;
      code = text.charCodeAt(at);
    }
    if (at === from || at > text.length) {
      this.#refuse('malformed');
      return '';
    }
    this.#at = at;
    return at === from + 1 ? text.charAt(from) : text.slice(from, at);
  }

  #endsToken(at: number): boolean {
    return ENDS_TOKEN[this.#text.charCodeAt(at)] !== 0;
  }

  #skipSpace(): void {
    const text = this.#text;
    let at = this.#at;
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (code !== SPACE && code !== NEWLINE) break;
      at += 1;
    }
    this.#at = at;
  }

  #refuse(reason: TreeRefusal): null {
    this.#refusal ??= reason;
    return null;
  }
}
