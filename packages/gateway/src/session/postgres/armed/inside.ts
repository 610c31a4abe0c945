/**
 * Statements of the gateway's own inside of a client's session, of which nothing is left behind.
 *
 * | where | how it is as before |
 * |---|---|
 * | outside of a transaction | in a transaction that only reads, and is rolled back |
 * | in a transaction block | in a savepoint that is rolled back, also where something fails |
 * | in a pipeline without its Sync | by who asks; where something fails the pipeline fails, as it would have |
 *
 * Analysing a text may run code: the checks of a domain in a composite literal. So what is asked only reads where
 * that can be taken back, and is never committed but with the client's own pipeline.
 */

import { CountersignError } from '../../../core/errors.ts';
import { encodeFrontend } from '../../../protocols/postgres/encode.ts';
import type { FrontendMessage } from '../../../protocols/postgres/messages.ts';
import { errorOf, type ExchangePorts, type KeptAnswer } from '../exchange.ts';
import type { Request } from '../request.ts';
import { type Budget, KeptTrees } from './kept-trees.ts';

/** Where in the client's session. */
export type AskedIn = 'idle' | 'block' | 'pipeline';

/** Messages, and what keeps their answers. */
export interface Asking {
  readonly messages: readonly FrontendMessage[];
  readonly keepers: readonly KeptTrees[];
}

/** How it went; answers in the order of what was asked, and of its messages. */
export type Heard =
  | { readonly kind: 'heard'; readonly answers: readonly (readonly KeptAnswer[])[] }
  /** What `at` asked failed; -1: what stands around it. */
  | { readonly kind: 'error'; readonly at: number; readonly answer: KeptAnswer }
  /** The connection ended. */
  | { readonly kind: 'over' };

const FLUSH = encodeFrontend({ kind: 'Flush' });
const SYNC: FrontendMessage = { kind: 'Sync' };

/** Owned by one session. */
export class Inside {
  readonly #ports: ExchangePorts;
  /** Of statements, portals and the savepoint; no client knows it. */
  readonly name: string;

  constructor(ports: ExchangePorts, name: string) {
    this.#ports = ports;
    this.name = name;
  }

  /**
   * A statement of ours from Parse to Close.
   *
   * @param values as text, all of the same type
   */
  statement(text: string, values: readonly Uint8Array[] = [], typeOid = 0): Asking {
    const { name } = this;
    return this.asking([
      {
        kind: 'Parse',
        statement: name,
        textBytes: new TextEncoder().encode(text),
        parameterTypeOids: values.map(() => typeOid),
      },
      { kind: 'Bind', portal: name, statement: name, valueFormats: [], values, resultFormats: [] },
      { kind: 'Execute', portal: name, rowsMax: 0 },
      { kind: 'Close', target: 'P', name },
      { kind: 'Close', target: 'S', name },
    ]);
  }

  /** @param trees what may be kept of its trees, and of others */
  asking(messages: readonly FrontendMessage[], trees?: Budget): Asking {
    return { messages, keepers: messages.map(() => new KeptTrees(trees)) };
  }

  /** Everything of the client is answered; nothing else is sent until this resolves. */
  async run(where: AskedIn, all: readonly Asking[]): Promise<Heard> {
    if (where === 'pipeline') return read(await this.#sent(all), 0, all.length);
    const before = this.#begins(where);
    const answers = await this.#sent([...before, ...all, ...this.#ends(where)]);
    const heard = read(answers, before.length, all.length);
    if (heard.kind === 'error') await this.#leave(where);
    return heard;
  }

  /**
   * As {@link run}, of what shall last: it is a part of the client's transaction, where there is one. Undefined where
   * it failed, and then so has what it is a part of.
   */
  async keeping(where: AskedIn, asking: Asking): Promise<readonly KeptAnswer[] | undefined> {
    const all = where === 'pipeline' ? [asking] : [asking, this.asking([SYNC])];
    const heard = read(await this.#sent(all), 0, 1);
    return heard.kind === 'heard' ? heard.answers[0] : undefined;
  }

  #begins(where: 'idle' | 'block'): readonly Asking[] {
    const begin = where === 'idle' ? [BEGIN] : [`SAVEPOINT "${this.name}"`, READ_ONLY];
    return begin.map((text) => this.statement(text));
  }

  #ends(where: 'idle' | 'block'): readonly Asking[] {
    const savepoint = `SAVEPOINT "${this.name}"`;
    const end = where === 'idle' ? ['ROLLBACK'] : [`ROLLBACK TO ${savepoint}`, `RELEASE ${savepoint}`];
    return [...end.map((text) => this.statement(text)), this.asking([SYNC])];
  }

  /** Behind an error. */
  async #leave(where: 'idle' | 'block'): Promise<void> {
    const ends = this.#ends(where);
    const heard = read(await this.#sent(ends), 0, ends.length);
    if (heard.kind === 'error') throw failed(heard.answer);
  }

  async #sent(all: readonly Asking[]): Promise<readonly (readonly KeptAnswer[])[]> {
    const bytes: Uint8Array[] = [];
    for (const { messages, keepers } of all) {
      for (const [index, message] of messages.entries()) {
        const keeper = keepers[index];
        if (keeper === undefined) continue;
        this.#push(message, keeper);
        bytes.push(encodeFrontend(message));
      }
    }
    this.#ports.gate.pass({ bytes: [...bytes, FLUSH], bodyBytes: 0 });
    return Promise.all(all.map(({ keepers }) => Promise.all(keepers.map(({ answer }) => answer))));
  }

  #push(message: FrontendMessage, keeper: KeptTrees): void {
    const request: Request = {
      operation: undefined,
      settled: (outcome) => keeper.settled(outcome),
      refusal: undefined,
      keeper,
    };
    if (this.#ports.responses.push(kindOf(message), request) === 'forward') this.#ports.unlike.add(request);
  }
}

/** As the catalog is now, and without waiting for other transactions, whatever the session's defaults are. */
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY, NOT DEFERRABLE';
const READ_ONLY = "SELECT pg_catalog.set_config('transaction_read_only', 'on', true)";

/** @param first the index of the first that was asked, and `count` how many they are */
function read(answers: readonly (readonly KeptAnswer[])[], first: number, count: number): Heard {
  if (answers.flat().some(({ outcome }) => outcome === 'abandoned')) return { kind: 'over' };
  for (const [index, own] of answers.entries()) {
    const answer = own.find((one) => errorOf(one) !== undefined);
    if (answer === undefined) continue;
    const at = index - first;
    return { kind: 'error', at: at >= 0 && at < count ? at : -1, answer };
  }
  return { kind: 'heard', answers: answers.slice(first, first + count) };
}

/** What was set may not be set back: nobody knows what the client's session is now. */
export function failed(answer: KeptAnswer): CountersignError {
  const reason = errorOf(answer)?.message ?? answer.outcome;
  return new CountersignError('GATEWAY_STATEMENT_FAILED', { what: 'settings', reason });
}

function kindOf(message: FrontendMessage): Parameters<ExchangePorts['responses']['push']>[0] {
  const { kind } = message;
  if (kind === 'Describe' && message.target === 'S') return 'DescribeStatement';
  if (kind !== 'Parse' && kind !== 'Bind' && kind !== 'Execute' && kind !== 'Close' && kind !== 'Sync') {
    throw new CountersignError('INTERNAL', {}, { cause: `nobody is asked with ${kind}` });
  }
  return kind;
}
