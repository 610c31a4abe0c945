/**
 * PostgreSQL's own parser, as WebAssembly: text → raw parse tree.
 *
 * Made from libpg_query 18 (https://github.com/pganalyze/libpg_query). Its module is a machine that can break: a
 * text that is too deep for the stack of JavaScript leaves the module's own stack where it was, and after
 * some dozens of these it can parse nothing at all. So every end but a tree or an error of PostgreSQL's throws
 * the instance away; others stand ready, and a new one is made within the same turn of the event loop.
 *
 * Not safe for a text that {@link ./pre-scan.ts} has not seen: C ends it at a zero, and nested comments take
 * quadratic time. A text of more than some kilobytes belongs into a thread of its own.
 */

/* oxlint-disable no-underscore-dangle -- The names are emscripten's. */
// oxlint-disable-next-line typescript/triple-slash-reference -- The project of the tests finds it no other way.
/// <reference path="./libpg-query-factory.d.ts" />

import createModule, { type PgQueryModule } from 'libpg-query/wasm/libpg-query.js';
import type { ReadText } from '../core/effects.ts';
import { LIMITS } from '../core/limits.ts';
import { parseTree, type TreeNode } from './tree.ts';
import { type CompiledModule, compileModule } from './web-assembly.ts';

export type Parsed = { readonly kind: 'tree'; readonly tree: TreeNode } | Exclude<ReadText, { kind: 'read' }>;

export interface Parser {
  /** The tree of a text that was scanned before. */
  parse(bytes: Uint8Array): Parsed;
  /** Instances that were thrown away. */
  readonly recycled: number;
  /** Resolves when all spares are there; parsing does not wait for it. */
  ready(): Promise<void>;
}

/** Offsets in the module's structures: three pointers, and { message, function, file, line, position }. */
const ERROR_POINTER = 8;
const ERROR_POSITION = 16;

/** What PostgreSQL says when it is its stack or its memory, and not the text, that is at fault. */
const EXHAUSTED = /^(?:memory exhausted|out of memory|stack depth|invalid memory alloc)/;

/** `1or 2`: PostgreSQL 14 and before read two tokens, and the text goes on behind them. */
const OLDER_TOKENS = /^trailing junk/;
/** It quotes the token that it does not take, and of one that is not closed everything up to the end of the text. */
const QUOTED_LITERAL = /( at or near ")(?:[eEbBxXnN]?'|[uU]&['"]|[0-9.$"]|\/\*|--)[\s\S]*"$/;

const OLDER: Parsed = {
  kind: 'uninspectable',
  reason: 'an older PostgreSQL reads a number in it as two tokens',
};
const TOO_COMPLEX: Parsed = { kind: 'uninspectable', reason: 'it is too complex for the parser' };
const EMPTY: Parsed = { kind: 'tree', tree: {} };

/** A parser from the bytes of `libpg-query/wasm/libpg-query.wasm`. */
export async function openParser(wasm: Uint8Array): Promise<Parser> {
  const parser = new Instances(compileModule(wasm));
  await parser.ready();
  return parser;
}

/** Owns the instance in use and its spares. */
class Instances implements Parser {
  readonly #module: CompiledModule;
  readonly #spares: PgQueryModule[] = [];
  readonly #making = new Set<Promise<void>>();
  #recycled = 0;

  constructor(module: CompiledModule) {
    this.#module = module;
    this.#fill();
  }

  get recycled(): number {
    return this.#recycled;
  }

  parse(bytes: Uint8Array): Parsed {
    // libpg_query's wrapper refuses an empty text; for PostgreSQL it has no statements.
    if (bytes.length === 0) return EMPTY;
    const instance = this.#spares[0];
    if (instance === undefined) return { kind: 'uninspectable', reason: 'the parser is being made anew' };
    try {
      return parseWith(instance, bytes);
    } catch {
      // Whatever it was, the instance was left in the middle of its work, and the text may do it again.
      this.#spares.shift();
      this.#recycled += 1;
      this.#fill();
      return TOO_COMPLEX;
    }
  }

  async ready(): Promise<void> {
    while (this.#making.size > 0) await Promise.all(this.#making);
  }

  #fill(): void {
    while (this.#spares.length + this.#making.size <= LIMITS.sql.spareParsers) {
      const making = this.#make().finally(() => this.#making.delete(making));
      this.#making.add(making);
    }
  }

  async #make(): Promise<void> {
    const instance = await createModule({
      instantiateWasm: (imports, receive) => receive(this.#module.instantiate(imports)),
      print: () => {},
      printErr: () => {},
    });
    this.#spares.push(instance);
  }
}

function parseWith(instance: PgQueryModule, bytes: Uint8Array): Parsed {
  const text = instance._malloc(bytes.length + 1);
  if (text === 0) throw new Error('The parser has no memory left.');
  instance.HEAPU8.set(bytes, text);
  instance.HEAPU8[text + bytes.length] = 0;
  const result = instance._wasm_parse_query_raw(text);
  if (result === 0) throw new Error('The parser has no memory left.');
  // Not in a `finally`: an instance that threw is not used again.
  const parsed = readResult(instance, result, bytes);
  instance._free(text);
  instance._wasm_free_parse_result(result);
  return parsed;
}

function readResult(instance: PgQueryModule, result: number, bytes: Uint8Array): Parsed {
  const error = instance.getValue(result + ERROR_POINTER, 'i32');
  if (error === 0) {
    const tree = instance.getValue(result, 'i32');
    if (tree === 0) throw new Error('The parser gave neither a tree nor an error.');
    return { kind: 'tree', tree: parseTree(instance.UTF8ToString(tree)) };
  }
  const message = instance.UTF8ToString(instance.getValue(error, 'i32'));
  if (EXHAUSTED.test(message)) return TOO_COMPLEX;
  if (OLDER_TOKENS.test(message)) return OLDER;
  const position = instance.getValue(error + ERROR_POSITION, 'i32');
  const said = message.replace(QUOTED_LITERAL, '$1…"');
  return { kind: 'syntax-error', message: said, at: byteOffset(bytes, position) };
}

/** PostgreSQL counts characters from 1, and says 0 where it does not know. */
function byteOffset(bytes: Uint8Array, position: number): number | undefined {
  if (position <= 0) return undefined;
  let characters = 0;
  for (const [at, byte] of bytes.entries()) {
    if ((byte & 0xc0) === 0x80) continue;
    characters += 1;
    if (characters === position) return at;
  }
  return bytes.length;
}
