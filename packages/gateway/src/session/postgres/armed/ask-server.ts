/**
 * Asks the server how it understands texts that have not run: its trees, and its catalog about what is in them.
 *
 * Spec: spec/policy.md, "The server's own tree". In one exchange: settings that make the server show its trees, and a
 * Parse of each text under a name of the gateway's; in a second one what the catalog says, unless that is known. It
 * is armed for the first of them only, so that nothing that a client sends runs while it is, and what a client sets
 * or sees of these settings is its own. The whole tree is kept while facts are taken of it; column labels (resorigtbl,
 * resorigcol, range tables) are in it too.
 */

import type { StatementLabels } from '../../../core/column-labels.ts';
import { CountersignError } from '../../../core/errors.ts';
import { LIMITS } from '../../../core/limits.ts';
import { decodeBackend } from '../../../protocols/postgres/decode.ts';
import { encodeBackend } from '../../../protocols/postgres/encode.ts';
import { HEADER_LENGTH } from '../../../protocols/postgres/frames.ts';
import { BACKEND } from '../../../protocols/postgres/messages.ts';
import type { ServerQuestion } from '../../../sql/inner-query.ts';
import { FIRST_USER_OID } from '../../../sql/server-tree/catalog-sql.ts';
import type { Catalog } from '../../../sql/server-tree/catalog.ts';
import { FactsReader, type ServerFacts } from '../../../sql/server-tree/facts.ts';
import type { NamesInText } from '../../../sql/server-tree/names.ts';
import { HIDING_NAMES_SQL } from '../../../sql/server-tree/names-sql.ts';
import { isCommand, TreeList, type TreeValue } from '../../../sql/server-tree/nodes.ts';
import { TreeReader } from '../../../sql/server-tree/read-nodes.ts';
import { errorOf, type ExchangePorts, type KeptAnswer, rowsOf } from '../exchange.ts';
import { AskCatalog } from './ask-catalog.ts';
import { type AskedIn, type Asking, failed, Inside } from './inside.ts';
import { Budget, type KeptTrees } from './kept-trees.ts';

export type { AskedIn } from './inside.ts';

export interface AskedText {
  readonly question: Extract<ServerQuestion, { readonly kind: 'query' | 'prepare' }>;
  readonly parameterTypeOids: readonly number[];
}

/** What the server said of one text. */
export interface ServerAnswer {
  readonly facts: ServerFacts;
  readonly catalog: Catalog;
  /** A value may be converted to a type that users made before it runs: of what PREPARE names, by a cast. */
  readonly convertsParameters: boolean;
  /** Where its values come from; undefined where nobody asked, or a tree could not be read. */
  readonly labels: StatementLabels | undefined;
}

/** Reads where values come from, in sessions whose results are masked. */
export type LabelsOf = (roots: readonly TreeValue[], catalog: Catalog) => StatementLabels;

export interface AskedError {
  readonly kind: 'error';
  /** Which text; -1: none of them. */
  readonly at: number;
  /** Its ErrorResponse, with the place that it has in the question. */
  readonly frame: Uint8Array;
  readonly error: NonNullable<ReturnType<typeof errorOf>>;
}

export type Asked =
  /** One for each text; undefined where no tree came. */
  | { readonly kind: 'answered'; readonly answers: readonly (ServerAnswer | undefined)[] }
  /** The server does not take a text. */
  | AskedError
  /** The connection ended. */
  | { readonly kind: 'over' };

export type Named =
  /** Names in the text behind which code of users may be. */
  { readonly kind: 'named'; readonly hiding: readonly string[] } | Exclude<Asked, { kind: 'answered' }>;

const ARMED = {
  debug_print_rewritten: 'on',
  debug_pretty_print: 'off',
  client_min_messages: 'log',
} as const;

/** `text[]`. */
const TEXT_LIST = 1009;

/** The values as they were, and then local ones; a target list is evaluated from left to right. */
const ARM = `SELECT ${Object.entries(ARMED)
  .flatMap(([name, value]) => [
    `pg_catalog.current_setting('${name}')`,
    `pg_catalog.set_config('${name}', '${value}', true)`,
  ])
  .join(', ')}, pg_catalog.pg_client_encoding()`;
const ENCODING_COLUMN = 2 * Object.keys(ARMED).length;
const DISARM = "SELECT pg_catalog.set_config('debug_print_rewritten', 'off', true)";
/** Of the five messages of a statement. */
const EXECUTE_INDEX = 2;

const treeReader = new TreeReader();
const factsReader = new FactsReader();

/** Owned by one session. */
export class AskServer {
  readonly #inside: Inside;
  readonly #catalog: AskCatalog;
  readonly #labelsOf: LabelsOf | undefined;

