/**
 * Asks the server how it understands texts that have not run: its trees, and its catalog about what is in them.
 *
 * Spec: spec/policy.md, "The server's own tree". In one exchange: settings that make the server show its trees, a Parse
 * of each text under a name of the gateway's, settings back, the catalog. It is armed for that long only, so that
 * nothing that a client sends runs while it is, and what a client sets or sees of these settings is its own:
 *
 * | where | how it is as before |
 * |---|---|
 * | outside of a transaction | the settings are local, and the exchange ends with a Sync |
 * | in a transaction block | in a savepoint that is rolled back, also where a Parse fails |
 * | in a pipeline without its Sync | set back one by one; where a Parse fails the pipeline fails, as it would have |
 */

import { CountersignError } from '../../../core/errors.ts';
import { encodeFrontend } from '../../../protocols/postgres/encode.ts';
import { BACKEND, type FrontendMessage } from '../../../protocols/postgres/messages.ts';
import type { ServerQuestion } from '../../../sql/inner-query.ts';
import { type Catalog, parseCatalog } from '../../../sql/server-tree/catalog.ts';
import { CATALOG_OF_OIDS_SQL } from '../../../sql/server-tree/catalog-sql.ts';
import { FactsReader, type ServerFacts } from '../../../sql/server-tree/facts.ts';
import type { TreeValue } from '../../../sql/server-tree/nodes.ts';
import { TreeReader } from '../../../sql/server-tree/read-nodes.ts';
import { errorOf, type ExchangePorts, type KeptAnswer, rowsOf } from '../exchange.ts';
import type { Request } from '../request.ts';
import { KeptTrees } from './kept-trees.ts';

/** Where in the client's session. */
export type AskedIn = 'idle' | 'block' | 'pipeline';

export interface AskedText {
  readonly question: Extract<ServerQuestion, { readonly kind: 'query' | 'prepare' }>;
  readonly parameterTypeOids: readonly number[];
}

/** What the server said of one text. */
export interface ServerAnswer {
  readonly facts: ServerFacts;
  readonly catalog: Catalog;
}

export type Asked =
  /** One for each text; undefined where no tree came. */
  | { readonly kind: 'answered'; readonly answers: readonly (ServerAnswer | undefined)[] }
  /** The server does not take a text: its ErrorResponse. */
  | {
      readonly kind: 'error';
      readonly at: number;
      readonly frame: Uint8Array;
      readonly error: NonNullable<ReturnType<typeof errorOf>>;
    }
  /** The connection ended. */
  | { readonly kind: 'over' };

const ARMED = {
  debug_print_rewritten: 'on',
  debug_pretty_print: 'off',
  client_min_messages: 'log',
} as const;

const FLUSH = encodeFrontend({ kind: 'Flush' });
const SYNC: FrontendMessage = { kind: 'Sync' };
/** `oid[]`. */
const OID_LIST = 1028;

/** The values as they were, and then local ones; a target list is evaluated from left to right. */
const ARM = `SELECT ${Object.entries(ARMED)
  .flatMap(([name, value]) => [
    `pg_catalog.current_setting('${name}')`,
    `pg_catalog.set_config('${name}', '${value}', true)`,
  ])
  .join(', ')}`;
const DISARM = "SELECT pg_catalog.set_config('debug_print_rewritten', 'off', true)";

const trees = new TreeReader();
const factsReader = new FactsReader();

/** Owned by one session. */
export class AskServer {
  readonly #ports: ExchangePorts;
  readonly #name: string;

  /** @param name one that no client knows */
  constructor(ports: ExchangePorts, name: string) {
    this.#ports = ports;
    this.#name = name;
  }