  /** @param name one that no client knows */
  constructor(ports: ExchangePorts, name: string, nowUs: () => number, labelsOf?: LabelsOf) {
    this.#inside = new Inside(ports, name);
    this.#catalog = new AskCatalog(this.#inside, nowUs);
    this.#labelsOf = labelsOf;
  }

  /**
   * Everything of the client is answered; nothing else is sent until this resolves.
   *
   * @param epoch what names stand for, as far as the session knows
   */
  async ask(where: AskedIn, texts: readonly AskedText[], epoch: number): Promise<Asked> {
    const inside = this.#inside;
    const budget = new Budget(LIMITS.serverTree.bytesMax);
    const asked = texts.map((text) => this.#analyze(text, budget));
    const disarmed = where === 'pipeline' ? [inside.statement(DISARM)] : [];
    const heard = await inside.run(where, [inside.statement(ARM), ...asked, ...disarmed]);
    if (heard.kind === 'over') return heard;
    if (heard.kind === 'error') return errorAnswer(heard.answer, heard.at - 1);
    const [armed] = rowsOf(heard.answers[0]?.[EXECUTE_INDEX] ?? NO_ANSWER);
    const isUtf8 = armed?.[ENCODING_COLUMN] === 'UTF8';
    const trees = asked.map(({ keepers }) => treesOf(keepers));
    const facts = trees.map((tree, at) =>
      withParameters(factsOf(tree, isUtf8), texts[at], heard.answers[at + 1]),
    );
    const catalog = await this.#catalog.of(where, facts, { epoch, isUtf8 });
    if (catalog.kind === 'over') return catalog;
    if (catalog.kind === 'error') return errorAnswer(catalog.answer, -1);
    if (where === 'pipeline') {
      const restored = await inside.run(where, [inside.statement(restore(armed ?? []))]);
      if (restored.kind === 'over') return restored;
      if (restored.kind === 'error') throw failed(restored.answer);
    }
    return {
      kind: 'answered',
      answers: facts.map((one, at) => {
        if (one === undefined || catalog.catalog === undefined) return undefined;
        return { ...one, catalog: catalog.catalog, labels: this.#labels(trees[at], catalog.catalog) };
      }),
    };
  }

  /** Behind which of these names code of users may be, in whatever schema. */
  async names(where: AskedIn, { words, operators }: NamesInText): Promise<Named> {
    const lists = [words, operators].map((names) => Buffer.from(listOf([...names])));
    const heard = await this.#inside.run(where, [this.#inside.statement(HIDING_NAMES_SQL, lists, TEXT_LIST)]);
    if (heard.kind === 'over') return heard;
    if (heard.kind === 'error') return errorAnswer(heard.answer, -1);
    const rows = rowsOf(heard.answers[0]?.[EXECUTE_INDEX] ?? NO_ANSWER);
    return { kind: 'named', hiding: rows.map(([kind, name]) => `${kind ?? ''} ${name ?? ''}`) };
  }

  #labels(trees: Trees | undefined, catalog: Catalog): StatementLabels | undefined {
    if (trees === undefined || trees.unknown.length > 0) return undefined;
    const roots = trees.roots.flatMap((root) => (root instanceof TreeList ? root.items : [root]));
    // PREPARE itself has a tree beside that of what it prepares.
    return this.#labelsOf?.(
      roots.filter((root) => !isCommand(root)),
      catalog,
    );
  }

  /** A Parse of the client's text, or a PREPARE of it where its types stand in the text. */
  #analyze({ question, parameterTypeOids }: AskedText, trees: Budget): Asking {
    const { name } = this.#inside;
    const { textBytes } = question;
    if (question.kind === 'query') {
      const parse = { kind: 'Parse', statement: name, textBytes, parameterTypeOids } as const;
      return this.#inside.asking([parse, { kind: 'Close', target: 'S', name }], trees);
    }
    const inner = innerName(name);
    const text = prepareBefore(inner, question.types) + Buffer.from(textBytes).toString('utf8');
    const prepared = this.#inside.statement(text);
    const described = [
      { kind: 'Describe', target: 'S', name: inner },
      { kind: 'Close', target: 'S', name: inner },
    ] as const;
    return this.#inside.asking([...prepared.messages, ...described], trees);
  }
}

const NO_ANSWER: KeptAnswer = { outcome: 'failed', frames: [] };

function innerName(name: string): string {
  return `${name} prepared`;
}

function prepareBefore(inner: string, types: string): string {
  return `PREPARE "${inner}" ${types} AS `;
}

function errorAnswer(answer: KeptAnswer, at: number): Exclude<Asked, { kind: 'answered' }> {
  const error = errorOf(answer);
  const frame = answer.frames.find(({ type }) => type === BACKEND.ErrorResponse)?.bytes;
  return error === undefined || frame === undefined ? { kind: 'over' } : { kind: 'error', at, frame, error };
}

/** The error with the place that it has in the whole text; without one where it stands somewhere else. */
export function placed(
  { frame }: AskedError,
  asked: AskedText | undefined,
  whole: Uint8Array,
  name: string,
): Uint8Array {
  const message = decodeBackend(BACKEND.ErrorResponse, frame.subarray(HEADER_LENGTH));
  if (message.kind !== 'ErrorResponse') return frame;
  const { question } = asked ?? {};
  const before = question?.kind === 'prepare' ? prepareBefore(innerName(name), question.types).length : 0;
  const fields = message.fields.flatMap((field) => {
    if (field.code !== 'P') return [field];
    if (question?.from === undefined) return [];
    const position = Number(Buffer.from(field.valueBytes).toString()) - before;
    const characters = charactersIn(whole.subarray(0, question.from)) + position;
    return position > 0 ? [{ ...field, valueBytes: Buffer.from(String(characters)) }] : [];
  });
  return encodeBackend({ kind: 'ErrorResponse', fields });
}

function charactersIn(bytes: Uint8Array): number {
  let characters = 0;
  for (const byte of bytes) if ((byte & 0xc0) !== 0x80) characters += 1;
  return characters;
}

/** What came of one text, and why some of it cannot be read. */
interface Trees {
  readonly roots: readonly TreeValue[];
  readonly unknown: readonly string[];
}

function treesOf(keepers: readonly KeptTrees[]): Trees {
  const roots: TreeValue[] = [];
  const unknown: string[] = keepers.some(({ tooMuch }) => tooMuch) ? ['a tree that is too long'] : [];
  for (const bytes of keepers.flatMap((keeper) => keeper.trees())) {
    const tree = treeReader.read(bytes);
    if (tree.kind === 'tree') roots.push(tree.root);
    else unknown.push(`a tree that is ${tree.reason}`);
  }
  return { roots, unknown };
}

/** Undefined where no tree came; what cannot be read is unknown in the facts. */
function factsOf({ roots, unknown }: Trees, isUtf8: boolean): ServerFacts | undefined {
  if (roots.length === 0 && unknown.length === 0) return undefined;
  const facts = factsReader.read(roots);
  const known = isUtf8 ? facts : { ...facts, relations: facts.relations.map(withReadableColumns) };
  return unknown.length === 0 ? known : { ...known, unknown: [...known.unknown, ...unknown] };
}

/** In another encoding than UTF-8 a name is another name; without one a column may be any. */
function withReadableColumns(relation: ServerFacts['relations'][number]): ServerFacts['relations'][number] {
  const columns = relation.columns.map((column) =>
    Buffer.byteLength(column.name) === column.name.length ? column : { ...column, name: '' },
  );
  return { ...relation, columns };
}

/** Types of parameters, also of those that the text does not use: values become theirs before anything runs. */
function withParameters(
  facts: ServerFacts | undefined,
  text: AskedText | undefined,
  answers: readonly KeptAnswer[] = [],
): Omit<ServerAnswer, 'catalog' | 'labels'> | undefined {
  if (facts === undefined) return undefined;
  const described = answers.flatMap(({ frames }) =>
    frames.flatMap(({ type, bytes }) => {
      if (type !== BACKEND.ParameterDescription) return [];
      const message = decodeBackend(type, bytes.subarray(HEADER_LENGTH));
      return message.kind === 'ParameterDescription' ? message.typeOids : [];
    }),
  );
  const types = [...(text?.parameterTypeOids ?? []), ...described].filter((oid) => oid >= FIRST_USER_OID);
  const convertsParameters = described.some((oid) => oid >= FIRST_USER_OID);
  return { facts: { ...facts, types: [...new Set([...facts.types, ...types])] }, convertsParameters };
}

/** An array as PostgreSQL writes it. */
function listOf(names: readonly string[]): string {
  return `{${names.map((name) => `"${name.replaceAll(/["\\]/g, String.raw`\$&`)}"`).join()}}`;
}

/** Constant names, and values that are words of PostgreSQL's. */
function restore(before: readonly (string | undefined)[]): string {
  const calls = Object.keys(ARMED).map((name, at) => {
    const value = before[at * 2] ?? '';
    if (!/^\w+$/.test(value)) throw new CountersignError('INTERNAL', {}, { cause: `${name} is ${value}` });
    return `pg_catalog.set_config('${name}', '${value}', true)`;
  });
  return `SELECT ${calls.join(', ')}`;
}