  /** Everything of the client is answered; nothing else is sent until this resolves. */
  async ask(where: AskedIn, texts: readonly AskedText[]): Promise<Asked> {
    const savepoint = `"${this.#name}"`;
    const begun = where === 'block' ? [this.#run(`SAVEPOINT ${savepoint}`)] : [];
    const armed = this.#run(ARM);
    const parsed = texts.map((text) => this.#analyze(text));
    const disarmed = this.#run(DISARM);
    this.#send([...begun, armed, ...parsed, disarmed].flatMap(({ messages }) => messages));
    const before = await Promise.all([...begun, armed].map(({ answers }) => all(answers)));
    const answered = await Promise.all(parsed.map(({ answers }) => all(answers)));
    const after = await all(disarmed.answers);
    const failed = [...before, ...answered, after].flat();
    if (failed.some(({ outcome }) => outcome === 'abandoned')) return { kind: 'over' };
    const error = failed.find((answer) => errorOf(answer) !== undefined);
    if (error !== undefined) {
      await this.#recover(where, savepoint);
      const at = answered.findIndex((answers) => answers.includes(error));
      return errorAnswer(error, at);
    }
    const facts = parsed.map(({ keepers }) => factsOf(keepers));
    const catalogs = await this.#catalogs(facts);
    if (catalogs.kind !== 'catalogs') {
      if (catalogs.kind === 'error') await this.#recover(where, savepoint);
      return catalogs;
    }
    await this.#leave(where, savepoint, before.at(-1)?.at(2));
    return {
      kind: 'answered',
      answers: facts.map((one, at) => {
        const catalog = catalogs.of[at];
        return one === undefined || catalog === undefined ? undefined : { facts: one, catalog };
      }),
    };
  }

  async #catalogs(
    facts: readonly (ServerFacts | undefined)[],
  ): Promise<
    | { readonly kind: 'catalogs'; readonly of: readonly (Catalog | undefined)[] }
    | Exclude<Asked, { kind: 'answered' }>
  > {
    const asked = facts.map((one) =>
      one === undefined ? undefined : this.#run(CATALOG_OF_OIDS_SQL, oidsOf(one)),
    );
    this.#send(asked.flatMap((one) => one?.messages ?? []));
    const of: (Catalog | undefined)[] = [];
    for (const one of asked) {
      const answers = one === undefined ? [] : await all(one.answers);
      if (answers.some(({ outcome }) => outcome === 'abandoned')) return { kind: 'over' };
      const error = answers.find((answer) => errorOf(answer) !== undefined);
      if (error !== undefined) return errorAnswer(error, -1);
      const rows = answers[2];
      const tooMuch = one?.keepers.some((keeper) => keeper.tooMuch) ?? true;
      of.push(rows === undefined || tooMuch ? undefined : catalogOf(rows));
    }
    return { kind: 'catalogs', of };
  }

  /** After an error: nothing of it is left, save in a pipeline, which has failed. */
  async #recover(where: AskedIn, savepoint: string): Promise<void> {
    if (where === 'pipeline') return;
    await this.#only([SYNC]);
    if (where === 'block') await this.#leave(where, savepoint, undefined);
  }

  async #leave(where: AskedIn, savepoint: string, armed: KeptAnswer | undefined): Promise<void> {
    if (where === 'idle') return this.#only([SYNC]);
    const [before] = armed === undefined ? [] : rowsOf(armed);
    const texts =
      where === 'block'
        ? [`ROLLBACK TO SAVEPOINT ${savepoint}`, `RELEASE SAVEPOINT ${savepoint}`]
        : [restored(before ?? [])];
    const ran = texts.map((text) => this.#run(text));
    this.#send(ran.flatMap(({ messages }) => messages));
    const answers = (await Promise.all(ran.map((one) => all(one.answers)))).flat();
    const failed = answers.map(errorOf).find((error) => error !== undefined);
    // What was set is not set back: nobody knows what the client's session is now.
    if (failed !== undefined) {
      throw new CountersignError('GATEWAY_STATEMENT_FAILED', { what: 'settings', reason: failed.message });
    }
    if (where === 'block') await this.#only([SYNC]);
  }

  async #only(messages: readonly FrontendMessage[]): Promise<void> {
    const keepers = messages.map((message) => this.#push(message));
    this.#send(messages);
    await Promise.all(keepers.map(({ answer }) => answer));
  }

  /** A statement of ours from Parse to Close. */
  #run(text: string, values: readonly Uint8Array[] = []): Ran {
    const name = this.#name;
    const messages: readonly FrontendMessage[] = [
      {
        kind: 'Parse',
        statement: name,
        textBytes: new TextEncoder().encode(text),
        parameterTypeOids: values.map(() => OID_LIST),
      },
      { kind: 'Bind', portal: name, statement: name, valueFormats: [], values, resultFormats: [] },
      { kind: 'Execute', portal: name, rowsMax: 0 },
      { kind: 'Close', target: 'P', name },
      { kind: 'Close', target: 'S', name },
    ];
    return this.#pushed(messages);
  }

  /** A Parse of the client's text, or a PREPARE of it where its types stand in the text. */
  #analyze({ question, parameterTypeOids }: AskedText): Ran {
    const name = this.#name;
    const { textBytes } = question;
    if (question.kind === 'query') {
      return this.#pushed([
        { kind: 'Parse', statement: name, textBytes, parameterTypeOids },
        { kind: 'Close', target: 'S', name },
      ]);
    }
    const inner = `${name} prepared`;
    const text = `PREPARE "${inner}" ${question.types} AS ${Buffer.from(textBytes).toString('utf8')}`;
    const ran = this.#run(text);
    const closed = this.#pushed([{ kind: 'Close', target: 'S', name: inner }]);
    return {
      messages: [...ran.messages, ...closed.messages],
      keepers: [...ran.keepers, ...closed.keepers],
      answers: [...ran.answers, ...closed.answers],
    };
  }

  #pushed(messages: readonly FrontendMessage[]): Ran {
    const keepers = messages.map((message) => this.#push(message));
    return { messages, keepers, answers: keepers.map(({ answer }) => answer) };
  }

  #push({ kind }: FrontendMessage): KeptTrees {
    const keeper = new KeptTrees();
    if (kind !== 'Parse' && kind !== 'Bind' && kind !== 'Execute' && kind !== 'Close' && kind !== 'Sync') {
      throw new CountersignError('INTERNAL', {}, { cause: `nobody is asked with ${kind}` });
    }
    const request: Request = {
      operation: undefined,
      settled: (outcome) => keeper.settled(outcome),
      refusal: undefined,
      keeper,
    };
    if (this.#ports.responses.push(kind, request) === 'forward') this.#ports.unlike.add(request);
    return keeper;
  }

  #send(messages: readonly FrontendMessage[]): void {
    if (messages.length === 0) return;
    this.#ports.gate.pass({ bytes: [...messages.map(encodeFrontend), FLUSH], bodyBytes: 0 });
  }
}

interface Ran {
  readonly messages: readonly FrontendMessage[];
  readonly keepers: readonly KeptTrees[];
  readonly answers: readonly Promise<KeptAnswer>[];
}

function all(answers: readonly Promise<KeptAnswer>[]): Promise<readonly KeptAnswer[]> {
  return Promise.all(answers);
}

function errorAnswer(answer: KeptAnswer, at: number): Exclude<Asked, { kind: 'answered' }> {
  const error = errorOf(answer);
  const frame = answer.frames.find(({ type }) => type === BACKEND.ErrorResponse)?.bytes;
  return error === undefined || frame === undefined ? { kind: 'over' } : { kind: 'error', at, frame, error };
}

/** Undefined where no tree came; what cannot be read is unknown in the facts. */
function factsOf(keepers: readonly KeptTrees[]): ServerFacts | undefined {
  const roots: TreeValue[] = [];
  const unknown: string[] = keepers.some(({ tooMuch }) => tooMuch) ? ['a tree that is too long'] : [];
  for (const bytes of keepers.flatMap((keeper) => keeper.trees())) {
    const tree = trees.read(bytes);
    if (tree.kind === 'tree') roots.push(tree.root);
    else unknown.push(`a tree that is ${tree.reason}`);
  }
  if (roots.length === 0 && unknown.length === 0) return undefined;
  const facts = factsReader.read(roots);
  return unknown.length === 0 ? facts : { ...facts, unknown: [...facts.unknown, ...unknown] };
}

function oidsOf({ relations, functions, operators, types }: ServerFacts): readonly Uint8Array[] {
  return [relations.map(({ oid }) => oid), functions, operators, types].map((oids) =>
    Buffer.from(`{${oids.join()}}`),
  );
}

function catalogOf(answer: KeptAnswer): Catalog | undefined {
  try {
    return parseCatalog(rowsOf(answer).map((row) => row.map((value) => value ?? null)));
  } catch (error) {
    // A catalog that is not PostgreSQL's: the statement is as unknown as without a tree.
    if (error instanceof CountersignError) return undefined;
    throw error;
  }
}

/** Constant names, and values that are words of PostgreSQL's. */
function restored(before: readonly (string | undefined)[]): string {
  const calls = Object.keys(ARMED).map((name, at) => {
    const value = before[at * 2] ?? '';
    if (!/^\w+$/.test(value)) throw new CountersignError('INTERNAL', {}, { cause: `${name} is ${value}` });
    return `pg_catalog.set_config('${name}', '${value}', true)`;
  });
  return `SELECT ${calls.join(', ')}`;
}
